//! Which locked rows can only be built on their own platform, decided before anything is downloaded.
//!
//! A wheel of any platform can be installed from any machine. A source has to be compiled where it will run, unless
//! it is pure Python: then its wheel, built here, fits everywhere. What a source is shows only when it is built, but
//! two things are known before: a rule that asks for a source on this platform means the compiler, and so does a
//! wheel of the same version that another platform has for itself.

use std::collections::BTreeMap;

use vocab::{Outcome, PlatformKey, RuleRecord};

use resolve::{self, Lock, LockedDistribution, LockedSource, PlatformLock, Request, WhyBuilt};
use store::Context;

/// By index among the rows, one record for each that has to be left to a native runner.
pub fn needed(context: &Context, request: &Request, rows: &PlatformLock, lock: &Lock) -> BTreeMap<usize, RuleRecord> {
    if PlatformKey::host() == Some(request.target.platform) {
        return BTreeMap::new();
    }
    let native = |(_, row): &(usize, &LockedDistribution)| request.builds(row) && is_compiled(request, row, lock);
    let record = |row: &LockedDistribution| RuleRecord {
        name: row.name.clone(),
        outcome: Outcome::NeedsNativeRunner,
        reason: reason(context, request, row),
    };
    let rows = rows.distributions.iter().enumerate();
    rows.filter(native).map(|(index, row)| (index, record(row))).collect()
}

fn is_compiled(request: &Request, row: &LockedDistribution, lock: &Lock) -> bool {
    if request.why_built(&row.name) != WhyBuilt::NoWheel {
        return true;
    }
    let same = |other: &&LockedDistribution| other.name == row.name && other.version == row.version;
    lock.platforms.values().flat_map(|rows| rows.distributions.iter().filter(same)).any(|other| match &other.source {
        LockedSource::Wheel { file, .. } => !file.ends_with("-any.whl"),
        _ => false,
    })
}

fn reason(context: &Context, request: &Request, row: &LockedDistribution) -> String {
    let why = request.why_built(&row.name).reason();
    let nearest = resolve::recall_nearest(context, &request.target, row);
    let nearest = match nearest.as_deref() {
        None => String::new(),
        Some([]) => "; no version has a wheel there".to_owned(),
        Some([version]) => format!("; the nearest version with a wheel is {version}"),
        Some(versions) => format!("; the nearest versions with a wheel are {}", versions.join(" and ")),
    };
    format!("{why}{nearest}")
}
