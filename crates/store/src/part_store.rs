//! Compressed parts of artifacts, kept in the store: packing the same files again costs a copy.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use archive::PartCache;
use serde::{Deserialize, Serialize};
use vocab::Digest;

use crate::Context;
use crate::EntryKind;

/// How many parts are transferred at once between two stores.
const TRANSFERS_AT_ONCE: usize = 6;

/// The store as a cache of parts for packing. It notes which parts it had and which were made.
pub struct PartStore<'a> {
    context: &'a Context,
    /// Keys of parts that the store had.
    found: Mutex<BTreeSet<Digest>>,
    /// Keys of parts that were made by this run.
    made: Mutex<BTreeSet<Digest>>,
}

impl<'a> PartStore<'a> {
    /// Touches no disk.
    pub fn new(context: &'a Context) -> Self {
        Self { context, found: Mutex::default(), made: Mutex::default() }
    }

    /// Fetches parts that the store lacks from the remote store, if there is one.
    pub fn bring(&self, keys: impl IntoIterator<Item = Digest>) {
        let Some(remote) = &self.context.remote else { return };
        let lacking: Vec<Digest> = keys.into_iter().filter(|key| !self.context.store.part(key).is_file()).collect();
        vocab::few_at_once(TRANSFERS_AT_ONCE, &lacking, |key| {
            remote.bring_part(&self.context.near(), key);
        });
    }

    /// Uploads the parts of this run to the remote store, if there is one: those that were made, and those that the
    /// store had and the remote store lacks.
    pub fn share(&self) {
        let Some(remote) = &self.context.remote else { return };
        let made: Vec<Digest> = held(&self.made).iter().copied().collect();
        vocab::few_at_once(TRANSFERS_AT_ONCE, &made, |key| {
            remote.offer_part(&self.context.near(), key);
        });
        let kept: Vec<Digest> = held(&self.found).difference(&held(&self.made)).copied().collect();
        vocab::few_at_once(TRANSFERS_AT_ONCE, &kept, |key| remote.give_part(&self.context.near(), key));
    }
}

impl PartCache for PartStore<'_> {
    fn get(&self, key: &Digest) -> Option<PathBuf> {
        self.context.store.mark_used(EntryKind::Parts, &key.to_string());
        let path = self.context.store.part(key);
        path.is_file().then(|| {
            held(&self.found).insert(*key);
            path
        })
    }

    /// A part that cannot be kept is made again next time.
    fn put(&self, key: &Digest, part: &mut dyn Read) {
        let store = &self.context.store;
        let path = store.part(key);
        let mut keep = || -> io::Result<()> {
            let staged = store.stage_file().map_err(io::Error::other)?;
            let mut file = File::create(staged.path())?;
            io::copy(part, &mut file)?;
            drop(file);
            // The store had it and it was made again: the one in the store is damaged.
            if held(&self.found).contains(key) {
                self.context.note(format!("the store's part {} was damaged and is made again", key.short()));
                store.discard(&path).map_err(io::Error::other)?;
            }
            store.publish_file(staged, &path).map_err(io::Error::other)?;
            held(&self.made).insert(*key);
            Ok(())
        };
        let _ = keep();
    }

    fn get_digest(&self, key: &Digest) -> Option<Digest> {
        let known = self.context.store.recall(DIGEST_FACT, &key.to_string(), DIGEST_REMEMBERED, SystemTime::now())?;
        let kept: KeptDigest = serde_json::from_value(known).ok()?;
        (kept.check == check_of(key, &kept.sha256)).then_some(kept.sha256)
    }

    fn put_digest(&self, key: &Digest, sha256: &Digest) {
        let kept = KeptDigest { sha256: *sha256, check: check_of(key, sha256) };
        let value = serde_json::to_value(kept).expect("plain data with text keys");
        // Forgotten, it is taken again.
        let _ = self.context.store.remember(DIGEST_FACT, &key.to_string(), &value, SystemTime::now());
    }
}

const DIGEST_FACT: &str = "part-digest";
const DIGEST_REMEMBERED: Duration = Duration::from_secs(365 * 24 * 3600);

/// It goes into manifests without being read again, so it is checked as cached parts are.
#[derive(Serialize, Deserialize)]
struct KeptDigest {
    sha256: Digest,
    check: Digest,
}

fn check_of(key: &Digest, sha256: &Digest) -> Digest {
    Digest::of(format!("{key}\n{sha256}\n"))
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
