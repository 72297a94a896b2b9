//! Maintenance of the remote store: giving it what the local store has, finding what is damaged in it, removing what is
//! old. `docs/store.md` has the rules for users.

mod push;
mod shared_prune;
mod shared_verify;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use source_build::RequirementSet;
use store::Context;
use store::EntryKind;
use store::remote::{ObjectKind, RemoteError};
use vocab::{Digest, Event, Fault};

use crate::entries::entries;

pub use push::{Pushed, push};
pub use shared_prune::{SharedPruned, SharedRemoval, prune_shared};
pub use shared_verify::{Repair, SharedDamage, SharedVerified, verify_shared};

/// A builder may be at work on what was written within this time: it is neither removed for its age, nor is what it
/// belongs to judged absent.
pub const GRACE: Duration = Duration::from_secs(3600);

/// How many objects are transferred at once.
const TRANSFERS_AT_ONCE: usize = 6;

/// What was done before it ended, and the fault that ended it early, if one did.
#[derive(Debug)]
pub struct Upkeep<R> {
    pub report: R,
    pub fault: Option<Box<dyn Fault>>,
}

/// Objects, and bytes of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    pub objects: usize,
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// What the local store has of an object, compared with its digests.
enum Sound {
    File(PathBuf, Digest),
    Tree(interpreter::PackedTree),
}

impl Sound {
    fn path(&self) -> &Path {
        match self {
            Self::File(path, _) => path,
            Self::Tree(packed) => &packed.path,
        }
    }

    fn sha256(&self) -> &Digest {
        match self {
            Self::File(_, sha256) => sha256,
            Self::Tree(packed) => &packed.sha256,
        }
    }

    fn size(&self) -> u64 {
        std::fs::metadata(self.path()).map_or(0, |metadata| metadata.len())
    }
}

/// `None` if the local store does not have it; an error with the reason if it is damaged here.
fn local(context: &Context, kind: ObjectKind, digest: &Digest) -> Result<Option<Sound>, String> {
    let store = &context.store;
    let digest_of = |path: &Path| -> Result<Digest, String> {
        let read = std::fs::File::open(path).and_then(Digest::of_reader);
        read.map(|(found, _)| found).map_err(|error| format!("it cannot be read: {error}"))
    };
    match kind {
        ObjectKind::Blobs => {
            let path = store.blob(digest);
            if !path.is_file() {
                return Ok(built_wheel(context, digest).map(|path| Sound::File(path, *digest)));
            }
            let found = digest_of(&path)?;
            if found == *digest { Ok(Some(Sound::File(path, found))) } else { Err(format!("its digest is {found}")) }
        }
        ObjectKind::Parts => {
            let path = store.part(digest);
            if !path.is_file() {
                return Ok(None);
            }
            archive::check_part(&path, digest).ok_or("it is damaged, or another part")?;
            let found = digest_of(&path)?;
            Ok(Some(Sound::File(path, found)))
        }
        ObjectKind::Bases if store.base(digest).is_dir() => {
            interpreter::pack_checked(context, digest).map(|packed| Some(Sound::Tree(packed)))
        }
        ObjectKind::Built if store.built(digest).is_dir() => {
            let folder = store.built(digest);
            source_build::verify_built(&folder)?;
            let path = folder.join(source_build::RECORD);
            let found = digest_of(&path)?;
            Ok(Some(Sound::File(path, found)))
        }
        ObjectKind::Requirements if store.requirements(digest).is_file() => {
            let path = store.requirements(digest);
            let text = std::fs::read(&path).map_err(|error| format!("it cannot be read: {error}"))?;
            RequirementSet::parse(&text, digest)?;
            Ok(Some(Sound::File(path, Digest::of(text))))
        }
        ObjectKind::Bases | ObjectKind::Built | ObjectKind::Requirements => Ok(None),
    }
}

/// The wheels that a record names: that of a built wheel, or those of a set of build requirements. The error is the
/// reason why the record must not be used.
fn named_wheels(kind: ObjectKind, key: &Digest, text: &[u8]) -> Result<Vec<(String, Digest)>, String> {
    if kind == ObjectKind::Requirements {
        let set = RequirementSet::parse(text, key)?;
        return Ok(set.wheels.into_iter().map(|wheel| (wheel.file.to_string(), wheel.sha256)).collect());
    }
    let wheel = source_build::read_record(text)?;
    Ok(vec![(wheel.file_name, wheel.sha256)])
}

/// Objects that name others.
fn is_record(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Built | ObjectKind::Requirements)
}

/// A wheel that was built from source, which the local store keeps elsewhere than downloads.
fn built_wheel(context: &Context, sha256: &Digest) -> Option<PathBuf> {
    let entries = entries(&context.store).unwrap_or_default();
    let mut wheels = entries.iter().filter(|entry| entry.kind == EntryKind::Built).filter(|entry| {
        let record = std::fs::read(entry.path.join(source_build::RECORD)).unwrap_or_default();
        source_build::read_record(&record).is_ok_and(|wheel| wheel.sha256 == *sha256)
    });
    wheels.find_map(|entry| source_build::verify_built(&entry.path).ok()).map(|wheel| wheel.path)
}

/// The kinds of the local store that travel as they are, or as one object each.
fn travels(kind: EntryKind) -> Option<ObjectKind> {
    match kind {
        EntryKind::Blobs => Some(ObjectKind::Blobs),
        EntryKind::Bases => Some(ObjectKind::Bases),
        EntryKind::Built => Some(ObjectKind::Built),
        EntryKind::Requirements => Some(ObjectKind::Requirements),
        EntryKind::Parts => Some(ObjectKind::Parts),
        EntryKind::Wheels | EntryKind::Imports | EntryKind::Tools => None,
    }
}

/// Works on several items at once until the user asks to stop or the place fails. `None` for items that were not
/// reached.
fn until_fault<T: Sync, R: Send>(
    context: &Context,
    step: &'static str,
    items: &[T],
    work: impl Fn(&T) -> Result<R, RemoteError> + Sync,
) -> (Vec<Option<R>>, Option<Box<dyn Fault>>) {
    let (failed, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let first: Mutex<Option<RemoteError>> = Mutex::default();
    let results = vocab::few_at_once(TRANSFERS_AT_ONCE, items, |item| {
        if context.is_cancelled() || failed.load(Ordering::Relaxed) {
            return None;
        }
        match work(item) {
            Ok(result) => {
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                context.tell(Event::Progress { step, done, total: items.len() });
                Some(result)
            }
            Err(error) => {
                failed.store(true, Ordering::Relaxed);
                if !error.is_cancelled() {
                    first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
                None
            }
        }
    });
    let fault = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    (results, fault.map(std::convert::Into::into))
}
