//! One worker at a time on one entry, across threads and processes.
//!
//! Locks save work, they do not guard correctness: everything arrives by rename, so two workers at the same entry
//! would merely both do it. The system releases a lock when its process dies, however it dies.

use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use vocab::Digest;

use super::{Store, StoreError, create_dir_all, session};

/// A held lock, released when dropped.
#[derive(Debug)]
pub struct StoreLock {
    file: File,
    path: PathBuf,
}

/// How waiting for a lock ended.
#[derive(Debug)]
pub enum LockOutcome {
    Held(StoreLock),
    /// `give_up` said so while another worker held the lock.
    GivenUp,
}

impl Store {
    /// Waits for the lock named by `kind` (a plain word) and `digest`. `give_up` is asked about ten times a second.
    pub fn lock(
        &self,
        kind: &str,
        digest: &Digest,
        mut give_up: impl FnMut() -> bool,
    ) -> Result<LockOutcome, StoreError> {
        self.claim()?;
        let folder = self.root().join("locks");
        create_dir_all(&folder)?;
        let path = folder.join(format!("{kind}-{digest}"));
        loop {
            let file = session::open_lock_file(&path)?;
            loop {
                let got = session::try_exclusive(&file).map_err(|source| StoreError::new("lock", &path, source))?;
                if got {
                    break;
                }
                if give_up() {
                    return Ok(LockOutcome::GivenUp);
                }
                thread::sleep(Duration::from_millis(100));
            }
            // The former holder removed the file while this one waited for it, so this lock protects nothing.
            if still_linked(&file) {
                return Ok(LockOutcome::Held(StoreLock { file, path }));
            }
        }
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // On Windows a waiter could not tell that the file was removed, so there the empty file stays.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

#[cfg(unix)]
fn still_linked(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

#[cfg(not(unix))]
fn still_linked(_: &File) -> bool {
    true
}
