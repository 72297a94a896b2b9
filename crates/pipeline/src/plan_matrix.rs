//! The plans of several platforms as one table, package × platform key, with the reasons below it: the first thing
//! that a person sees of a run. Plain data, printed by the command.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use vocab::{DistributionName, PlatformKey};

use crate::plan::{BuildPlan, PlanAction, PlanRow, brought_by};
use crate::prepare::PlatformPreparation;

/// Every row has as many cells as there are headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanMatrix {
    pub headers: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// `what (platforms): why`, sorted.
    pub reasons: Vec<String>,
}

/// A platform that has no plan, because its packages could not be resolved, has a column that says so.
pub fn plan_matrix(preparations: &[PlatformPreparation]) -> PlanMatrix {
    let mut reasons = PlanReasons::default();
    let plans = || preparations.iter().filter_map(|it| it.plan.as_ref());
    let is_each = plans().any(BuildPlan::is_each);
    let mut headers = vec!["package".to_owned(), "version".to_owned()];
    headers.extend(is_each.then(|| "brought by".to_owned()));
    let mut interpreters = vec!["python".to_owned()];
    interpreters.resize(headers.len(), String::new());
    headers.extend(preparations.iter().map(|it| it.platform.to_string()));
    for preparation in preparations {
        interpreters.push(interpreter_cell(preparation, &mut reasons));
    }
    let mut rows = vec![interpreters];
    for (name, rows_of_name) in lines(plans().flat_map(|plan| &plan.rows), is_each) {
        let cells: Vec<Option<&PlanRow>> = preparations.iter().map(|it| cell_of(it, &rows_of_name)).collect();
        let version = common_version(&cells);
        let requested = rows_of_name.iter().any(|row| row.requested);
        let mut row = vec![if requested { name.to_string() } else { format!("  {name}") }, version.clone()];
        row.extend(
            is_each.then(|| brought_by(&rows_of_name.iter().flat_map(|row| &row.brought_by).cloned().collect())),
        );
        for (preparation, cell) in preparations.iter().zip(cells) {
            row.push(cell.map_or_else(String::new, |cell| package_cell(cell, &version)));
            if let Some(cell) = cell.filter(|cell| cell.action != PlanAction::Wheel && !cell.reason.is_empty()) {
                let what = format!("{} {name}", cell.action.as_str());
                reasons.add(&what, preparation.platform, &cell.reason);
            }
        }
        rows.push(row);
    }
    PlanMatrix { headers, rows, reasons: reasons.lines() }
}

fn interpreter_cell(preparation: &PlatformPreparation, reasons: &mut PlanReasons) -> String {
    let Some(plan) = &preparation.plan else {
        if let Err(fault) = &preparation.ready {
            reasons.add("no resolution", preparation.platform, &fault.to_string());
        }
        return "no resolution".to_owned();
    };
    match &plan.base {
        Ok(base) => {
            if base.stand_in {
                let why = format!("{} ({}) stands in for {}", base.actual, base.origin, base.requested);
                reasons.add("stand-in python", preparation.platform, &why);
            }
            format!("{}{}", base.actual, if base.stand_in { " stand-in" } else { "" })
        }
        Err(reason) => {
            // So that platforms that lack it for the same reason share a line.
            let reason = reason.replace(preparation.platform.as_str(), "<platform>");
            reasons.add("no python", preparation.platform, &reason);
            "none".to_owned()
        }
    }
}

fn cell_of<'a>(preparation: &'a PlatformPreparation, line: &[&PlanRow]) -> Option<&'a PlanRow> {
    preparation.plan.as_ref()?.rows.iter().find(|row| line.iter().any(|own| std::ptr::eq(*own, *row)))
}

/// What stands in one line of the table: a distribution, or one version of it where requirements are resolved each for
/// itself.
fn lines<'a>(
    rows: impl Iterator<Item = &'a PlanRow>,
    is_each: bool,
) -> impl Iterator<Item = (&'a DistributionName, Vec<&'a PlanRow>)> {
    let mut lines: BTreeMap<(&DistributionName, Option<Version>, &str), Vec<&PlanRow>> = BTreeMap::new();
    for row in rows {
        let text = row.version.as_deref().filter(|_| is_each).unwrap_or_default();
        lines.entry((&row.name, text.parse().ok(), text)).or_default().push(row);
    }
    lines.into_iter().map(|((name, ..), rows)| (name, rows))
}

/// The value of most platforms; the others show theirs in their cells.
fn common_version(cells: &[Option<&PlanRow>]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for version in cells.iter().flatten().filter_map(|cell| cell.version.as_deref()) {
        *counts.entry(version).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(version, _)| version.to_owned()).unwrap_or_default()
}

fn package_cell(row: &PlanRow, common: &str) -> String {
    match &row.version {
        Some(version) if version != common => format!("{} {version}", row.action.as_str()),
        _ => row.action.as_str().to_owned(),
    }
}

/// By what and why, with the platforms that it is true of.
#[derive(Default)]
struct PlanReasons(BTreeMap<(String, String), BTreeSet<PlatformKey>>);

impl PlanReasons {
    fn add(&mut self, what: &str, platform: PlatformKey, why: &str) {
        self.0.entry((what.to_owned(), why.to_owned())).or_default().insert(platform);
    }

    fn lines(self) -> Vec<String> {
        let line = |((what, why), platforms): ((String, String), BTreeSet<PlatformKey>)| {
            let platforms: Vec<&str> = platforms.iter().map(|platform| platform.as_str()).collect();
            format!("{what} ({}): {why}", platforms.join(", "))
        };
        self.0.into_iter().map(line).collect()
    }
}
