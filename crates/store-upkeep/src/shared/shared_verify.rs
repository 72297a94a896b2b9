//! Reads every object of the remote store and compares it with its digest.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::Serialize;
use store::Context;
use store::remote::{ObjectKind, RemoteError, RemoteStore, SharedObject};
use vocab::{Digest, Fault};

use super::{Upkeep, local, until_fault};

/// What became of a damaged object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Repair {
    /// It was only to be reported.
    Kept,
    /// By what the local store has.
    Replaced,
    /// The next build that has or makes it gives it again.
    Removed,
}

/// One damaged object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SharedDamage {
    pub object: String,
    pub reason: String,
    pub repair: Repair,
}

/// The result of verifying a remote store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SharedVerified {
    pub checked: usize,
    /// In bytes.
    pub read: u64,
    /// Objects with names that no builder gives; they were not read.
    pub others: usize,
    pub damaged: Vec<SharedDamage>,
    /// Objects that were not reached.
    pub left: usize,
    /// The user asked to stop.
    pub interrupted: bool,
}

/// With `repair`, what the local store has replaces damaged objects, and the others are removed.
///
/// # Errors
/// The remote store cannot be listed. A later fault of it ends the work and stands beside the report.
pub fn verify_shared(
    context: &Context,
    remote: &RemoteStore,
    repair: bool,
) -> Result<Upkeep<SharedVerified>, Box<dyn Fault>> {
    let contents = remote.contents()?;
    let mut verified = SharedVerified { others: contents.others, ..SharedVerified::default() };
    // A record is compared with the wheels that are left when the damaged ones are gone.
    let (records, others): (Vec<SharedObject>, Vec<SharedObject>) =
        contents.objects.into_iter().partition(|object| object.kind == ObjectKind::Built);
    let mut wheels: BTreeSet<Digest> =
        others.iter().filter(|object| object.kind == ObjectKind::Blobs).map(|object| object.digest).collect();
    let mut fault = None;
    for objects in [others, records] {
        let (results, failed) = until_fault(context, "verify", &objects, |object| {
            if fault.is_some() {
                return Ok(None);
            }
            verify_one(context, remote, object, &wheels, repair).map(Some)
        });
        for (object, result) in objects.iter().zip(results) {
            match result.flatten() {
                None => verified.left += 1,
                Some(Finding::Gone) => {}
                Some(Finding::Sound) => {
                    verified.checked += 1;
                    verified.read += object.size;
                }
                Some(Finding::Damaged(damage)) => {
                    verified.checked += 1;
                    verified.read += object.size;
                    if damage.repair == Repair::Removed {
                        wheels.remove(&object.digest);
                    }
                    verified.damaged.push(damage);
                }
            }
        }
        fault = fault.or(failed);
    }
    verified.damaged.sort_by(|one, other| one.object.cmp(&other.object));
    verified.interrupted = context.is_cancelled();
    Ok(Upkeep { report: verified, fault })
}

enum Finding {
    Sound,
    /// Removed while this ran.
    Gone,
    Damaged(SharedDamage),
}

fn verify_one(
    context: &Context,
    remote: &RemoteStore,
    object: &SharedObject,
    wheels: &BTreeSet<Digest>,
    repair: bool,
) -> Result<Finding, RemoteError> {
    let judged = match remote.copy(&context.near(), object) {
        Ok(Some(copy)) => {
            let judged = judge(context, object, copy.path(), wheels);
            judged.map_err(|source| remote.fault_here(object, copy.path(), source))?
        }
        Ok(None) => return Ok(Finding::Gone),
        Err(error) if error.is_of_object() => Some(error.kind.to_string()),
        Err(error) => return Err(error),
    };
    let Some(reason) = judged else { return Ok(Finding::Sound) };
    let mut damage = SharedDamage { object: object.name(), reason, repair: Repair::Kept };
    if repair {
        damage.repair = match local(context, object.kind, &object.digest) {
            // A record without its wheel would be wrong again.
            Ok(Some(sound)) if object.kind != ObjectKind::Built || names_one_of(sound.path(), wheels) => {
                remote.replace(&context.near(), object, sound.path(), sound.sha256())?;
                Repair::Replaced
            }
            _ => {
                remote.remove(object)?;
                Repair::Removed
            }
        };
    }
    Ok(Finding::Damaged(damage))
}

fn names_one_of(record: &Path, wheels: &BTreeSet<Digest>) -> bool {
    let text = fs::read(record).unwrap_or_default();
    source_build::read_record(&text).is_ok_and(|wheel| wheels.contains(&wheel.sha256))
}

/// The reason why the copy must not be used, if there is one. The error is a fault of this machine, such as a full disk,
/// and says nothing about the object.
fn judge(
    context: &Context,
    object: &SharedObject,
    copy: &Path,
    wheels: &BTreeSet<Digest>,
) -> io::Result<Option<String>> {
    Ok(match object.kind {
        ObjectKind::Blobs => {
            let (found, _) = File::open(copy).and_then(Digest::of_reader)?;
            (found != object.digest).then(|| format!("its content has the digest {found}"))
        }
        ObjectKind::Parts => {
            let is_sound = archive::check_part(copy, &object.digest).is_some();
            (!is_sound).then(|| "it is damaged, or another part".to_owned())
        }
        ObjectKind::Bases => interpreter::check_shared(context, copy)?.err(),
        ObjectKind::Built => match source_build::read_record(&fs::read(copy)?) {
            Ok(wheel) if wheels.contains(&wheel.sha256) => None,
            Ok(wheel) => Some(format!("its wheel `{}` ({}) is missing", wheel.file_name, wheel.sha256.short())),
            Err(reason) => Some(reason),
        },
    })
}
