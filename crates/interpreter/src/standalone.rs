//! Source `python-build-standalone`: a table of releases, each pinned by its SHA-256, from upstream or a mirror.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use config_merger::BaseSource;
use serde::Deserialize;
use vocab::{Digest, PlatformKey, PythonVersion};

use super::choose::Answer;
use super::mirror::Mirror;
use super::probe::{Probe, probe};
use super::provide::{identity, is_at_hand};
use super::request::{BaseRequest, Supply};
use store::Context;

/// Which file has which Python for which platform. Source: uv's recorded metadata of upstream's releases; one row
/// for each version and platform, the newest release that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ReleaseTable(pub BTreeMap<PythonVersion, BTreeMap<PlatformKey, Release>>);

/// One pinned file of a python-build-standalone release.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// `<tag>/<asset>` below the release folder, with a literal `+`.
    pub path: String,
    pub sha256: Digest,
}

static EMBEDDED: LazyLock<ReleaseTable> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/python-build-standalone.json"))
        .expect("the table is part of this program and a test reads it")
});

impl ReleaseTable {
    /// The table in this repository, `data/python-build-standalone.json`.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// The pinned file of exactly this version for this platform.
    pub fn release(&self, python: PythonVersion, platform: PlatformKey) -> Option<&Release> {
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

impl Release {
    pub(super) fn tag(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    fn asset(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

fn table(request: &BaseRequest) -> &ReleaseTable {
    request.table.as_ref().unwrap_or_else(|| ReleaseTable::embedded())
}

/// The nearest release that could be named instead.
pub(super) fn nearest(request: &BaseRequest) -> Option<PythonVersion> {
    table(request).nearest(request.python, request.platform)
}

pub(super) fn ask(context: &Context, request: &BaseRequest) -> Answer {
    let Some(release) = table(request).release(request.python, request.platform) else {
        return Answer::Lacks(match nearest(request) {
            Some(nearest) => format!("has no build of {}; the nearest is {nearest}", request.python),
            None => format!("has no build of Python {} for {}", request.python.series(), request.platform),
        });
    };
    if let Some(tag) = request.tag.as_deref().filter(|tag| *tag != release.tag()) {
        return Answer::Lacks(format!(
            "release {tag} has no digest in the table, which has {} from release {}",
            request.python,
            release.tag()
        ));
    }
    let mirror = Mirror::new(request.mirror.as_deref());
    let url = mirror.url_of(&release.path);
    let has = |url: Option<String>| Answer::Has {
        version: request.python,
        origin: release.asset().to_owned(),
        supply: Supply::Archive {
            // Without a URL only what the store or the remote store has can be used, and that was just looked up.
            url: url.unwrap_or_default(),
            file_name: release.asset().to_owned(),
            sha256: release.sha256,
        },
    };
    let present = is_at_hand(context, &identity(BaseSource::PythonBuildStandalone, &release.sha256, request.platform))
        || store::download::is_at_hand(context, &release.sha256);
    if present {
        return has(url);
    }
    let Some(url) = url else {
        return Answer::Lacks(format!("{} does not hold `{}`", mirror.describe(), release.path));
    };
    if matches!(mirror, Mirror::Folder(_)) {
        return has(Some(url));
    }
    match probe(context, &mirror.describe(), &url) {
        Probe::There => has(Some(url)),
        Probe::Answered(status) => {
            Answer::Lacks(format!("{} answered {status} for `{}`", mirror.describe(), release.path))
        }
        Probe::Unreachable(reason) => Answer::Lacks(format!("{} cannot be reached: {reason}", mirror.describe())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> PythonVersion {
        text.parse().unwrap()
    }

    #[test]
    fn every_row_of_the_table_names_a_release_file_of_its_version_and_platform() {
        let table = ReleaseTable::embedded();
        assert_eq!(table.0.len(), 89);
        for (python, platforms) in &table.0 {
            for (platform, release) in platforms {
                let asset = release.asset();
                assert!(asset.starts_with(&format!("cpython-{python}+{}-", release.tag())), "for {asset}");
                assert!(asset.contains(platform.triple()), "for {asset}");
            }
        }
    }

    #[test]
    fn the_pinned_digests_are_those_of_the_specification() {
        let release = |python, platform| ReleaseTable::embedded().release(version(python), platform).unwrap();
        let row = release("3.12.10", PlatformKey::LinuxX64);
        assert_eq!(row.sha256.to_string(), "f50d08e0304b15d752b22932047135c1dc02f81977b284e51288be9d90627bca");
        let row = release("3.10.11", PlatformKey::WindowsX64);
        assert_eq!(row.sha256.to_string(), "9c2d3604a06fcd422289df73015cd00e7271d90de28d2c910f0e2309a7f73a68");
    }

    #[test]
    fn t4_the_nearest_release_of_a_version_without_build_is_named() {
        let cases = [
            // (asked, nearest)
            ("3.10.1", Some("3.10.2")),
            ("3.10.10", Some("3.10.11")),
            ("3.12.99", Some("3.12.14")),
            ("3.99.0", None),
        ];
        for (asked, nearest) in cases {
            let found = ReleaseTable::embedded().nearest(version(asked), PlatformKey::LinuxX64);
            assert_eq!(found, nearest.map(version), "for {asked}");
        }
    }
}
