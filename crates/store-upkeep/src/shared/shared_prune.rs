//! Removes what was written to the remote store long ago.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use store::Context;
use store::remote::{ObjectKind, RemoteError, RemoteStore, SharedObject};
use vocab::{Digest, Fault};

use super::{Amount, GRACE, Upkeep, until_fault};

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

/// Objects written at least `older_than` ago, and never less than [`GRACE`], go, except wheels that a younger record
/// names. Builders may give and take at the same time: each object is looked at once more before it goes, and records
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
        old.into_iter().partition(|object| object.kind == ObjectKind::Built);
    let mut fault = None;
    for mut objects in [records, others] {
        let is_old = |kind| objects.iter().any(|object| object.kind == kind);
        if fault.is_none() && is_old(ObjectKind::Blobs) {
            let (needed, failed) = needed_wheels(context, remote, older_than, now);
            fault = failed;
            objects.retain(|object| {
                let is_needed = object.kind == ObjectKind::Blobs && needed.contains(&object.digest);
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

/// The wheels that records name which are there now and stay. A damaged record names none.
fn needed_wheels(
    context: &Context,
    remote: &RemoteStore,
    older_than: Duration,
    now: SystemTime,
) -> (BTreeSet<Digest>, Option<Box<dyn Fault>>) {
    let mut records = match remote.contents() {
        Ok(contents) => contents.objects,
        Err(error) => return (BTreeSet::new(), Some(error.into())),
    };
    records.retain(|object| {
        let age = now.duration_since(object.modified).unwrap_or_default();
        object.kind == ObjectKind::Built && age < older_than
    });
    let (wheels, fault) = until_fault(context, "prune", &records, |object| -> Result<Option<Digest>, RemoteError> {
        let copy = match remote.copy(&context.near(), object) {
            Ok(copy) => copy,
            Err(error) if error.is_of_object() => None,
            Err(error) => return Err(error),
        };
        let text = copy.and_then(|copy| std::fs::read(copy.path()).ok()).unwrap_or_default();
        Ok(source_build::read_record(&text).ok().map(|wheel| wheel.sha256))
    });
    (wheels.into_iter().flatten().flatten().collect(), fault)
}
