//! Names that more than one index has: the first is used, and users should know about the others.
//! Advice, kept in the store and not in the lock.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::DistributionName;

use super::{LockedDistribution, LockedSource, PlatformLock, Request};
use crate::registries::{IndexPages, Registry};
use store::Context;

const FACT: &str = "registry-overlap";

/// Kind and lifetime of the remembered facts, for pruning the store.
pub const OVERLAP_LIFETIME: (&str, Duration) = (FACT, Duration::from_secs(90 * 24 * 3600));

/// Indexes as messages name them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Overlap {
    pub name: DistributionName,
    pub taken_from: String,
    /// In order of precedence.
    pub also_in: Vec<String>,
    pub from_default: bool,
}

impl Overlap {
    /// One line for the plan.
    pub fn note(&self) -> String {
        format!("from {}; {} has the name as well", self.taken_from, self.also_in.join(" and "))
    }

    /// The remembered overlaps of the rows of one platform. Empty if nothing is known.
    pub fn recall(context: &Context, rows: &PlatformLock) -> Vec<Self> {
        let known = context.store.recall(FACT, &key(rows), OVERLAP_LIFETIME.1, SystemTime::now());
        known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default()
    }

    /// Asks those indexes that can be asked.
    pub fn remember(context: &Context, request: &Request, rows: &PlatformLock, pages: &IndexPages<'_>) {
        if !context.offline {
            let overlaps = find(request, &rows.distributions, pages);
            let _ = context.store.remember(FACT, &key(rows), &json!(overlaps), SystemTime::now());
        }
    }
}

fn key(rows: &PlatformLock) -> String {
    format!("{} {}", rows.inputs, rows.digest())
}

/// Only the index of a pinned distribution is asked, so nothing is known about the others.
fn find(request: &Request, rows: &[LockedDistribution], pages: &IndexPages<'_>) -> Vec<Overlap> {
    let from_index = |row: &&LockedDistribution| {
        matches!(row.source, LockedSource::Wheel { .. } | LockedSource::Sdist { .. })
            && !pages.pinned().contains_key(&row.name)
            && !request.is_direct(&row.name)
    };
    let rows: Vec<&LockedDistribution> = rows.iter().filter(from_index).collect();
    let taken =
        |row: &LockedDistribution| row.registry.map_or(Registry::Default, |place| Registry::Additional(place - 1));
    let others = |row: &LockedDistribution| -> Vec<Registry> {
        // If another index was taken, the default index has been asked already.
        let default = row.registry.map(|_| Registry::Default);
        default.into_iter().chain(pages.open().map(Registry::Additional)).filter(|it| *it != taken(row)).collect()
    };
    let asked = rows.iter().flat_map(|row| others(row).into_iter().map(|registry| (registry, row.name.clone())));
    pages.ask(&asked.collect::<Vec<_>>());
    let overlap = |row: &&LockedDistribution| {
        let mut also = others(row);
        also.retain(|registry| pages.of(*registry, &row.name).page().is_some());
        (!also.is_empty()).then(|| Overlap {
            name: row.name.clone(),
            taken_from: pages.label(taken(row)),
            also_in: also.into_iter().map(|registry| pages.label(registry)).collect(),
            from_default: row.registry.is_none(),
        })
    };
    rows.iter().filter_map(overlap).collect()
}
