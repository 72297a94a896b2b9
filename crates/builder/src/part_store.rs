//! Compressed parts of artifacts, kept in the store: what is packed again costs a copy.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use archive::PartCache;
use vocab::Digest;

use crate::store::Store;

pub struct PartStore<'a> {
    store: &'a Store,
}

impl<'a> PartStore<'a> {
    pub fn new(store: &'a Store) -> Self {
        Self { store }
    }

    fn path(&self, key: &Digest) -> PathBuf {
        let text = key.to_string();
        self.store.root().join("parts").join(&text[..2]).join(text)
    }
}

impl PartCache for PartStore<'_> {
    fn get(&self, key: &Digest) -> Option<PathBuf> {
        Some(self.path(key)).filter(|path| path.is_file())
    }

    /// A part that cannot be kept is made again next time.
    fn put(&self, key: &Digest, part: &mut dyn Read) {
        let mut keep = || -> io::Result<()> {
            let staged = self.store.stage_file().map_err(io::Error::other)?;
            let mut file = File::create(staged.path())?;
            io::copy(part, &mut file)?;
            drop(file);
            // What stands there was found damaged, or this would not be asked for.
            self.store.discard(&self.path(key)).map_err(io::Error::other)?;
            self.store.publish_file(staged, &self.path(key)).map_err(io::Error::other)?;
            Ok(())
        };
        let _ = keep();
    }
}
