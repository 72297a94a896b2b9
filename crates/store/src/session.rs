//! One process's share of `tmp/`: unique names while it lives, swept away after it.
//!
//! A session is a folder `tmp/<name>/` with an empty file `tmp/<name>.lock` beside it that its process keeps
//! locked. Process ids would not do: they are reused, and mean nothing across containers that share a store.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Store, StoreError, create_dir_all};

const SESSION: &str = "session-";

#[derive(Debug)]
pub(super) struct StoreSession {
    folder: PathBuf,
    lock_path: PathBuf,
    /// Held for its lock only.
    _lock: File,
}

impl Drop for StoreSession {
    fn drop(&mut self) {
        // Best effort: whatever stays is swept by the next process that opens the store.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// A folder in `tmp/`, removed when dropped unless it was published.
#[derive(Debug)]
pub struct StagedDir {
    path: PathBuf,
    /// Keeps the session alive, and with it the lock that shows that this folder is in use.
    _store: Store,
}

/// A file name in `tmp/`; the file itself is for the caller to create. Removed when dropped unless published.
#[derive(Debug)]
pub struct StagedFile {
    path: PathBuf,
    _store: Store,
}

impl StagedDir {
    /// The folder, which exists.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl StagedFile {
    /// The path of the file, which exists only once the caller has created it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Store {
    /// A new empty folder on the store's file system.
    pub fn stage_dir(&self) -> Result<StagedDir, StoreError> {
        let path = self.fresh_name()?;
        fs::create_dir(&path).map_err(|source| StoreError::new("create", &path, source))?;
        Ok(StagedDir { path, _store: self.clone() })
    }

    /// A fresh path in this process's folder of `tmp/`. The caller creates the file.
    pub fn stage_file(&self) -> Result<StagedFile, StoreError> {
        Ok(StagedFile { path: self.fresh_name()?, _store: self.clone() })
    }

    /// A new empty folder for work whose results are not kept, removed when dropped. Use it rather than `tmp/`
    /// directly: the next builder to start removes everything there that belongs to no live session.
    pub fn scratch_dir(&self, prefix: &str) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(prefix).tempdir_in(self.session_folder().map_err(io::Error::other)?)
    }

    /// A path below this process's folder in `tmp/` that nothing else uses.
    pub(super) fn fresh_name(&self) -> Result<PathBuf, StoreError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        Ok(self.session_folder()?.join(COUNTER.fetch_add(1, Ordering::Relaxed).to_string()))
    }

    /// This process's folder in `tmp/`.
    pub(super) fn session_folder(&self) -> Result<PathBuf, StoreError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match &*session {
            Some(session) => session.folder.clone(),
            None => session.insert(begin(self)?).folder.clone(),
        })
    }
}

fn begin(store: &Store) -> Result<StoreSession, StoreError> {
    store.claim()?;
    if let Some(elsewhere) = &store.elsewhere {
        return begin_elsewhere(elsewhere);
    }
    let tmp = own_tmp(store)?;
    // While it is shared no sweep runs, so none can come between making the lock file and locking it.
    let guard = open_lock_file(&store.root().join("tmp.lock"))?;
    let _ = guard.lock_shared();
    let folder = tempfile::Builder::new()
        .prefix(SESSION)
        .tempdir_in(&tmp)
        .map_err(|source| StoreError::new("create a folder below", &tmp, source))?
        .keep();
    let lock_path = folder.with_extension("lock");
    let lock = open_lock_file(&lock_path)?;
    // A file system without locks: the sweep meets the same refusal and then leaves everything alone.
    let _ = lock.try_lock();
    Ok(StoreSession { folder, lock_path, _lock: lock })
}

/// In a folder that is not the store's. No builder sweeps it, so the lock file is there for its form alone.
fn begin_elsewhere(parent: &Path) -> Result<StoreSession, StoreError> {
    let made = tempfile::Builder::new().prefix("pydist-").tempdir_in(parent);
    let folder = made.map_err(|source| StoreError::new("create a folder below", parent, source))?.keep();
    let lock_path = folder.with_extension("lock");
    let lock = open_lock_file(&lock_path)?;
    Ok(StoreSession { folder, lock_path, _lock: lock })
}

/// `tmp/`, which is made. A link is refused: what is behind it does not belong to the store.
fn own_tmp(store: &Store) -> Result<PathBuf, StoreError> {
    let tmp = store.root().join("tmp");
    if fs::symlink_metadata(&tmp).is_ok_and(|metadata| metadata.is_symlink()) {
        return Err(StoreError::Link { path: tmp });
    }
    create_dir_all(&tmp)?;
    Ok(tmp)
}

/// Removes the sessions of processes that have ended, and nothing of another name.
pub(super) fn sweep(store: &Store) -> Result<(), StoreError> {
    let tmp = own_tmp(store)?;
    let guard = open_lock_file(&store.root().join("tmp.lock"))?;
    if guard.try_lock().is_err() {
        // Another process is sweeping or beginning a session right now; a later sweep will do.
        return Ok(());
    }
    let names = fs::read_dir(&tmp).map_err(|source| StoreError::new("list", &tmp, source))?;
    for entry in names.filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(kind) = entry.file_type() else { continue };
        if let Some(session) = name.strip_suffix(".lock").filter(|_| kind.is_file()) {
            // Its process removed the folder and died before it came to this.
            if is_session(session) && !path.with_extension("").exists() && !is_in_use(&path) {
                let _ = fs::remove_file(&path);
            }
            continue;
        }
        let lock_path = path.with_extension("lock");
        // A link with such a name is not a session.
        if !is_session(&name) || !kind.is_dir() || is_in_use(&lock_path) {
            continue;
        }
        if !lock_path.exists() {
            // Its process died before it made one, and so before anything was in it.
            let _ = fs::remove_dir(&path);
            continue;
        }
        // A folder that cannot be removed, such as another user's, does not fail the build.
        if disk::remove_tree(&path).is_ok() {
            let _ = fs::remove_file(&lock_path);
        }
    }
    Ok(())
}

/// As [`begin`] names the folder of a session.
fn is_session(name: &str) -> bool {
    let rest = name.strip_prefix(SESSION).unwrap_or_default();
    !rest.is_empty() && rest.chars().all(|it| it.is_ascii_alphanumeric())
}

fn is_in_use(lock_path: &Path) -> bool {
    match File::options().read(true).write(true).open(lock_path) {
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Opens the lock file of the store itself.
pub(super) fn open_lock_file(path: &Path) -> Result<File, StoreError> {
    lock_file(path).map_err(|source| StoreError::new("open", path, source))
}

pub(super) fn lock_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// True when the lock was got, false when another holder has it. A file system that has no locks counts as got.
pub(super) fn try_exclusive(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
