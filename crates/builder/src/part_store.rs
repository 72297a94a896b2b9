//! Compressed parts of artifacts, kept in the store: what is packed again costs a copy.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use archive::PartCache;
use vocab::Digest;

use crate::Context;
use crate::store::EntryKind;

/// How many parts come and go at once between two stores.
const TRANSFERS_AT_ONCE: usize = 6;

pub struct PartStore<'a> {
    context: &'a Context,
    /// Keys of parts that were there.
    found: Mutex<BTreeSet<Digest>>,
    /// Keys of parts that were made now.
    made: Mutex<BTreeSet<Digest>>,
}

impl<'a> PartStore<'a> {
    pub fn new(context: &'a Context) -> Self {
        Self { context, found: Mutex::default(), made: Mutex::default() }
    }

    /// Gets what the store lacks of these from the remote one, if there is one.
    pub fn bring(&self, keys: impl IntoIterator<Item = Digest>) {
        let Some(remote) = self.context.store.remote() else { return };
        let lacking: Vec<Digest> = keys.into_iter().filter(|key| !self.context.store.part(key).is_file()).collect();
        crate::download::at_once(TRANSFERS_AT_ONCE, &lacking, |key| {
            remote.bring_part(self.context, key);
        });
    }

    /// Gives what was made now to the remote store, if there is one.
    pub fn share(&self) {
        let Some(remote) = self.context.store.remote() else { return };
        let made: Vec<Digest> = held(&self.made).iter().copied().collect();
        crate::download::at_once(TRANSFERS_AT_ONCE, &made, |key| {
            remote.offer_part(self.context, key);
        });
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
            // It was there and is made all the same: what stands there is damaged.
            if held(&self.found).contains(key) {
                self.context.note(format!("the store's part {} was damaged and is made anew", key.short()));
                store.discard(&path).map_err(io::Error::other)?;
            }
            store.publish_file(staged, &path).map_err(io::Error::other)?;
            held(&self.made).insert(*key);
            Ok(())
        };
        let _ = keep();
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
