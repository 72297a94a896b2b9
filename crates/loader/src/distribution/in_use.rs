//! Trees that servers run on. Who starts a server holds a lock in its tree for as long as it runs, and who replaces a tree
//! looks at that first: a tree in use stays in its place, and the new one stands beside it until nobody uses the former.
//!
//! So a server finishes with the files that it began with: Python imports by path, and would otherwise find those of
//! another build. It is also what Windows wants, where a folder in use cannot be moved.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use archive::pieces::StagingFolder;

use super::installed::{MARK, RECORD};

/// In [`MARK`]: locked by those who use the tree.
const USE: &str = "use.lock";
/// Begins the names of trees that wait for their place.
const WAITING: &str = ".next-";

/// Marks a tree as used until the file is closed. `None`: nobody replaces this folder, or no lock is possible there.
pub fn mark_used(folder: &Path) -> Option<File> {
    let path = folder.join(MARK).join(USE);
    // More than once only if the tree is replaced at this moment.
    for _ in 0..100 {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.join(MARK).is_dir() => {
                // A former version made the tree. One that nobody can write, nobody replaces.
                File::options().read(true).append(true).create(true).open(&path).ok()?
            }
            Err(_) => return None,
        };
        file.lock_shared().ok()?;
        if is_at(&file, &path) {
            return Some(file);
        }
    }
    None
}

/// Whether the open file is what has the name now.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(one), Ok(other)) => identity(one) == identity(other),
        _ => false,
    }
}

/// A folder with an open file cannot be moved there.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Makes the file that is locked.
pub(super) fn make_markable(tree: &Path) -> io::Result<()> {
    let path = tree.join(MARK).join(USE);
    File::create(&path)?;
    disk::share_file(&path)
}

/// A tree that nobody uses. While this lives, nobody begins to.
pub(super) struct Unused {
    _lock: Option<File>,
}

impl Unused {
    /// `None`: somebody uses it.
    pub(super) fn claim(folder: &Path) -> Option<Self> {
        let Ok(file) = File::open(folder.join(MARK).join(USE)) else { return Some(Self { _lock: None }) };
        match file.try_lock() {
            Ok(()) => Some(Self { _lock: Some(file) }),
            Err(fs::TryLockError::WouldBlock) => None,
            // Where there are no locks, nobody has one.
            Err(fs::TryLockError::Error(_)) => Some(Self { _lock: None }),
        }
    }

    /// Windows moves no folder in which a file is open; the move then fails if somebody has just begun to use it.
    fn while_moving(self) -> Option<Self> {
        cfg!(unix).then_some(self)
    }
}

/// Where a tree stands after it was to replace another.
pub(super) enum Placed {
    InPlace,
    /// The former tree is used.
    Beside(PathBuf),
}

/// Moves a tree to its place. What stood there goes with the staging folder, and stays if anything fails.
pub(super) fn place(staging: &StagingFolder, tree: &Path, target: &Path, name: &str) -> io::Result<Placed> {
    if fs::symlink_metadata(target).is_err() {
        disk::rename(tree, target)?;
        return Ok(Placed::InPlace);
    }
    match Unused::claim(target) {
        Some(unused) => {
            exchange(staging, tree, target, unused)?;
            Ok(Placed::InPlace)
        }
        None => {
            let free = (1..).map(|number| target.with_file_name(format!("{}{name}.{number}", prefix(target))));
            let beside = free.into_iter().find(|path| fs::symlink_metadata(path).is_err());
            let beside = beside.ok_or(io::ErrorKind::AlreadyExists)?;
            disk::rename(tree, &beside)?;
            Ok(Placed::Beside(beside))
        }
    }
}

/// Moves a tree that waited to its place, if neither it nor what stands there is used; whether it did.
pub(super) fn promote(waiting: &Path, target: &Path) -> io::Result<bool> {
    let (Some(former), Some(new)) = (Unused::claim(target), Unused::claim(waiting)) else { return Ok(false) };
    let staging = StagingFolder::beside(target)?;
    let new = new.while_moving();
    exchange(&staging, waiting, target, former)?;
    drop(new);
    Ok(true)
}

fn exchange(staging: &StagingFolder, tree: &Path, target: &Path, unused: Unused) -> io::Result<()> {
    let former = staging.path().join("former");
    let unused = unused.while_moving();
    disk::rename(target, &former)?;
    if let Err(error) = disk::rename(tree, target) {
        disk::rename(&former, target)?;
        return Err(error);
    }
    drop(unused);
    Ok(())
}

/// Trees that wait for this place, the newest first.
pub(super) fn waiting(target: &Path) -> Vec<PathBuf> {
    let prefix = prefix(target);
    let folder = target.parent().unwrap_or(Path::new("."));
    let items = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_one = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with(&prefix));
    let mut found: Vec<PathBuf> = items.filter(|item| is_one(&item.file_name())).map(|item| item.path()).collect();
    let installed = |path: &PathBuf| fs::metadata(path.join(MARK).join(RECORD)).and_then(|it| it.modified()).ok();
    found.sort_by_cached_key(|path| std::cmp::Reverse(installed(path)));
    found
}

/// Removes those that wait in vain: something newer came, and nobody uses them.
pub(super) fn remove_waiting(target: &Path, but: &Path) {
    for path in waiting(target) {
        if path != but && Unused::claim(&path).is_some() {
            // What cannot be removed stays until the next time.
            let _ = disk::remove_tree(&path);
        }
    }
}

/// `@` is in no id, so that none is the beginning of another.
fn prefix(target: &Path) -> String {
    format!("{WAITING}{}@", target.file_name().unwrap_or_default().to_string_lossy())
}
