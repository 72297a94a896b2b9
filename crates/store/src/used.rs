//! When an entry was last used, and when it may be removed.
//!
//! A build marks what it uses: an empty file `used/<kind>/<name>` whose time is renewed once a minute at most, so
//! that a build that uses something many times pays one look at its mark and nothing else. Every builder also holds `builders.lock` shared while it has the
//! store open. A process that removes entries takes that lock exclusively, so no entry can be in use; if it cannot get
//! the lock, it spares whatever was used within [`SPARED`]. A mark is renewed before the entry is looked for, and
//! under `marks.lock`, which the remover holds while it looks at a mark and moves the entry away: so no entry
//! disappears between the two.
//!
//! A builder that cannot write the store cannot mark anything. It holds `readers.lock` shared as well, and while anybody
//! does, nothing is removed at all.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use vocab::Digest;

use super::{Store, StoreError, session};

/// How old a mark may grow before it is renewed.
const RENEWAL: Duration = Duration::from_secs(60);

/// What was used within this time stays while any builder runs, so a build may take two days.
pub const SPARED: Duration = Duration::from_secs(48 * 3600);

/// The two files whose locks say who is at work.
const BUILDERS: &str = "builders.lock";
const READERS: &str = "readers.lock";

/// Beginnings of the names of tools.
const TOOLS: [&str; 4] = ["uv-", "distlib-", "wine-folder-", "job-environment-"];

/// Kinds of entries, one folder of the store each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    Blobs,
    Wheels,
    Bases,
    Built,
    Requirements,
    Parts,
    Imports,
    Tools,
}

impl EntryKind {
    /// Every kind, each once.
    pub const ALL: [Self; 8] = [
        Self::Blobs,
        Self::Wheels,
        Self::Bases,
        Self::Built,
        Self::Requirements,
        Self::Parts,
        Self::Imports,
        Self::Tools,
    ];

    /// The name of its folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::Wheels => "wheels",
            Self::Bases => "bases",
            Self::Built => "built",
            Self::Requirements => "requirements",
            Self::Parts => "parts",
            Self::Imports => "imports",
            Self::Tools => "tools",
        }
    }

    /// Whether a builder gives entries such a name. Files with other names do not belong to the store.
    pub fn is_name(self, name: &str) -> bool {
        match self {
            Self::Tools => TOOLS.iter().any(|start| name.starts_with(start)),
            _ => name.parse::<Digest>().is_ok(),
        }
    }

    /// Its entries lie in folders named by their first two digits.
    pub fn is_spread(self) -> bool {
        matches!(self, Self::Blobs | Self::Parts | Self::Requirements)
    }
}

/// The right to remove entries. While it is exclusive no builder runs, and those that start wait.
#[derive(Debug)]
pub struct Removal {
    exclusive: bool,
    has_readers: bool,
    /// Held for their locks only.
    _locks: [File; 2],
}

impl Removal {
    /// Whether no builder has the store open.
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Whether a builder that cannot mark what it uses has the store open: then nothing may be removed.
    pub fn has_readers(&self) -> bool {
        self.has_readers
    }
}

impl Store {
    /// Must be called before the entry is looked for. A store that cannot be written keeps no marks, and loses nothing.
    pub fn mark_used(&self, kind: EntryKind, name: &str) {
        let now = SystemTime::now();
        let path = self.mark_path(kind, name);
        let age = |time: SystemTime| now.duration_since(time).ok();
        if modified(&path).and_then(age).is_some_and(|age| age < RENEWAL) {
            return;
        }
        if self.claim().is_err() {
            return;
        }
        let Ok(guard) = session::open_lock_file(&self.root().join("marks.lock")) else { return };
        let _ = guard.lock_shared();
        let renew = || -> std::io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            File::options().create(true).write(true).truncate(false).open(&path)?.set_modified(now)
        };
        let _ = renew();
    }

    /// When the entry was last used, by its mark; without one, when it was made.
    pub fn last_used(&self, kind: EntryKind, name: &str, entry: &Path) -> Option<SystemTime> {
        modified(&self.mark_path(kind, name)).or_else(|| modified(entry))
    }

    /// Does not wait: see [`Removal::is_exclusive`].
    pub fn begin_removal(&self) -> Result<Removal, StoreError> {
        self.claim()?;
        let [builders, readers] = [BUILDERS, READERS].map(|name| session::open_lock_file(&self.root().join(name)));
        let (builders, readers) = (builders?, readers?);
        // On a file system without locks nobody can tell; there what was used lately is spared.
        let has_readers = matches!(readers.try_lock(), Err(TryLockError::WouldBlock));
        let exclusive = builders.try_lock().is_ok() && !has_readers;
        Ok(Removal { exclusive, has_readers, _locks: [builders, readers] })
    }

    /// Moves the entry out of sight unless it was used since `unused_since`. Gives its new path, for the caller to
    /// delete with [`bury`](crate::bury); `None` if it stays.
    pub fn move_away(
        &self,
        kind: EntryKind,
        name: &str,
        entry: &Path,
        unused_since: SystemTime,
    ) -> Result<Option<PathBuf>, StoreError> {
        let guard = session::open_lock_file(&self.root().join("marks.lock"))?;
        let _ = guard.lock();
        if self.last_used(kind, name, entry).is_some_and(|time| time > unused_since) {
            return Ok(None);
        }
        let grave = self.fresh_name()?;
        match disk::rename(entry, &grave) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::new("remove", entry, source)),
        }
        let _ = fs::remove_file(self.mark_path(kind, name));
        Ok(Some(grave))
    }

    fn mark_path(&self, kind: EntryKind, name: &str) -> PathBuf {
        self.root().join("used").join(kind.as_str()).join(name)
    }
}

/// Takes the lock that every builder holds shared. Waits while entries are being removed.
pub(super) fn join_builders(root: &Path) -> Result<File, StoreError> {
    let file = session::open_lock_file(&root.join(BUILDERS))?;
    // It has to be there for those that cannot make it.
    let _ = session::open_lock_file(&root.join(READERS));
    // Without locks on this file system the remover gets none either, and then spares what was used lately.
    let _ = file.lock_shared();
    Ok(file)
}

/// The same for a builder that cannot write the store, as far as the store has the files for it: one that no builder has
/// opened since then has none.
pub(super) fn join_readers(root: &Path) -> Vec<File> {
    let files = [BUILDERS, READERS].into_iter().filter_map(|name| File::open(root.join(name)).ok());
    files.inspect(|file| drop(file.lock_shared())).collect()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok()
}
