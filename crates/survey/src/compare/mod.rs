//! `builder diff`: what differs between two locks, two manifests, or two artifacts.
//!
//! Everything is brought into one form first ([`ComparedSide`]), so that a lock can be compared with what was built
//! from it, as far as both state the same facts. `fetch` computes what an update between two artifacts transfers.

mod side;

use std::collections::{BTreeMap, BTreeSet};

use fetch::ManifestDiff;
use serde::Serialize;
use vocab::{DistributionName, PlatformKey, RuleRecord};

use crate::versions_side_by_side::pairs;
pub use side::{ComparedSide, SideContent, SideError, SidePackage, read};

/// Platforms that are on both sides come first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub before: String,
    pub after: String,
    pub platforms: Vec<PlatformComparison>,
}

/// What differs on one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlatformComparison {
    pub platform: PlatformKey,
    /// Which sides have it.
    pub presence: Presence,
    /// Absent if a side does not state it; locks do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<ValueChange<String>>,
    pub packages: Vec<PackageChange>,
    pub rules_added: Vec<RuleRecord>,
    pub rules_removed: Vec<RuleRecord>,
    /// Counts and bytes that both sides state and that differ: `files`, `installed`, `packed`, `download`.
    pub sizes: BTreeMap<&'static str, ValueChange<u64>>,
    /// Between two artifacts: what an update transfers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<ManifestDiff>,
}

/// Which sides have the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    Both,
    Added,
    Removed,
}

/// A value that differs between the sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueChange<T> {
    pub before: T,
    pub after: T,
}

/// A side without the package is absent; if the versions are equal, the files differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    pub name: DistributionName,
    /// A side has several versions of it, for different requirements.
    #[serde(skip)]
    pub several: bool,
    pub before: Option<SidePackage>,
    pub after: Option<SidePackage>,
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.platforms.iter().all(PlatformComparison::is_empty)
    }
}

impl PlatformComparison {
    /// Whether the platform is the same on both sides.
    pub fn is_empty(&self) -> bool {
        self.presence == Presence::Both
            && self.base.is_none()
            && self.packages.is_empty()
            && self.rules_added.is_empty()
            && self.rules_removed.is_empty()
            && self.sizes.is_empty()
    }
}

/// Compares all platforms of both sides. A fact that only one side states is not a difference.
pub fn compare(before: &ComparedSide, after: &ComparedSide) -> Comparison {
    let keys: BTreeSet<PlatformKey> = before.platforms.keys().chain(after.platforms.keys()).copied().collect();
    let none = SideContent::default();
    let mut platforms: Vec<PlatformComparison> = keys
        .into_iter()
        .map(|platform| {
            let (older, newer) = (before.platforms.get(&platform), after.platforms.get(&platform));
            let presence = match (older, newer) {
                (Some(_), Some(_)) => Presence::Both,
                (Some(_), None) => Presence::Removed,
                (None, _) => Presence::Added,
            };
            compare_platform(platform, presence, older.unwrap_or(&none), newer.unwrap_or(&none))
        })
        .collect();
    platforms.sort_by_key(|it| (it.presence != Presence::Both, it.platform));
    Comparison { before: before.label.clone(), after: after.label.clone(), platforms }
}

/// What differs of one distribution. Who brings a version counts where there are several.
fn of_one_name(name: &DistributionName, before: &[SidePackage], after: &[SidePackage]) -> Vec<PackageChange> {
    let several = before.len() > 1 || after.len() > 1;
    let same =
        |one: &SidePackage, other: &SidePackage| one.is_same(other) && (!several || one.brought_by == other.brought_by);
    let pairs = pairs(before, after, SidePackage::is_same).into_iter();
    let changed = pairs.filter(|(one, other)| one.zip(*other).is_none_or(|(one, other)| !same(one, other)));
    changed
        .map(|(one, other)| PackageChange { name: name.clone(), several, before: one.cloned(), after: other.cloned() })
        .collect()
}

fn compare_platform(
    platform: PlatformKey,
    presence: Presence,
    before: &SideContent,
    after: &SideContent,
) -> PlatformComparison {
    let names: BTreeSet<&DistributionName> = before.packages.keys().chain(after.packages.keys()).collect();
    let packages = names.into_iter().flat_map(|name| {
        let [before, after] = [before, after].map(|side| side.packages.get(name).map_or(&[][..], Vec::as_slice));
        of_one_name(name, before, after)
    });
    let base = before.base.clone().zip(after.base.clone()).filter(|(older, newer)| older != newer);
    // A lock records what is left out, but not which rules acted: comparing those would report changes that did not
    // happen.
    let rules = |one: &SideContent, other: &SideContent| -> Vec<RuleRecord> {
        if one.all_rules != other.all_rules {
            return Vec::new();
        }
        one.rules.iter().filter(|rule| !other.rules.contains(rule)).cloned().collect()
    };
    let sizes = after.sizes.iter().filter_map(|(name, newer)| {
        let older = before.sizes.get(name)?;
        (older != newer).then_some((*name, ValueChange { before: *older, after: *newer }))
    });
    let update = before.manifest.as_ref().zip(after.manifest.as_ref());
    PlatformComparison {
        platform,
        presence,
        base: base.map(|(before, after)| ValueChange { before, after }),
        packages: packages.collect(),
        rules_added: rules(after, before),
        rules_removed: rules(before, after),
        sizes: sizes.collect(),
        update: update.and_then(|(older, newer)| fetch::diff(older, newer)),
    }
}
