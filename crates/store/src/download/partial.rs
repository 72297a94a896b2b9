//! What has arrived so far of one blob.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use vocab::Digest;

use crate::{Store, StoreError, create_dir_all};

/// `<blob>.partial`, open, with the digest of its content so far. Only the holder of the blob's lock has one.
pub(super) struct PartialDownload {
    path: PathBuf,
    file: File,
    state: Sha256,
    length: u64,
    /// Bytes that an earlier process wrote.
    inherited: bool,
}

impl PartialDownload {
    /// Opens what is there, digesting it, or begins an empty one.
    pub(super) fn open(store: &Store, digest: &Digest) -> Result<Self, StoreError> {
        let path = store.partial_blob(digest);
        if let Some(parent) = path.parent() {
            create_dir_all(parent)?;
        }
        let failed = |action, source| StoreError::new(action, &path, source);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed("create", error))?;
        let (mut state, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 18]);
        loop {
            let count = file.read(&mut buffer).map_err(|error| failed("read", error))?;
            if count == 0 {
                break;
            }
            state.update(&buffer[..count]);
            length += count as u64;
        }
        Ok(Self { path, file, state, length, inherited: length > 0 })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// True while it still holds bytes that this process did not see arrive.
    pub(super) fn is_inherited(&self) -> bool {
        self.inherited
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|source| StoreError::new("write", &self.path, source))?;
        self.state.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn restart(&mut self) -> Result<(), StoreError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|source| StoreError::new("write", &self.path, source))?;
        (self.state, self.length, self.inherited) = (Sha256::new(), 0, false);
        Ok(())
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::from_bytes(self.state.clone().finalize().into())
    }

    /// The caller has compared the digest.
    pub(super) fn become_blob(self, store: &Store, digest: &Digest) -> Result<(), StoreError> {
        drop(self.file);
        let blob = store.blob(digest);
        disk::rename(&self.path, &blob).map_err(|source| StoreError::new("rename a finished entry to", &blob, source))
    }

    pub(super) fn remove(self) -> Result<(), StoreError> {
        drop(self.file);
        std::fs::remove_file(&self.path).map_err(|source| StoreError::new("remove", &self.path, source))
    }
}
