//! The key of a built wheel, and keeping the wheel under it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use serde::Serialize;
use vocab::{Digest, PlatformKey, PythonVersion};

use super::requirement_supply;
use super::source::SourceIdentity;
use super::{BuiltWheel, SourceBuild, SourceBuildErrorKind};
use resolve::uv_settings::COMPILER_VARIABLES;
use store::Context;
use store::remote::ObjectKind;
use wheel::WheelFileName;

/// Raise it when this crate builds differently.
pub const BUILT_WHEEL_FORMAT: u32 = 2;
/// Name of the record in the folder of a built wheel.
pub const RECORD: &str = "built.json";

#[derive(Serialize)]
struct BuildInputs<'a> {
    format: u32,
    source: &'a SourceIdentity,
    base: Digest,
    platform: PlatformKey,
    python: PythonVersion,
    /// What compilers aim at and the repaired wheel is held to.
    system: Option<String>,
    /// With `{packageRoot}` in it, so that the key is the same on every machine.
    config_settings: &'a [String],
    build_requires: &'a [String],
    build_constraints: &'a [String],
    variables: BTreeMap<&'a str, &'a str>,
    repairer: &'a str,
}

pub(super) fn key(context: &Context, build: &SourceBuild<'_>, source: &SourceIdentity) -> Digest {
    let passed = build.pass_environment.iter().map(String::as_str);
    let variables = COMPILER_VARIABLES
        .iter()
        .copied()
        .chain(passed)
        .filter_map(|name| Some((name, context.environment.text(name)?)))
        .collect();
    let inputs = BuildInputs {
        format: BUILT_WHEEL_FORMAT,
        source,
        base: build.base_identity,
        platform: build.layout.platform,
        python: build.layout.python,
        system: build.system.map(|system| system.to_string()),
        config_settings: &build.config_settings,
        build_requires: &build.build_requires,
        build_constraints: &build.build_constraints,
        variables,
        // What only serves another build is not repaired.
        repairer: if build.within.is_empty() {
            super::repair::repairer(build.layout.platform, build.layout.python)
        } else {
            ""
        },
    };
    Digest::of(serde_json::to_string(&inputs).expect("plain data with text keys"))
}

/// The wheel in the store, if any. A damaged one is removed.
pub(super) fn recall(context: &Context, key: &Digest) -> Result<Option<BuiltWheel>, SourceBuildErrorKind> {
    let folder = context.store.built(key);
    if !folder.is_dir() {
        return Ok(None);
    }
    match verify_built(&folder) {
        Ok(wheel) => Ok(Some(wheel)),
        Err(reason) => {
            context.note(format!("the store's built wheel {} is made again: {reason}", key.short()));
            context.store.discard(&folder)?;
            Ok(None)
        }
    }
}

/// Checks a built wheel's folder in the store by its record: name, size and digest. The error is the reason why it
/// must not be used.
pub fn verify_built(folder: &Path) -> Result<BuiltWheel, String> {
    let text = fs::read(folder.join(RECORD)).map_err(|error| format!("its record cannot be read: {error}"))?;
    let mut wheel = read_record(&text)?;
    wheel.path = folder.join(&wheel.file_name);
    let read = File::open(&wheel.path).and_then(Digest::of_reader);
    let (digest, _) = read.map_err(|error| format!("`{}` cannot be read: {error}", wheel.file_name))?;
    if digest != wheel.sha256 {
        return Err(format!("`{}` has another content than its record says", wheel.file_name));
    }
    wheel.cached = true;
    Ok(wheel)
}

/// Reads a record of a built wheel, as the store and the remote store have it. The error is the reason why it must not
/// be used.
pub fn read_record(text: &[u8]) -> Result<BuiltWheel, String> {
    let wheel: BuiltWheel = vocab::typed_json::read(text).map_err(|error| format!("its record is damaged: {error}"))?;
    // It becomes part of a path.
    match wheel.file_name.parse::<WheelFileName>() {
        Ok(_) if !wheel.file_name.contains(['/', '\\']) => Ok(wheel),
        _ => Err(format!("`{}` is not a wheel's file name", wheel.file_name)),
    }
}

/// The wheel that another machine has built and shared.
pub(super) fn bring(
    context: &Context,
    build: &SourceBuild<'_>,
    key: &Digest,
) -> Result<Option<BuiltWheel>, SourceBuildErrorKind> {
    let Some(remote) = &context.remote else { return Ok(None) };
    let judge = |text: &[u8]| {
        let wheel = read_record(text)?;
        super::compile::check_name(build, Path::new(&wheel.file_name)).map_err(|error| error.to_string())?;
        Ok(wheel)
    };
    let Some(wheel) = remote.bring_record(&context.near(), ObjectKind::Built, key, judge) else { return Ok(None) };
    if !remote.bring_blob(&context.near(), &wheel.sha256, &wheel.file_name, Some(wheel.size)) {
        return Ok(None);
    }
    // Moved: the store keeps built wheels apart from downloaded ones.
    let sets = wheel.requirement_sets.clone();
    let blob = context.store.blob(&wheel.sha256);
    keep(context, key, &blob, &wheel.file_name, wheel.commit.as_deref(), sets).map(Some)
}

/// Shares the wheel with other machines. The wheel is put before its record, so that every record has its wheel.
pub(super) fn offer(context: &Context, key: &Digest, built: &BuiltWheel) {
    let Some(remote) = &context.remote else { return };
    if remote.offer_blob(&context.near(), &built.path, &built.sha256) {
        let record = serde_json::to_vec(built).expect("plain data");
        remote.offer_record(&context.near(), ObjectKind::Built, key, &record);
    }
}

/// The same for a wheel that was in the store before this run, with what it required.
pub(super) fn give(context: &Context, key: &Digest, built: &BuiltWheel) {
    requirement_supply::give_all(context, built.requirement_sets.as_deref().unwrap_or_default());
    if let Some(remote) = context.remote.as_deref() {
        let record = serde_json::to_vec(&built).expect("plain data");
        remote.give_built(&context.near(), key, &record, &built.path, &built.sha256);
    }
}

/// Moves a finished wheel into the store.
pub(super) fn keep(
    context: &Context,
    key: &Digest,
    wheel: &Path,
    file_name: &str,
    commit: Option<&str>,
    requirement_sets: Option<Vec<Digest>>,
) -> Result<BuiltWheel, SourceBuildErrorKind> {
    let store = &context.store;
    let disk = |action, source| SourceBuildErrorKind::disk(action, wheel, source);
    let file_name = file_name.to_owned();
    let file = File::open(wheel).map_err(|error| disk("read", error))?;
    let (sha256, size) = Digest::of_reader(file).map_err(|error| disk("read", error))?;
    let mut built = BuiltWheel {
        path: store.built(key).join(&file_name),
        file_name,
        sha256,
        size,
        commit: commit.map(str::to_owned),
        requirement_sets,
        cached: false,
        log: None,
    };
    let staged = store.stage_dir()?;
    let record = serde_json::to_string_pretty(&built).expect("plain data");
    disk::rename(wheel, &staged.path().join(&built.file_name)).map_err(|error| disk("move", error))?;
    fs::write(staged.path().join(RECORD), record + "\n").map_err(|error| disk("describe", error))?;
    store.publish_dir(staged, &store.built(key))?;
    // Another builder may have been faster, with other bytes: the one in the store counts.
    if let Some(kept) = recall(context, key)? {
        built = BuiltWheel { cached: false, ..kept };
    }
    Ok(built)
}

/// Records which sets of build requirements belong to a wheel that is in the store.
pub(super) fn record_sets(context: &Context, wheel: &BuiltWheel) -> Result<(), SourceBuildErrorKind> {
    let Some(folder) = wheel.path.parent() else { return Ok(()) };
    let path = folder.join(RECORD);
    let write = || {
        let mut staged = disk::FileBeside::beside(&path, ".record-")?;
        let record = serde_json::to_string_pretty(wheel).expect("plain data");
        std::io::Write::write_all(&mut staged, (record + "\n").as_bytes())?;
        staged.replace(&path)
    };
    if context.store.is_read_only() {
        return Ok(());
    }
    write().map_err(|error| SourceBuildErrorKind::disk("write", &path, error))
}
