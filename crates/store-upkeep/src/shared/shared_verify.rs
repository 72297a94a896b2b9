//! Reads every object of the remote store and compares it with its digest.
//!
//! Builders may give and take at the same time. So nothing is concluded from the listing alone: whether a record has its
//! wheel is asked when it is judged, and what is damaged is removed only if it is still the same object.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;
use store::Context;
use store::remote::{ObjectKind, RemoteError, RemoteStore, SharedObject};
use vocab::{Digest, Fault};

use super::{GRACE, Upkeep, is_record, local, named_wheels, until_fault};

/// What became of a damaged object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Repair {
    /// It was only to be reported, or was replaced by another meanwhile.
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
    now: SystemTime,
) -> Result<Upkeep<SharedVerified>, Box<dyn Fault>> {
    let contents = remote.contents()?;
    let mut verified = SharedVerified { others: contents.others, ..SharedVerified::default() };
    // A record is compared with the wheels that are left when the damaged ones are gone.
    let (records, others): (Vec<SharedObject>, Vec<SharedObject>) =
        contents.objects.into_iter().partition(|object| is_record(object.kind));
    let mut fault = None;
    for objects in [others, records] {
        let (results, failed) = until_fault(context, "verify", &objects, |object| {
            if fault.is_some() {
                return Ok(None);
            }
            verify_one(&Verifying { context, remote, now }, object, repair).map(Some)
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

struct Verifying<'a> {
    context: &'a Context,
    remote: &'a RemoteStore,
    now: SystemTime,
}

fn verify_one(verifying: &Verifying<'_>, object: &SharedObject, repair: bool) -> Result<Finding, RemoteError> {
    let Verifying { context, remote, .. } = verifying;
    let reason = match verifying.found(object)? {
        Some(Some(reason)) => reason,
        Some(None) => return Ok(Finding::Sound),
        None => return Ok(Finding::Gone),
    };
    let mut damage = SharedDamage { object: object.name(), reason, repair: Repair::Kept };
    if repair {
        damage.repair = match local(context, object.kind, &object.digest) {
            // A record without its wheel would be wrong again.
            Ok(Some(sound)) if !is_record(object.kind) || verifying.has_wheels_of(object, sound.path())? => {
                remote.replace(&context.near(), object, sound.path(), sound.sha256())?;
                Repair::Replaced
            }
            _ => match verifying.remove(object)? {
                Some(repair) => repair,
                None => return Ok(Finding::Gone),
            },
        };
    }
    Ok(Finding::Damaged(damage))
}

impl Verifying<'_> {
    /// What is wrong with what has this name now, if anything is. `None` if nothing has it any more.
    fn found(&self, object: &SharedObject) -> Result<Option<Option<String>>, RemoteError> {
        match self.remote.copy(&self.context.near(), object) {
            Ok(Some(copy)) if is_record(object.kind) => self.judge_record(object, copy.path()).map(Some),
            Ok(Some(copy)) => {
                let judged = judge(self.context, object, copy.path());
                judged.map(Some).map_err(|source| self.remote.fault_here(object, copy.path(), source))
            }
            Ok(None) => Ok(None),
            Err(error) if error.is_of_object() => Ok(Some(Some(error.kind.to_string()))),
            Err(error) => Err(error),
        }
    }

    /// Its wheels were put before it. Whoever wrote a record within [`GRACE`] may be at work on both.
    fn judge_record(&self, object: &SharedObject, copy: &Path) -> Result<Option<String>, RemoteError> {
        let text = fs::read(copy).map_err(|source| self.remote.fault_here(object, copy, source))?;
        let wheels = match named_wheels(object.kind, &object.digest, &text) {
            Ok(wheels) => wheels,
            Err(reason) => return Ok(Some(reason)),
        };
        if self.now.duration_since(object.modified).is_ok_and(|age| age < GRACE) {
            return Ok(None);
        }
        let missing = self.missing(wheels)?;
        Ok(missing.map(|(file, sha256)| format!("its wheel `{file}` ({}) is missing", sha256.short())))
    }

    fn has_wheels_of(&self, object: &SharedObject, record: &Path) -> Result<bool, RemoteError> {
        let text = fs::read(record).unwrap_or_default();
        match named_wheels(object.kind, &object.digest, &text) {
            Ok(wheels) => Ok(self.missing(wheels)?.is_none()),
            Err(_) => Ok(false),
        }
    }

    /// The first of these wheels that is not there.
    fn missing(&self, wheels: Vec<(String, Digest)>) -> Result<Option<(String, Digest)>, RemoteError> {
        for (file, sha256) in wheels {
            if !self.remote.is_there(ObjectKind::Blobs, &sha256)? {
                return Ok(Some((file, sha256)));
            }
        }
        Ok(None)
    }

    /// Removes what is damaged, if it is that still: a builder, or another repair, may have put a sound one. `None` if
    /// it is not damaged any more.
    fn remove(&self, object: &SharedObject) -> Result<Option<Repair>, RemoteError> {
        let state = self.remote.state_of(object)?;
        match self.found(object)? {
            Some(Some(_)) => {}
            Some(None) | None => return Ok(None),
        }
        if self.remote.state_of(object)? != state {
            return Ok(Some(Repair::Kept));
        }
        self.remote.remove(object)?;
        Ok(Some(Repair::Removed))
    }
}

/// The reason why the copy must not be used, if there is one. The error is a fault of this machine, such as a full disk,
/// and says nothing about the object.
fn judge(context: &Context, object: &SharedObject, copy: &Path) -> io::Result<Option<String>> {
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
        ObjectKind::Built | ObjectKind::Requirements => {
            named_wheels(object.kind, &object.digest, &fs::read(copy)?).err()
        }
    })
}
