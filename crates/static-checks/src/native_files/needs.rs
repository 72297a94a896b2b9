//! What a binary needs of the system it runs on, and how much of that is too much.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use vocab::{Os, PlatformKey, SystemVersion, default_ceiling};

use super::symbol_version::SymbolVersion;

/// Parts of a system whose version binaries name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemProvider {
    Glibc,
    /// The symbols of the system's `libstdc++`.
    Glibcxx,
    Macos,
    /// The version of the Windows subsystem, `6.1` for Windows 7 and `10.0` for 10 and 11.
    Windows,
}

impl SystemProvider {
    /// The key in the manifest and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Glibcxx => "glibcxx",
            Self::Macos => "macos",
            Self::Windows => "windows",
        }
    }
}

/// As binaries and people write it.
impl fmt::Display for SystemProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Glibc => "GLIBC",
            Self::Glibcxx => "GLIBCXX",
            Self::Macos => "macOS",
            Self::Windows => "Windows",
        })
    }
}

/// The highest version needed of each provider, if any, and the names of further libraries that the system has to
/// provide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemNeeds {
    versions: BTreeMap<SystemProvider, SymbolVersion>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    libraries: BTreeSet<String>,
}

impl SystemNeeds {
    /// The version needed; `None` if nothing of this provider is needed.
    pub fn get(&self, provider: SystemProvider) -> Option<&SymbolVersion> {
        self.versions.get(&provider)
    }

    /// The needed versions, in the order of [`SystemProvider`].
    pub fn iter(&self) -> impl Iterator<Item = (SystemProvider, &SymbolVersion)> {
        self.versions.iter().map(|(provider, version)| (*provider, version))
    }

    /// Whether nothing of the system is needed, no version and no library.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.libraries.is_empty()
    }

    pub(super) fn raise(&mut self, provider: SystemProvider, version: SymbolVersion) {
        let row = self.versions.entry(provider).or_insert_with(|| version.clone());
        if version > *row {
            *row = version;
        }
    }

    /// A library of the system that does not come with its C library. On macOS and Windows all systems have the same.
    pub(super) fn add_library(&mut self, name: &str) {
        self.libraries.insert(name.to_owned());
    }

    pub(super) fn retain_libraries(&mut self, keep: impl Fn(&str) -> bool) {
        self.libraries.retain(|name| keep(name));
    }

    pub(super) fn raise_to(&mut self, other: &Self) {
        for (provider, version) in other.iter() {
            self.raise(provider, version.clone());
        }
        self.libraries.extend(other.libraries.iter().cloned());
    }

    /// As the manifest has them: a version of the library is named by what gives it, if at all.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let versions = self.iter().map(|(provider, version)| (provider.as_str().to_owned(), version.to_string()));
        versions.chain(self.libraries.iter().map(|name| (name.clone(), "any".to_owned()))).collect()
    }
}

/// The newest versions that may be needed; what has no row here may be of any version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemCeilings(BTreeMap<SystemProvider, SymbolVersion>);

impl SystemCeilings {
    /// Ceilings for a runtime that must run on `oldest`; `None` means the platform's default.
    pub fn for_system(platform: PlatformKey, oldest: Option<SystemVersion>) -> Self {
        let oldest = oldest.or_else(|| default_ceiling(platform)).map(SymbolVersion::from);
        match (platform.os(), oldest) {
            (Os::Linux, Some(glibc)) => Self::for_glibc(glibc),
            (Os::Macos, Some(macos)) => Self([(SystemProvider::Macos, macos)].into()),
            // CPython itself needs 10.0 or nearly so, and Windows 11 has no other number.
            _ => Self([(SystemProvider::Windows, literal("10.0"))].into()),
        }
    }

    /// Adds the `libstdc++` that the manylinux policy of the same glibc promises.
    pub fn for_glibc(glibc: SymbolVersion) -> Self {
        // (glibc, GLIBCXX) of manylinux_2_17, _2_24, _2_28, _2_31, _2_34, _2_35 and _2_39.
        const PROMISED: [(&str, &str); 7] = [
            ("2.17", "3.4.19"),
            ("2.24", "3.4.22"),
            ("2.28", "3.4.24"),
            ("2.31", "3.4.28"),
            ("2.34", "3.4.29"),
            ("2.35", "3.4.30"),
            ("2.39", "3.4.33"),
        ];
        let promised = PROMISED.into_iter().rev().find(|(floor, _)| literal(floor) <= glibc);
        let glibcxx = literal(promised.map_or("3.4.19", |(_, glibcxx)| glibcxx));
        Self([(SystemProvider::Glibc, glibc), (SystemProvider::Glibcxx, glibcxx)].into())
    }

    pub(super) fn get(&self, provider: SystemProvider) -> Option<&SymbolVersion> {
        self.0.get(&provider)
    }
}

fn literal(text: &str) -> SymbolVersion {
    text.parse().expect("a literal version")
}
