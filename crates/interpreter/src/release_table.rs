//! The table of python-build-standalone's releases.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use config_merger::{PinnedRelease, PythonSettings};
use serde::Deserialize;
use vocab::{Digest, PlatformKey, PythonVersion};

/// Which file has which Python for which platform. Source: uv's recorded metadata of upstream's releases; one row
/// for each version and platform, the newest release that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ReleaseTable(pub BTreeMap<PythonVersion, BTreeMap<PlatformKey, PinnedAsset>>);

/// One pinned file of a python-build-standalone release.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedAsset {
    /// `<tag>/<asset>` below the release folder, with a literal `+`.
    pub path: String,
    pub sha256: Digest,
    /// Where it is if not below the release folder or its mirror.
    #[serde(default)]
    pub url: Option<String>,
}

static EMBEDDED: LazyLock<ReleaseTable> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/python-build-standalone.json"))
        .expect("the table is part of this program and a test reads it")
});

impl ReleaseTable {
    /// The rows of the configuration, `python.releases`.
    pub fn of(settings: &PythonSettings) -> Self {
        let row = |(platform, it): (&PlatformKey, &PinnedRelease)| {
            (*platform, PinnedAsset { path: format!("{}/{}", it.tag, it.asset), sha256: it.sha256, url: None })
        };
        let rows = settings.releases.iter();
        Self(rows.map(|(python, platforms)| (*python, platforms.iter().map(row).collect())).collect())
    }

    /// The day of its newest release, `20260814`: tags begin with it.
    pub fn newest_day(&self) -> Option<&str> {
        let tags = self.0.values().flat_map(BTreeMap::values).filter_map(|release| release.tag().get(..8));
        tags.filter(|day| day.bytes().all(|digit| digit.is_ascii_digit())).max()
    }

    /// The table in this repository, `data/python-build-standalone.json`.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// The pinned file of exactly this version for this platform.
    pub fn release(&self, python: PythonVersion, platform: PlatformKey) -> Option<&PinnedAsset> {
        self.0.get(&python)?.get(&platform)
    }

    /// The release of the same minor version whose patch number is nearest; the newer of two that are equally near.
    /// `None` when the minor version has none.
    pub fn nearest(&self, python: PythonVersion, platform: PlatformKey) -> Option<PythonVersion> {
        let built = self.0.iter().filter(|(_, platforms)| platforms.contains_key(&platform));
        built
            .map(|(version, _)| *version)
            .filter(|version| version.same_series(python))
            .min_by_key(|version| (version.patch.abs_diff(python.patch), version.patch < python.patch))
    }
}

impl PinnedAsset {
    pub(super) fn tag(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    pub(super) fn asset(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}
