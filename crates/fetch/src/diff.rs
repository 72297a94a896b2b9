//! What differs between two runtimes: by their manifests, or file by file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use vocab::{Digest, Manifest, Part, TreePath};

use crate::DeltaPlan;
use archive::{ListedEntry, ListedKind};

/// Requests with fewer bytes than this between them are combined.
pub const FETCH_GAP: u64 = 64 << 10;

/// Differences by manifest. Everything is sorted by name; equal things are omitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ManifestDiff {
    /// Absent if both have the same interpreter.
    pub base: Option<BaseChange>,
    pub packages: Vec<PackageChange>,
    pub parts: Vec<PartChange>,
    /// Size of the newer artifact.
    pub size: u64,
    /// Bytes that an update from the older to the newer artifact requests.
    pub fetched: u64,
}

/// Source, version and origin of both interpreters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaseChange {
    pub before: String,
    pub after: String,
}

/// A version is absent if the distribution is. Two equal versions have different files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    pub name: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Compressed sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartChange {
    pub content: String,
    pub before: Option<u64>,
    pub after: Option<u64>,
}

/// `None` if one of the manifests describes no artifact.
pub fn diff(older: &Manifest, newer: &Manifest) -> Option<ManifestDiff> {
    let (before, after) = (older.artifact.as_ref()?, newer.artifact.as_ref()?);
    let base = |manifest: &Manifest| {
        let base = &manifest.base;
        format!("{} {} {}", base.source, base.actual, base.origin)
    };
    let same_base = older.base.digest == newer.base.digest && base(older) == base(newer);
    let plan = DeltaPlan::of_artifact(after, &[before]);
    Some(ManifestDiff {
        base: (!same_base).then(|| BaseChange { before: base(older), after: base(newer) }),
        packages: packages(older, newer),
        parts: parts(&before.parts, &after.parts),
        size: after.size,
        fetched: plan.ranges(FETCH_GAP).iter().map(crate::FetchRange::size).sum(),
    })
}

fn packages(older: &Manifest, newer: &Manifest) -> Vec<PackageChange> {
    let by_name = |manifest: &Manifest| -> BTreeMap<String, (String, Digest)> {
        let all = manifest.distributions.iter();
        all.map(|it| (it.name.to_string(), (it.version.clone(), it.sha256))).collect()
    };
    changes(&by_name(older), &by_name(newer), |name, before, after| PackageChange {
        name: name.clone(),
        before: before.map(|(version, _)| version.clone()),
        after: after.map(|(version, _)| version.clone()),
    })
}

fn parts(older: &[Part], newer: &[Part]) -> Vec<PartChange> {
    let by_content = |parts: &[Part]| -> BTreeMap<String, (u64, Digest)> {
        parts.iter().map(|part| (part.content.clone(), (part.size, part.sha256))).collect()
    };
    changes(&by_content(older), &by_content(newer), |content, before, after| PartChange {
        content: content.clone(),
        before: before.map(|(size, _)| *size),
        after: after.map(|(size, _)| *size),
    })
}

/// Sizes in bytes; for links, the length of the target's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    pub path: TreePath,
    pub before: Option<u64>,
    pub after: Option<u64>,
}

/// Compares files and links by path; folders and times are ignored. Of entries with the same path the last one counts.
pub fn diff_files(older: &[ListedEntry], newer: &[ListedEntry]) -> Vec<FileChange> {
    changes(&by_path(older), &by_path(newer), |path, before, after| FileChange {
        path: path.clone(),
        before: before.map(|it| it.size),
        after: after.map(|it| it.size),
    })
}

/// Extraction refuses an entry whose name is not a path of a tree, so there is nothing to compare.
fn by_path(entries: &[ListedEntry]) -> BTreeMap<TreePath, &ListedEntry> {
    let files = entries.iter().filter(|it| it.kind != ListedKind::Directory);
    files.filter_map(|it| Some((it.path.parse().ok()?, it))).collect()
}

fn changes<K: Ord, V: PartialEq, C>(
    older: &BTreeMap<K, V>,
    newer: &BTreeMap<K, V>,
    change: impl Fn(&K, Option<&V>, Option<&V>) -> C,
) -> Vec<C> {
    let keys: BTreeSet<&K> = older.keys().chain(newer.keys()).collect();
    let pairs = keys.into_iter().map(|key| (key, older.get(key), newer.get(key)));
    pairs.filter(|(_, before, after)| before != after).map(|(key, before, after)| change(key, before, after)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> Manifest {
        archive::read_manifest(include_bytes!("../../../fixtures/manifest/format-4.json")).unwrap()
    }

    #[test]
    fn equal_runtimes_differ_in_nothing() {
        let same = diff(&fixture(), &fixture()).unwrap();
        assert_eq!((same.base, same.packages, same.parts, same.fetched), (None, vec![], vec![], 0));
        assert_eq!(diff(&fixture(), &Manifest { artifact: None, ..fixture() }), None);
    }

    #[test]
    fn another_file_of_one_version_and_another_base_are_changes() {
        let mut newer = fixture();
        newer.base.digest = Digest::of("another");
        newer.distributions[0].sha256 = Digest::of("another");
        let changed = diff(&fixture(), &newer).unwrap();
        assert!(changed.base.is_some());
        assert_eq!(changed.packages.len(), 1);
        assert_eq!(changed.packages[0].before, changed.packages[0].after);
    }
}
