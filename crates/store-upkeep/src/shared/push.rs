//! Gives the remote store what the local store has and it lacks.

use std::collections::BTreeMap;

use resolve::{AnsweredQuestions, Uv, fetch_tool_wheel};
use serde::Serialize;
use store::Context;
use store::remote::{ObjectKind, RemoteError, RemoteStore};
use vocab::{Digest, Fault, PlatformKey};
use wheel::WheelTarget;

use super::{Amount, Sound, Upkeep, local, travels, until_fault};
use crate::entries::{StoreEntry, entries};

/// The result of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pushed {
    pub given: Amount,
    /// What the remote store had already.
    pub there: Amount,
    /// Entries that are damaged in the local store and were not given, with the reason.
    pub damaged: Vec<String>,
    /// Objects whose name is taken by something of another size.
    pub taken: Vec<String>,
    /// Objects larger than the place accepts.
    pub too_large: Vec<String>,
    /// Tools that a builder on a machine to be served may need, which neither store has and which cannot be fetched, with
    /// the reason.
    pub absent: Vec<String>,
    /// Entries that were not reached.
    pub left: usize,
    /// The user asked to stop.
    pub interrupted: bool,
}

/// What became of one object.
enum Outcome {
    Given(u64),
    There(u64),
    Taken(String),
    TooLarge(String),
}

type Found = BTreeMap<(ObjectKind, Digest), u64>;

/// Reads every entry before it is given, so nothing damaged is shared. The wheel of uv for each of `hosts` is fetched
/// first if neither store has it: a builder that found uv on PATH never fetched one.
///
/// # Errors
/// A store cannot be listed. A later fault of the remote store ends the work and stands beside the report.
pub fn push(context: &Context, remote: &RemoteStore, hosts: &[PlatformKey]) -> Result<Upkeep<Pushed>, Box<dyn Fault>> {
    let found: Found =
        remote.contents()?.objects.into_iter().map(|object| ((object.kind, object.digest), object.size)).collect();
    let absent = hosts.iter().filter_map(|host| fetch_uv(context, &found, *host).err()).collect();
    let entries: Vec<(ObjectKind, StoreEntry)> =
        entries(&context.store)?.into_iter().filter_map(|entry| Some((travels(entry.kind)?, entry))).collect();
    let (results, fault) =
        until_fault(context, "push", &entries, |(kind, entry)| push_one(context, remote, &found, *kind, entry));
    let mut pushed = Pushed { interrupted: context.is_cancelled(), ..Pushed::default() };
    for ((kind, entry), result) in entries.iter().zip(results) {
        match result {
            None => pushed.left += 1,
            // Pruned meanwhile.
            Some(Err(_)) if !entry.path.exists() => {}
            Some(Err(reason)) => pushed.damaged.push(format!("{} {}: {reason}", kind.as_str(), entry.name)),
            Some(Ok(outcomes)) => outcomes.into_iter().for_each(|outcome| match outcome {
                Outcome::Given(bytes) => pushed.given.add(bytes),
                Outcome::There(bytes) => pushed.there.add(bytes),
                Outcome::Taken(name) => pushed.taken.push(name),
                Outcome::TooLarge(name) => pushed.too_large.push(name),
            }),
        }
    }
    pushed.absent = absent;
    Ok(Upkeep { report: pushed, fault })
}

/// The error names what is absent, and why.
fn fetch_uv(context: &Context, found: &Found, host: PlatformKey) -> Result<(), String> {
    let Some(tool) = resolve::pinned_uv(host) else { return Ok(()) };
    let is_there =
        |sha256: Digest| context.store.blob(&sha256).is_file() || found.contains_key(&(ObjectKind::Blobs, sha256));
    if tool.digests.iter().filter_map(|text| text.parse().ok()).any(is_there) {
        return Ok(());
    }
    let absent = |reason: &str| format!("{} {} for {host}: {reason}", tool.name, tool.version);
    if context.offline {
        return Err(absent("the network is not used"));
    }
    let Some(python) = interpreter::kept_python(context) else {
        return Err(absent("the store has no interpreter for this machine, with which it could be fetched"));
    };
    let uv = || Ok(Uv::find(context, &python.program, &AnsweredQuestions::default())?);
    // uv's wheels are for any Python.
    let target = WheelTarget::new(host, python.version);
    match fetch_tool_wheel(context, &tool, &target, uv) {
        Ok(_) => Ok(()),
        Err(fault) => Err(absent(&vocab::with_causes(fault.as_ref()))),
    }
}

/// The inner error is the reason why the local entry must not be shared.
fn push_one(
    context: &Context,
    remote: &RemoteStore,
    found: &Found,
    kind: ObjectKind,
    entry: &StoreEntry,
) -> Result<Result<Vec<Outcome>, String>, RemoteError> {
    let Ok(digest) = entry.name.parse::<Digest>() else { return Ok(Ok(Vec::new())) };
    if kind == ObjectKind::Built {
        return push_built(context, remote, found, entry, &digest);
    }
    if let Some(size) = found.get(&(kind, digest)) {
        // A blob is its bytes; the size of anything else depends on who wrote it.
        let local_size = std::fs::metadata(&entry.path).map_or(0, |metadata| metadata.len());
        let is_another = kind == ObjectKind::Blobs && local_size != *size;
        let name = || format!("{} {digest}", kind.as_str());
        return Ok(Ok(vec![if is_another { Outcome::Taken(name()) } else { Outcome::There(*size) }]));
    }
    match local(context, kind, &digest) {
        Ok(Some(sound)) => give(context, remote, kind, &digest, &sound).map(|outcome| Ok(vec![outcome])),
        Ok(None) => Ok(Ok(Vec::new())),
        Err(reason) => Ok(Err(reason)),
    }
}

/// The wheel goes before its record, so that every record has its wheel.
fn push_built(
    context: &Context,
    remote: &RemoteStore,
    found: &Found,
    entry: &StoreEntry,
    key: &Digest,
) -> Result<Result<Vec<Outcome>, String>, RemoteError> {
    let wheel = match source_build::verify_built(&entry.path) {
        Ok(wheel) => wheel,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut outcomes = Vec::new();
    outcomes.push(match found.get(&(ObjectKind::Blobs, wheel.sha256)) {
        Some(size) if *size == wheel.size => Outcome::There(*size),
        Some(_) => Outcome::Taken(format!("{} {}", ObjectKind::Blobs.as_str(), wheel.sha256)),
        None => give(context, remote, ObjectKind::Blobs, &wheel.sha256, &Sound::File(wheel.path, wheel.sha256))?,
    });
    if outcomes.iter().any(|outcome| !matches!(outcome, Outcome::Given(_) | Outcome::There(_))) {
        return Ok(Ok(outcomes));
    }
    if let Some(size) = found.get(&(ObjectKind::Built, *key)) {
        outcomes.push(Outcome::There(*size));
        return Ok(Ok(outcomes));
    }
    match local(context, ObjectKind::Built, key) {
        Ok(Some(record)) => outcomes.push(give(context, remote, ObjectKind::Built, key, &record)?),
        Ok(None) => {}
        Err(reason) => return Ok(Err(reason)),
    }
    Ok(Ok(outcomes))
}

fn give(
    context: &Context,
    remote: &RemoteStore,
    kind: ObjectKind,
    digest: &Digest,
    sound: &Sound,
) -> Result<Outcome, RemoteError> {
    let name = || format!("{} {digest}", kind.as_str());
    match remote.give(&context.near(), kind, digest, sound.path(), sound.sha256()) {
        Ok(true) => Ok(Outcome::Given(sound.size())),
        // Another builder was faster.
        Ok(false) => Ok(Outcome::There(sound.size())),
        Err(error) if error.is_of_object() => Ok(Outcome::Taken(name())),
        Err(error) if error.is_too_large() => Ok(Outcome::TooLarge(name())),
        Err(error) => Err(error),
    }
}
