//! The plans of several platforms as one table, package × platform key, with the reasons below it: the first thing
//! that a person sees of a run. Plain data, printed by the command.

use std::collections::{BTreeMap, BTreeSet};

use vocab::{DistributionName, PlatformKey};

use crate::plan::{Action, Plan, PlanRow};
use crate::prepare::Preparation;

/// Every row has as many cells as there are headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanMatrix {
    pub headers: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// `what (platforms): why`, sorted.
    pub reasons: Vec<String>,
}

/// A platform that has no plan, because its packages could not be resolved, has a column that says so.
pub fn plan_matrix(preparations: &[Preparation]) -> PlanMatrix {
    let mut reasons = Reasons::default();
    let mut headers = vec!["package".to_owned(), "version".to_owned()];
    headers.extend(preparations.iter().map(|it| it.platform.to_string()));

    let mut interpreters = vec!["python".to_owned(), String::new()];
    for preparation in preparations {
        interpreters.push(interpreter_cell(preparation, &mut reasons));
    }
    let mut rows = vec![interpreters];
    let mut names: BTreeMap<&DistributionName, bool> = BTreeMap::new();
    for row in preparations.iter().filter_map(|it| it.plan.as_ref()).flat_map(|plan| &plan.rows) {
        *names.entry(&row.name).or_default() |= row.requested;
    }
    for (name, requested) in names {
        let cells: Vec<Option<&PlanRow>> = preparations.iter().map(|it| row_of(it.plan.as_ref(), name)).collect();
        let version = common_version(&cells);
        let mut row = vec![if requested { name.to_string() } else { format!("  {name}") }, version.clone()];
        for (preparation, cell) in preparations.iter().zip(cells) {
            row.push(cell.map_or_else(String::new, |cell| package_cell(cell, &version)));
            if let Some(cell) = cell.filter(|cell| cell.action != Action::Wheel && !cell.reason.is_empty()) {
                let what = format!("{} {name}", cell.action.as_str());
                reasons.add(&what, preparation.platform, &cell.reason);
            }
        }
        rows.push(row);
    }
    PlanMatrix { headers, rows, reasons: reasons.lines() }
}

fn interpreter_cell(preparation: &Preparation, reasons: &mut Reasons) -> String {
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

fn row_of<'a>(plan: Option<&'a Plan>, name: &DistributionName) -> Option<&'a PlanRow> {
    plan?.rows.iter().find(|row| row.name == *name)
}

/// Of most platforms; the others then say theirs in their cells.
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
struct Reasons(BTreeMap<(String, String), BTreeSet<PlatformKey>>);

impl Reasons {
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
