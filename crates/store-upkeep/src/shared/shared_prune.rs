//! Removes what was written to the remote store long ago.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use store::Context;
use store::remote::{ObjectKind, RemoteError, RemoteStore, SharedObject};
use vocab::{Digest, Fault};

use super::{Amount, Upkeep, until_fault};

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

/// Objects written at least `older_than` ago go, except wheels that a younger record names.
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
    let age = |object: &SharedObject| now.duration_since(object.modified).unwrap_or_default();
    let (old, young): (Vec<SharedObject>, Vec<SharedObject>) =
        remote.contents()?.objects.into_iter().partition(|object| age(object) >= older_than);
    let mut pruned = SharedPruned::default();
    let (needed, fault) = needed_wheels(context, remote, &young);
    let (needed, old): (Vec<SharedObject>, Vec<SharedObject>) =
        old.into_iter().partition(|object| object.kind == ObjectKind::Blobs && needed.contains(&object.digest));
    young.iter().chain(&needed).for_each(|object| pruned.kept.add(object.size));
    if let Some(fault) = fault {
        pruned.left = old.len();
        return Ok(Upkeep { report: pruned, fault: Some(fault) });
    }
    // Records first: an interruption leaves none without its wheel.
    let (records, others): (Vec<SharedObject>, Vec<SharedObject>) =
        old.into_iter().partition(|object| object.kind == ObjectKind::Built);
    let mut fault = None;
    for objects in [records, others] {
        let (results, failed) = until_fault(context, "prune", &objects, |object| match fault {
            Some(_) => Ok(None),
            None if dry_run => Ok(Some(true)),
            None => remote.remove(object).map(Some),
        });
        for (object, result) in objects.iter().zip(results) {
            match result.flatten() {
                None => {
                    pruned.left += 1;
                    pruned.kept.add(object.size);
                }
                // Another prune was faster.
                Some(false) => {}
                Some(true) => {
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

/// The wheels that these records name. A damaged record names none.
fn needed_wheels(
    context: &Context,
    remote: &RemoteStore,
    objects: &[SharedObject],
) -> (BTreeSet<Digest>, Option<Box<dyn Fault>>) {
    let records: Vec<&SharedObject> = objects.iter().filter(|object| object.kind == ObjectKind::Built).collect();
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
