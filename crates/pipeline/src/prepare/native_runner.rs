//! Which locked rows can only be built on their own platform, decided before anything is downloaded.
//!
//! A wheel of any platform can be installed from any machine. A source has to be compiled where it will run, unless
//! it is pure Python: then its wheel, built here, fits everywhere. What a source is shows only when it is built, but
//! two things are known before: a rule that asks for a source on this platform means the compiler, and so does a
//! wheel of the same version that another platform has for itself.

use std::collections::BTreeMap;

use config_merger::{Requirement, RequirementSource};
use pep440_rs::Version;
use vocab::{PlatformKey, RuleOutcome, RuleRecord};

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
        outcome: RuleOutcome::NeedsNativeRunner,
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
    let requirement = request.requirements.iter().find(|it| it.name == row.name);
    format!("{why}{}", nearest.map(|versions| nearest_words(&versions, requirement)).unwrap_or_default())
}

/// The next lower and the next higher version that has a wheel, and whether the requirement lets them be taken.
fn nearest_words(versions: &[String], requirement: Option<&Requirement>) -> String {
    let bounds = requirement.and_then(|it| match &it.source {
        RequirementSource::Index { specifier } => Some((&it.name, specifier)),
        _ => None,
    });
    let allows = |version: &str| {
        bounds.is_none_or(|(_, bounds)| version.parse::<Version>().is_ok_and(|version| bounds.contains(&version)))
    };
    let excluded: Vec<&str> = versions.iter().map(String::as_str).filter(|version| !allows(version)).collect();
    let by = bounds.map(|(name, bounds)| format!("`{name}{bounds}` excludes ")).unwrap_or_default();
    let note = match (&excluded[..], versions.len()) {
        ([], _) => String::new(),
        (_, 1) => format!(" ({by}it)"),
        ([_, _], _) => format!(" ({by}both)"),
        ([only, ..], _) => format!(" ({by}{only})"),
    };
    match versions {
        [] => "; no version has a wheel there".to_owned(),
        [version] => format!("; the nearest version with a wheel is {version}{note}"),
        versions => format!("; the nearest versions with a wheel are {}{note}", versions.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_versions_are_told_with_what_the_requirement_allows() {
        let both = ["1.9".to_owned(), "2.1".to_owned()];
        for (requirement, versions, expected) in [
            ("demo", &both[..], "; the nearest versions with a wheel are 1.9 and 2.1"),
            ("demo>=1", &both, "; the nearest versions with a wheel are 1.9 and 2.1"),
            ("demo>=2", &both, "; the nearest versions with a wheel are 1.9 and 2.1 (`demo>=2` excludes 1.9)"),
            ("demo<2.1", &both, "; the nearest versions with a wheel are 1.9 and 2.1 (`demo<2.1` excludes 2.1)"),
            ("demo==2.0", &both, "; the nearest versions with a wheel are 1.9 and 2.1 (`demo==2.0` excludes both)"),
            ("demo==2.0", &both[..1], "; the nearest version with a wheel is 1.9 (`demo==2.0` excludes it)"),
            ("demo<2", &both[..1], "; the nearest version with a wheel is 1.9"),
            ("demo", &[], "; no version has a wheel there"),
        ] {
            let parsed = config_merger::requirement_of_metadata(requirement).unwrap();
            assert_eq!(nearest_words(versions, Some(&parsed)), expected, "{requirement}");
        }
        // What nobody asked for by name is bound by others, of which nothing is said.
        assert_eq!(nearest_words(&both, None), "; the nearest versions with a wheel are 1.9 and 2.1");
    }
}
