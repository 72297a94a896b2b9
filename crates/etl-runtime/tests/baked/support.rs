//! A runtime of a few files, a place of deltas, a context.

use std::fs;
use std::path::{Path, PathBuf};

use config_merger::Requirement;
use etl_runtime::delta::{DELTA_FORMAT, DeltaFile, DeltaRecord, delta_name, requirement_line};
use etl_runtime::{RuntimeFacts, package_list};
use store::Context;
use testkit::FixtureFile;
use vocab::{Digest, PlatformKey, Work};

pub struct Bench {
    pub folder: tempfile::TempDir,
    pub runtime: RuntimeFacts,
    pub context: Context,
}

impl Bench {
    /// The runtime has these distributions: name and version. Nothing is on PATH.
    pub fn new(installed: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("runtime");
        let site = prefix.join("lib/python3.12/site-packages");
        fs::create_dir_all(&site).unwrap();
        testkit::write(&prefix, "bin/python3", "");
        for (name, version) in installed {
            let metadata = format!("Name: {name}\nVersion: {version}\n");
            testkit::write(&site, &format!("{name}-{version}.dist-info/METADATA"), metadata);
        }
        let runtime = RuntimeFacts::of_interpreter(&prefix.join("bin/python3")).unwrap();
        let context = online(Context::quiet(folder.path().join("store")));
        Self { folder, runtime, context }
    }

    pub fn place(&self) -> PathBuf {
        self.folder.path().join("place")
    }

    pub fn overlay(&self) -> PathBuf {
        self.folder.path().join("work/overlay")
    }

    /// No overlay, and nothing beside it.
    pub fn assert_nothing_is_installed(&self) {
        let left = fs::read_dir(self.folder.path().join("work")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "an overlay, or an unfinished one");
    }
}

/// The quiet context keeps away from servers.
pub fn online(context: Context) -> Context {
    Context { work: Work { offline: false, ..context.work.clone() }, ..context }
}

pub fn requirements(text: &str) -> Vec<Requirement> {
    package_list::parse(text).unwrap()
}

pub fn record(packages: &str, wheels: &[FixtureFile]) -> DeltaRecord {
    let file = |wheel: &FixtureFile| DeltaFile {
        name: wheel.file_name.parse().unwrap(),
        size: wheel.size(),
        sha256: wheel.sha256(),
        byte_code: None,
    };
    let mut lines: Vec<String> = requirements(packages).iter().map(requirement_line).collect();
    lines.sort();
    DeltaRecord {
        format: DELTA_FORMAT,
        python: "3.12".to_owned(),
        platform: PlatformKey::host().unwrap(),
        requirements: lines,
        relies_on: std::collections::BTreeMap::new(),
        files: wheels.iter().map(file).collect(),
    }
}

/// Lays out a delta as docs/formats/delta.md says; its digest.
pub fn lay_out(place: &Path, packages: &str, record: &DeltaRecord, wheels: &[FixtureFile]) -> Digest {
    for wheel in wheels {
        testkit::write(place, &blob_of(&wheel.sha256()), &wheel.bytes);
    }
    let text = record.text();
    let sha256 = Digest::of(&text);
    let name = delta_name("3.12", PlatformKey::host().unwrap(), &requirements(packages));
    testkit::write(place, &format!("deltas/{sha256}.json"), &text);
    testkit::write(place, &format!("deltas/for/{name}.json"), &text);
    sha256
}

pub fn blob_of(sha256: &Digest) -> String {
    let text = sha256.to_string();
    format!("v1/blobs/{}/{text}", &text[..2])
}
