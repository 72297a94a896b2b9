//! What cannot be installed from a wheelhouse, because something that it requires did not become a wheel here: found in
//! the metadata of the wheels themselves.

use std::collections::{BTreeMap, BTreeSet};

use vocab::{DistributionName, RuleOutcome, RuleRecord};

use super::{GatherOutcome, GatheredWheel};
use crate::consistency::{self, InstalledMember};
use crate::prepare::{PrepareError, PreparedPlatform};
use resolve::MissingRule;
use store::Context;

type GoneDistributions = BTreeMap<DistributionName, RuleRecord>;

/// Takes it out, with a warning for each, unless the configuration keeps it.
///
/// # Errors
/// The first of it, where nothing may be missing.
pub(super) fn leave_out(
    context: &Context,
    prepared: &PreparedPlatform,
    missing: MissingRule,
    gathering: &mut GatherOutcome,
) -> Result<(), PrepareError> {
    let request = &prepared.request;
    if !request.leaves_out_dependants {
        return Ok(());
    }
    let skipped = |(name, reason): (&DistributionName, &String)| RuleRecord {
        name: name.clone(),
        outcome: RuleOutcome::Skipped,
        reason: reason.clone(),
    };
    let rows = prepared.rows.left_out.iter().chain(&gathering.left_out).cloned();
    let rows = request.excluded.iter().map(skipped).chain(rows);
    let gone: GoneDistributions = rows.map(|row| (row.name.clone(), row)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let requirements: BTreeSet<DistributionName> =
        prepared.rows.distributions.iter().flat_map(|row| &row.brought_by).cloned().collect();
    let found = if requirements.is_empty() {
        of_all(prepared, gathering, gone)
    } else {
        of_each(prepared, gathering, &requirements, &gone)
    };
    let platform = request.target.platform;
    if let Some(row) = found.first().filter(|_| missing == MissingRule::Refuse) {
        let others = found[1..].iter().map(|row| row.name.to_string()).collect();
        return Err(PrepareError::left_out(row, others, platform));
    }
    for row in found {
        if !gathering.left_out.contains(&row) {
            let hint = "`\"dependants\": \"keep\"` in `packages.resolution` keeps it".to_owned();
            let text = format!("`{}` is left out: {}", row.name, row.reason);
            context.warn("W_LEFT_OUT", text, Some(platform.to_string()), Some(hint));
            gathering.left_out.push(row);
        }
    }
    Ok(())
}

/// Requirement by requirement: one that lacks something goes with all that it alone brings.
fn of_each(
    prepared: &PreparedPlatform,
    gathering: &mut GatherOutcome,
    requirements: &BTreeSet<DistributionName>,
    gone: &GoneDistributions,
) -> Vec<RuleRecord> {
    let mut found = Vec::new();
    for name in requirements {
        let own: Vec<&GatheredWheel> = gathering.wheels.iter().filter(|it| it.brought_by.contains(name)).collect();
        let is_there = own.iter().any(|it| it.name == *name) || gathering.sources.iter().any(|it| it.name == *name);
        let lacking = lacking(prepared, gathering, &own, gone).into_iter().next();
        let row = match (is_there, lacking) {
            (true, None) => continue,
            (false, _) => gone.get(name).cloned(),
            (true, Some((parent, lacking))) if parent == *name => Some(dependant(name, &lacking)),
            // Whatever it is that requires the parent, this one brings it.
            (true, Some((parent, lacking))) => Some(dependant(name, &dependant(&parent, &lacking))),
        };
        found.extend(row);
        let wheels = gathering.wheels.iter_mut().map(|it| &mut it.brought_by);
        for brought_by in wheels.chain(gathering.sources.iter_mut().map(|it| &mut it.brought_by)) {
            brought_by.remove(name);
        }
    }
    gathering.wheels.retain(|it| !it.brought_by.is_empty());
    gathering.sources.retain(|it| !it.brought_by.is_empty());
    found
}

/// Parents, and their parents, until nothing lacks anything.
fn of_all(prepared: &PreparedPlatform, gathering: &mut GatherOutcome, mut gone: GoneDistributions) -> Vec<RuleRecord> {
    let mut found = Vec::new();
    loop {
        let all: Vec<&GatheredWheel> = gathering.wheels.iter().collect();
        let parents: Vec<RuleRecord> = lacking(prepared, gathering, &all, &gone)
            .into_iter()
            .map(|(parent, lacking)| dependant(&parent, &lacking))
            .collect();
        if parents.is_empty() {
            return found;
        }
        for row in parents {
            gathering.wheels.retain(|it| it.name != row.name);
            gone.insert(row.name.clone(), row.clone());
            found.push(row);
        }
    }
}

fn dependant(name: &DistributionName, lacking: &RuleRecord) -> RuleRecord {
    RuleRecord { name: name.clone(), outcome: lacking.outcome, reason: resolve::reason_of_dependant(lacking) }
}

/// Who requires something that is gone, each with the first of it.
fn lacking(
    prepared: &PreparedPlatform,
    gathering: &GatherOutcome,
    wheels: &[&GatheredWheel],
    gone: &GoneDistributions,
) -> BTreeMap<DistributionName, RuleRecord> {
    let members: Vec<InstalledMember<'_>> = wheels.iter().map(|it| it.member()).collect();
    let request = &prepared.request;
    let unmet = consistency::unmet(&members, &request.no_deps, &request.target, &BTreeSet::new());
    let is_shipped = |name: &DistributionName| gathering.sources.iter().any(|it| it.name == *name);
    let absent = unmet.into_iter().filter(|it| it.installed.is_none() && !is_shipped(&it.required));
    let mut found = BTreeMap::new();
    for unmet in absent {
        if let Some(row) = gone.get(&unmet.required) {
            found.entry(unmet.parent).or_insert_with(|| row.clone());
        }
    }
    found
}
