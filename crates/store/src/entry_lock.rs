//! One worker at a time on one entry of the store, or on anything else that a file stands for, across threads and
//! processes. The system releases a lock when its process dies, however it dies.
//!
//! In the store locks save work, they do not guard correctness: everything arrives by rename, so two workers at the same
//! entry would merely both do it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use vocab::Digest;

use super::{Store, StoreError, create_dir_all, session};

/// A held lock, released when dropped. Its file is there only while it is held, but on Windows, where it stays.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

/// How waiting for a lock ended.
#[derive(Debug)]
pub enum LockOutcome {
    Held(FileLock),
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
        let folder = match self.is_read_only() {
            // Nobody else works on what cannot be written.
            true => self.session_folder()?.join("locks"),
            false => self.root().join("locks"),
        };
        create_dir_all(&folder)?;
        let path = folder.join(format!("{kind}-{digest}"));
        FileLock::wait(&path, &mut give_up).map_err(|source| StoreError::new("lock", &path, source))
    }
}

impl FileLock {
    /// Waits for the lock that the file at `path` stands for; its folder exists. `give_up` is asked about ten times a
    /// second.
    pub fn wait(path: &Path, give_up: &mut dyn FnMut() -> bool) -> io::Result<LockOutcome> {
        loop {
            let file = session::lock_file(path)?;
            while !session::try_exclusive(&file)? {
                if give_up() {
                    return Ok(LockOutcome::GivenUp);
                }
                thread::sleep(Duration::from_millis(100));
            }
            // The former holder removed the file while this one waited for it, so this lock protects nothing.
            if still_linked(&file) {
                return Ok(LockOutcome::Held(Self { file, path: path.to_owned() }));
            }
        }
    }
}

impl Drop for FileLock {
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
