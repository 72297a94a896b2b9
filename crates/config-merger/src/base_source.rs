//! Where the base interpreter comes from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocab::{Digest, PlatformKey, PythonVersion};

/// Which base interpreter a runtime gets: the key `python`, with defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PythonSettings {
    /// Tried in this order; the first that has the version wins. Never empty, none twice.
    pub sources: Vec<BaseSource>,
    /// A release of python-build-standalone, such as `20250529`. `None`: the newest in the table that has the
    /// version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// A build flavour of python-build-standalone, such as `install_only_stripped`. `None`: the table's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    /// What the `archive` source provides, by platform.
    pub archives: BTreeMap<PlatformKey, ArchiveSource>,
    /// Releases of python-build-standalone that take precedence over those of the table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<PythonVersion, BTreeMap<PlatformKey, PinnedRelease>>,
    /// A list of releases in uv's format, for what neither `releases` nor the table has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downloads: Option<ArchiveSource>,
}

impl Default for PythonSettings {
    fn default() -> Self {
        Self {
            sources: BaseSource::ALL.to_vec(),
            tag: None,
            flavor: None,
            archives: BTreeMap::new(),
            releases: BTreeMap::new(),
            downloads: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaseSource {
    /// The releases of python-build-standalone, or a mirror of them.
    PythonBuildStandalone,
    /// The URLs under `python.archives`.
    Archive,
    /// The Go module that carries trimmed trees for all five platforms.
    GoModule,
    /// A CPython found on the building machine.
    System,
}

impl BaseSource {
    /// In the default order, in which they are tried.
    pub const ALL: [Self; 4] = [Self::PythonBuildStandalone, Self::Archive, Self::GoModule, Self::System];

    /// The word in configuration files and in the manifest's `base.source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PythonBuildStandalone => "python-build-standalone",
            Self::Archive => "archive",
            Self::GoModule => "go-module",
            Self::System => "system",
        }
    }
}

/// A file of a release of python-build-standalone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PinnedRelease {
    /// The release, such as `20250529`.
    pub tag: String,
    /// The name of the file; no path.
    pub asset: String,
    pub sha256: Digest,
}

/// One platform's interpreter under `python.archives`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchiveSource {
    /// An http, https or file URL; or a path relative to the package folder, which starts with `./` or `../`.
    pub url: String,
    /// Expected digest of the file; another one is refused.
    pub sha256: Digest,
}
