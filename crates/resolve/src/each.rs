//! Requirements resolved each for itself, for a wheelhouse from which one or another of them is installed: two may bring
//! different versions of a distribution. What they bring alike stands once among the rows.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use vocab::{DistributionName, few_at_once};

use crate::freshness::{fresh_alone, path_digests};
use crate::{
    LockedDistribution, PlatformLock, Request, ResolveError, ResolveSettings, ResolvedPlatform, UV_VERSION, exact_pin,
    search,
};
use store::Context;

type LockedVersions = BTreeMap<DistributionName, String>;

pub(crate) fn resolve(
    context: &Context,
    request: &Request,
    settings: &ResolveSettings<'_>,
) -> Result<ResolvedPlatform, ResolveError> {
    let pins = pins(request);
    let answers = few_at_once(context.jobs, &request.requirements, |requirement| {
        let alone = request.alone(requirement);
        if let Some(rows) = settings.locked.filter(|_| !settings.refresh) {
            let kept = fresh_alone(rows, &alone, settings.repository);
            if let Some(rows) = kept.map_err(|kind| ResolveError::new(&alone, kind))? {
                return Ok(ResolvedPlatform { rows, urls: BTreeMap::new() });
            }
        }
        // What is pinned here is taken by others as well where it fits them, so that less differs.
        let mut preferred = pins.clone();
        preferred.extend(settings.preferred.of_requirement(&requirement.name).cloned().unwrap_or_default());
        search(context, &alone, settings, preferred)
    });
    let failed = |kind| ResolveError::new(request, kind);
    let inputs = request.inputs(&path_digests(request, settings.repository).map_err(failed)?);
    let mut rows = PlatformLock {
        inputs,
        uv: UV_VERSION.to_owned(),
        alone: BTreeMap::new(),
        distributions: Vec::new(),
        left_out: Vec::new(),
    };
    let mut urls = BTreeMap::new();
    for (requirement, answer) in request.requirements.iter().zip(answers) {
        let answer = answer?;
        urls.extend(answer.urls);
        add(&mut rows, &requirement.name, answer.rows);
    }
    let version = |row: &LockedDistribution| row.version.as_deref().and_then(|text| text.parse::<Version>().ok());
    rows.distributions.sort_by_cached_key(|row| (row.name.clone(), version(row), row.version.clone()));
    rows.left_out.sort();
    rows.left_out.dedup();
    Ok(ResolvedPlatform { rows, urls })
}

fn add(rows: &mut PlatformLock, requirement: &DistributionName, own: PlatformLock) {
    if own.left_out.is_empty() {
        rows.alone.insert(requirement.clone(), own.inputs);
    }
    for row in own.distributions {
        let row = LockedDistribution { brought_by: BTreeSet::new(), ..row };
        let is_same = |other: &&mut LockedDistribution| {
            (&other.name, &other.version, &other.source, other.registry)
                == (&row.name, &row.version, &row.source, row.registry)
        };
        match rows.distributions.iter_mut().find(is_same) {
            Some(other) => {
                other.brought_by.insert(requirement.clone());
            }
            None => {
                let brought_by = BTreeSet::from([requirement.clone()]);
                rows.distributions.push(LockedDistribution { brought_by, ..row });
            }
        }
    }
    rows.left_out.extend(own.left_out);
}

/// The versions that the configuration asks for exactly.
fn pins(request: &Request) -> LockedVersions {
    request.requirements.iter().filter_map(|it| Some((it.name.clone(), exact_pin(it)?))).collect()
}
