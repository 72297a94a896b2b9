//! Removes what was written to the remote store long ago.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use store::Context;
use store::remote::{ObjectKind, RemoteError, RemoteStore, SharedObject};
use vocab::{Digest, Fault};

use super::{Amount, GRACE, Upkeep, is_record, named_wheels, until_fault};

/// What interrupted writers left is kept this long: another writer may still be at work on it.
const LEFTOVERS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The result of pruning a remote store; with `dry_run`, what would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SharedPruned {
    pub removed: Vec<SharedRemoval>,
    pub freed: u64,
    /// What stays.
    pub kept: Amount,
    /// Unfinished files of killed writers.
    pub leftovers: usize,
    /// Objects that are old and were not reached.
    pub left: usize,
    /// The user asked to stop.
    pub interrupted: bool,
}

/// One removed object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SharedRemoval {
    pub object: String,
    pub bytes: u64,
    /// Since it was written, in seconds.
    pub age_seconds: u64,
}

/// Objects written at least `older_than` ago, and never less than [`GRACE`], go, except what a younger record
/// names: wheels, and the build requirements of a built wheel with theirs. Builders may give and take at the same time: each object is looked at once more before it goes, and records
/// that have come are read before any wheel goes.
///
/// # Errors
/// The remote store cannot be listed. A later fault of it ends the work and stands beside the report.
pub fn prune_shared(
    context: &Context,
    remote: &RemoteStore,
    older_than: Duration,
    dry_run: bool,
    now: SystemTime,
) -> Result<Upkeep<SharedPruned>, Box<dyn Fault>> {
    let older_than = older_than.max(GRACE);
    let age_at = |time: SystemTime| now.duration_since(time).unwrap_or_default();
    let age = |object: &SharedObject| age_at(object.modified);
    let (old, young): (Vec<SharedObject>, Vec<SharedObject>) =
        remote.contents()?.objects.into_iter().partition(|object| age(object) >= older_than);
    let mut pruned = SharedPruned::default();
    young.iter().for_each(|object| pruned.kept.add(object.size));
    // Records first: an interruption leaves none without its wheel.
    let (records, others): (Vec<SharedObject>, Vec<SharedObject>) =
        old.into_iter().partition(|object| is_record(object.kind));
    let mut fault = None;
    for mut objects in [records, others] {
        let is_named = |object: &SharedObject| matches!(object.kind, ObjectKind::Blobs | ObjectKind::Requirements);
        if fault.is_none() && objects.iter().any(is_named) {
            let (needed, failed) = needed(context, remote, older_than, now);
            fault = failed;
            objects.retain(|object| {
                let is_needed = needed.contains(&(object.kind, object.digest));
                if is_needed {
                    pruned.kept.add(object.size);
                }
                !is_needed
            });
        }
        let (results, failed) = until_fault(context, "prune", &objects, |object| match fault {
            Some(_) => Ok(Removed::NotReached),
            None if dry_run => Ok(Removed::Gone),
            None => remove(remote, object, |written| age_at(written) >= older_than),
        });
        for (object, result) in objects.iter().zip(results) {
            match result.unwrap_or(Removed::NotReached) {
                Removed::NotReached => {
                    pruned.left += 1;
                    pruned.kept.add(object.size);
                }
                Removed::WrittenAgain => pruned.kept.add(object.size),
                Removed::ByAnother => {}
                Removed::Gone => {
                    pruned.freed += object.size;
                    let (object, bytes, age_seconds) = (object.name(), object.size, age(object).as_secs());
                    pruned.removed.push(SharedRemoval { object, bytes, age_seconds });
                }
            }
        }
        fault = fault.or(failed);
    }
    if fault.is_none() && !context.is_cancelled() {
        let before = now.checked_sub(older_than.max(LEFTOVERS_KEPT)).unwrap_or(SystemTime::UNIX_EPOCH);
        match remote.remove_leftovers(before, dry_run) {
            Ok(count) => pruned.leftovers = count,
            Err(error) => fault = Some(error.into()),
        }
    }
    pruned.interrupted = context.is_cancelled();
    Ok(Upkeep { report: pruned, fault })
}

/// What became of an object that is to go.
enum Removed {
    Gone,
    /// Another prune was faster.
    ByAnother,
    /// It has been written since it was listed, in a cluster also read.
    WrittenAgain,
    NotReached,
}

fn remove(
    remote: &RemoteStore,
    object: &SharedObject,
    is_old: impl Fn(SystemTime) -> bool,
) -> Result<Removed, RemoteError> {
    match remote.written(object)? {
        None => Ok(Removed::ByAnother),
        Some(written) if !is_old(written) => Ok(Removed::WrittenAgain),
        Some(_) => Ok(if remote.remove(object)? { Removed::Gone } else { Removed::ByAnother }),
    }
}

type Named = BTreeSet<(ObjectKind, Digest)>;

/// What the records name which are there now and stay: wheels, and the build requirements of built wheels with theirs.
/// A damaged record names nothing.
fn needed(
    context: &Context,
    remote: &RemoteStore,
    older_than: Duration,
    now: SystemTime,
) -> (Named, Option<Box<dyn Fault>>) {
    let records: Vec<SharedObject> = match remote.contents() {
        Ok(contents) => contents.objects.into_iter().filter(|object| is_record(object.kind)).collect(),
        Err(error) => return (Named::new(), Some(error.into())),
    };
    let age = |object: &SharedObject| now.duration_since(object.modified).unwrap_or_default();
    let (young, old): (Vec<SharedObject>, Vec<SharedObject>) =
        records.into_iter().partition(|object| age(object) < older_than);
    let (mut needed, fault) = named_by(context, remote, &young);
    if fault.is_some() {
        return (needed, fault);
    }
    let sets: Vec<SharedObject> =
        old.into_iter().filter(|object| needed.contains(&(object.kind, object.digest))).collect();
    let (of_sets, fault) = named_by(context, remote, &sets);
    needed.extend(of_sets);
    (needed, fault)
}

fn named_by(context: &Context, remote: &RemoteStore, records: &[SharedObject]) -> (Named, Option<Box<dyn Fault>>) {
    let (named, fault) = until_fault(context, "prune", records, |object| -> Result<Named, RemoteError> {
        let copy = match remote.copy(&context.near(), object) {
            Ok(copy) => copy,
            Err(error) if error.is_of_object() => None,
            Err(error) => return Err(error),
        };
        let text = copy.and_then(|copy| std::fs::read(copy.path()).ok()).unwrap_or_default();
        let wheels = named_wheels(object.kind, &object.digest, &text).unwrap_or_default();
        let mut named: Named = wheels.into_iter().map(|(_, sha256)| (ObjectKind::Blobs, sha256)).collect();
        if let (ObjectKind::Built, Ok(wheel)) = (object.kind, source_build::read_record(&text)) {
            let sets = wheel.requirement_sets.unwrap_or_default();
            named.extend(sets.into_iter().map(|key| (ObjectKind::Requirements, key)));
        }
        Ok(named)
    });
    (named.into_iter().flatten().flatten().collect(), fault)
}
