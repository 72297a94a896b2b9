//! Under what a built wheel is kept, and keeping it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use serde::Serialize;
use vocab::{Digest, PlatformKey, PythonVersion};

use super::source::Identity;
use super::{BuiltWheel, SourceBuild, SourceBuildErrorKind};
use crate::Context;
use crate::store::Store;

/// Raised when this crate starts to build differently.
const BUILD_FORMAT: u32 = 1;
const RECORD: &str = "built.json";

/// Variables that compilers and build back ends take as orders.
const VARIABLES: [&str; 13] = [
    "AR",
    "ARCHFLAGS",
    "CC",
    "CFLAGS",
    "CMAKE_ARGS",
    "CPPFLAGS",
    "CXX",
    "CXXFLAGS",
    "LDFLAGS",
    "MACOSX_DEPLOYMENT_TARGET",
    "RUSTFLAGS",
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "SOURCE_DATE_EPOCH",
];

#[derive(Serialize)]
struct Inputs<'a> {
    format: u32,
    source: &'a Identity,
    base: Digest,
    platform: PlatformKey,
    python: PythonVersion,
    /// With `{packageRoot}` in it, so that the key is the same on every machine.
    config_settings: &'a [String],
    build_requires: &'a [String],
    build_constraints: &'a [String],
    variables: BTreeMap<&'a str, &'a str>,
    repairer: &'a str,
}

pub(super) fn key(context: &Context, build: &SourceBuild<'_>, source: &Identity) -> Digest {
    let variables = VARIABLES.iter().filter_map(|name| Some((*name, context.environment.text(name)?))).collect();
    let inputs = Inputs {
        format: BUILD_FORMAT,
        source,
        base: build.base_identity,
        platform: build.layout.platform,
        python: build.layout.python,
        config_settings: &build.config_settings,
        build_requires: &build.build_requires,
        build_constraints: &build.build_constraints,
        variables,
        repairer: super::repair::repairer(build.layout.platform),
    };
    Digest::of(serde_json::to_string(&inputs).expect("plain data with text keys"))
}

/// `None` when there is none. A damaged one is thrown away.
pub(super) fn recall(store: &Store, key: &Digest) -> Result<Option<BuiltWheel>, SourceBuildErrorKind> {
    let folder = store.built(key);
    if !folder.is_dir() {
        return Ok(None);
    }
    let read = || -> Option<BuiltWheel> {
        let text = fs::read_to_string(folder.join(RECORD)).ok()?;
        let mut wheel: BuiltWheel = serde_json::from_str(&text).ok()?;
        wheel.path = folder.join(&wheel.file_name);
        let (digest, _) = Digest::of_reader(File::open(&wheel.path).ok()?).ok()?;
        wheel.cached = true;
        (digest == wheel.sha256).then_some(wheel)
    };
    match read() {
        Some(wheel) => Ok(Some(wheel)),
        None => {
            store.discard(&folder)?;
            Ok(None)
        }
    }
}

/// Moves a finished wheel into the store.
pub(super) fn keep(
    store: &Store,
    key: &Digest,
    wheel: &Path,
    commit: Option<&str>,
) -> Result<BuiltWheel, SourceBuildErrorKind> {
    let disk = |action, source| SourceBuildErrorKind::disk(action, wheel, source);
    let file_name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = File::open(wheel).map_err(|error| disk("read", error))?;
    let (sha256, size) = Digest::of_reader(file).map_err(|error| disk("read", error))?;
    let mut built = BuiltWheel {
        path: store.built(key).join(&file_name),
        file_name,
        sha256,
        size,
        commit: commit.map(str::to_owned),
        cached: false,
        log: None,
    };
    let staged = store.stage_dir()?;
    let record = serde_json::to_string_pretty(&built).expect("plain data");
    fs::rename(wheel, staged.path().join(&built.file_name)).map_err(|error| disk("move", error))?;
    fs::write(staged.path().join(RECORD), record + "\n").map_err(|error| disk("describe", error))?;
    store.publish_dir(staged, &store.built(key))?;
    // Another builder may have been faster, with other bytes: what lies in the store counts.
    if let Some(kept) = recall(store, key)? {
        built = BuiltWheel { cached: false, ..kept };
    }
    Ok(built)
}
