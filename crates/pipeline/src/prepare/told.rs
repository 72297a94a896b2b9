//! What is reported about the preparation: each thing once, with all platforms that it applies to.

use std::collections::BTreeMap;

use vocab::{PlatformKey, RuleOutcome, RuleRecord};

use super::error::PrepareError;
use super::rows::PlatformRows;
use crate::options::BuildOptions;
use interpreter::{BaseChoice, BaseError};
use resolve::registries::IndexRefusal;
use resolve::{MissingRule, Overlap, UnreachableRegistry};
use store::Context;
use store::download::HOW_TO_GIVE_CREDENTIALS;

/// A prominent line, so that a stand-in is not overlooked.
pub fn stand_ins(context: &Context, choices: &[Result<BaseChoice, BaseError>]) {
    let mut lines: BTreeMap<String, Vec<PlatformKey>> = BTreeMap::new();
    for base in choices.iter().flatten().filter(|base| base.stand_in) {
        let (requested, actual) = (base.requested, base.actual);
        let line =
            format!("STAND-IN: Python {actual} ({}) takes the place of {requested}, which no source has", base.origin);
        lines.entry(line).or_default().push(base.platform);
    }
    for (line, platforms) in lines {
        let hint = "publishing refuses this runtime; --exact turns this into an error";
        context.warn("W_STAND_IN", line, Some(joined(&platforms)), Some(hint.to_owned()));
    }
}

/// Warns once about each index that did not answer, and each distribution that is left out. Gives for each platform
/// the fault that the options turn it into.
pub fn missing(
    context: &Context,
    rows: &[PlatformRows],
    unreachable: &[UnreachableRegistry],
    options: &BuildOptions,
) -> Vec<Option<PrepareError>> {
    let faults: Vec<_> = rows.iter().map(|row| fault_of(row, unreachable, options)).collect();
    let left_out: Vec<(&RuleRecord, PlatformKey)> = rows
        .iter()
        .zip(&faults)
        .filter(|(_, fault)| fault.is_none())
        .filter_map(|((request, rows), _)| Some((request.target.platform, rows.as_ref().ok()?)))
        .flat_map(|(platform, rows)| rows.left_out.iter().map(move |row| (row, platform)))
        .collect();
    for registry in unreachable {
        let here = |row: &RuleRecord| row.outcome == RuleOutcome::Missing && row.reason.contains(&registry.url);
        let lacking = left_out.iter().filter(|(row, _)| here(row));
        let mut names: BTreeMap<String, Vec<PlatformKey>> = BTreeMap::new();
        for (row, platform) in lacking {
            names.entry(format!("`{}`", row.name)).or_default().push(*platform);
        }
        let platforms: Vec<PlatformKey> = names.values().flatten().copied().collect();
        let names: Vec<String> = names.into_keys().collect();
        let text = match &names[..] {
            [] => "no configured package comes only from it".to_owned(),
            names => format!("{} comes only from it and is left out", names.join(", ")),
        };
        context.warn(
            "W_REGISTRY_UNREACHABLE",
            format!("the index {} cannot be reached ({}); {text}", registry.url, registry.reason),
            Some(joined(&platforms)).filter(|text| !text.is_empty()),
            Some("it is asked again after ten minutes; --strict makes this an error".to_owned()),
        );
    }
    let mut lines: BTreeMap<String, Vec<PlatformKey>> = BTreeMap::new();
    for (row, platform) in left_out {
        let told = unreachable.iter().any(|registry| row.reason.contains(&registry.url));
        if row.outcome != RuleOutcome::Missing || !told {
            lines.entry(format!("`{}` is left out: {}", row.name, row.reason)).or_default().push(platform);
        }
    }
    for (line, platforms) in lines {
        let hint = "--fail-on-missing makes this an error".to_owned();
        context.warn("W_LEFT_OUT", line, Some(joined(&platforms)), Some(hint));
    }
    faults
}

/// Reports indexes that refused an answer that was not needed, and distributions that are not from the default index
/// although it also has the name.
pub fn registries(context: &Context, rows: &[PlatformRows], refusals: &[IndexRefusal]) {
    for IndexRefusal { url, status, name } in refusals {
        let text = format!("the index {url} answered {status} for `{name}`; using the other indexes");
        let hint = format!("if it wants credentials, {HOW_TO_GIVE_CREDENTIALS}");
        context.warn("W_REGISTRY_REFUSED", text, None, Some(hint));
    }
    let mut lines: BTreeMap<String, Vec<PlatformKey>> = BTreeMap::new();
    for (request, rows) in rows {
        let overlaps = rows.as_ref().map(|rows| Overlap::recall(context, rows)).unwrap_or_default();
        for overlap in overlaps.into_iter().filter(|overlap| !overlap.from_default) {
            let line = format!("`{}` is {}", overlap.name, overlap.note());
            lines.entry(line).or_default().push(request.target.platform);
        }
    }
    for (line, platforms) in lines {
        let hint = "the earlier ones have no file of it that fits; if that is meant, name its index in \
                    `registries.pinned`";
        context.warn("W_REGISTRY_OVERLAP", line, Some(joined(&platforms)), Some(hint.to_owned()));
    }
}

/// Warns of what is kept though it cannot be installed: before anything is built, for nobody wants it by accident.
pub fn kept(context: &Context, rows: &[PlatformRows]) {
    let mut lines: BTreeMap<String, Vec<PlatformKey>> = BTreeMap::new();
    for (request, rows) in rows {
        let kept = rows.as_ref().map(|rows| resolve::kept_rows(context, request, rows)).unwrap_or_default();
        for (name, why) in kept {
            lines
                .entry(format!("`{name}` is kept and cannot be imported: {why}"))
                .or_default()
                .push(request.target.platform);
        }
    }
    for (line, platforms) in lines {
        let hint = "bring what it requires, or leave it out with `\"dependants\": \"leave-out\"` in \
                    `packages.resolution`; users have to find what is missing elsewhere";
        context.warn("W_KEPT", line, Some(joined(&platforms)), Some(hint.to_owned()));
    }
}

fn fault_of(
    (request, rows): &PlatformRows,
    unreachable: &[UnreachableRegistry],
    options: &BuildOptions,
) -> Option<PrepareError> {
    let platform = request.target.platform;
    let rows = rows.as_ref().ok()?;
    // A lock that was written where this was allowed has such rows, too.
    // What depends on an unknown kernel may not be needed at all, and what requires something skipped is
    // kept out by the rule: both are warned of.
    let is_missing = |row: &&RuleRecord| {
        !matches!(row.outcome, RuleOutcome::NotApplicable | RuleOutcome::Skipped)
            || options.missing == MissingRule::Refuse
    };
    let mut refused = rows.left_out.iter().filter(is_missing).filter(|_| !options.missing.allows(&request.policy));
    if let Some(row) = refused.next() {
        let others = refused.map(|row| row.name.to_string()).collect();
        return Some(PrepareError::left_out(row, others, platform));
    }
    if !options.strict {
        return None;
    }
    let missing = || rows.left_out.iter().filter(|row| row.outcome == RuleOutcome::Missing);
    if let Some(registry) = unreachable.first() {
        let names = missing().filter(|row| row.reason.contains(&registry.url)).map(|row| format!("`{}`", row.name));
        let names: Vec<String> = names.collect();
        return Some(PrepareError::Registry {
            registry: registry.url.clone(),
            reason: registry.reason.clone(),
            packages: if names.is_empty() { "nothing".to_owned() } else { names.join(", ") },
            platform,
        });
    }
    missing().next().map(|row| PrepareError::Missing {
        package: row.name.to_string(),
        reason: row.reason.clone(),
        platform,
    })
}

fn joined(platforms: &[PlatformKey]) -> String {
    let mut platforms = platforms.to_vec();
    platforms.sort();
    platforms.dedup();
    platforms.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(", ")
}
