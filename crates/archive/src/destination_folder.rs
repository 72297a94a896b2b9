//! The staging folder while it is filled. Knows no rules: everything here has been judged.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use vocab::{TreePath, WrittenDigests};

use crate::extract_error::ExtractErrorKind;
use crate::tree_record::ResolvedLink;
use crate::writes::{FileWrite, LateFile, WriteTarget};
use disk::{make_folder, make_masked_folder, set_mode};

/// The end of the year 9999; later times are reduced to it.
const LAST_TIME: u64 = 253_402_300_799;

/// A folder that is being filled, or [`nowhere`](Self::nowhere).
pub struct DestinationFolder {
    root: PathBuf,
    /// Nothing is written: see [`DestinationFolder::nowhere`].
    dry: bool,
    /// The umask removes bits from 0755, so modes must be set again.
    masked: bool,
    /// Directories with the times that they get when nothing more is written to them.
    times: Mutex<Vec<(TreePath, u64)>>,
    /// One of them is held while a piece is written, by the name of its file. The system lets one write to a file at a
    /// time, and a worker that waits for that spins on a processor that another worker could decode on.
    pieces: [Mutex<()>; 16],
    /// Absent if nobody asked for them.
    pub(crate) digests: Option<WrittenDigests>,
}

impl DestinationFolder {
    /// `root` must exist and be empty.
    pub fn new(root: &Path) -> Result<Self, ExtractErrorKind> {
        let place = Self { root: root.to_owned(), masked: is_masked(root)?, ..Self::empty(false) };
        // A staging folder is private while it is filled elsewhere; the result is not.
        set_mode(root, 0o755).map_err(|source| ExtractErrorKind::Write { path: root.to_owned(), source })?;
        Ok(place)
    }

    /// Accepts everything and writes nothing: for judging an archive without extracting it.
    pub fn nowhere() -> Self {
        Self::empty(true)
    }

    fn empty(dry: bool) -> Self {
        let (times, pieces) = (Mutex::default(), Default::default());
        Self { root: PathBuf::new(), dry, masked: false, times, pieces, digests: None }
    }

    /// Whether this is [`nowhere`](Self::nowhere).
    pub(crate) fn is_dry(&self) -> bool {
        self.dry
    }

    /// Where `path` is on disk while the tree is being made.
    pub fn path(&self, path: &TreePath) -> PathBuf {
        path.below(&self.root)
    }

    /// Creates a directory in one that exists already.
    pub fn directory(&self, folder: &str) -> Result<(), ExtractErrorKind> {
        if self.dry {
            return Ok(());
        }
        let path = self.root.join(folder);
        // Never created with more permissions: the umask may allow everything to everyone.
        let made = if self.masked { make_folder(&path) } else { make_masked_folder(&path) };
        made.map_err(|source| ExtractErrorKind::Write { path, source })
    }

    /// Applied by [`finish_directories`](Self::finish_directories), since writing to a folder changes its time.
    pub(crate) fn remember_time(&self, folder: &TreePath, mtime: u64) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push((folder.clone(), mtime));
    }

    /// Creates an empty file, to be filled in pieces.
    pub fn create(&self, path: &TreePath) -> Result<(), ExtractErrorKind> {
        self.at(path, |path| exclusive(path, false).map(|_| ()))
    }

    pub(crate) fn write(&self, write: &FileWrite, bytes: &[u8]) -> Result<(), ExtractErrorKind> {
        let written = self.at(&write.path, |path| match write.target {
            WriteTarget::Whole { executable, mtime } => {
                let mut file = exclusive(path, executable)?;
                file.write_all(bytes)?;
                self.finish_file(&file, executable, mtime, self.is_masked())
            }
            WriteTarget::Piece { offset } => {
                let _turn = self.turn_for(&write.path);
                let mut file = OpenOptions::new().write(true).open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                file.write_all(bytes)
            }
        });
        match (&self.digests, &written) {
            (Some(digests), Ok(())) => match write.target {
                WriteTarget::Whole { .. } => digests.whole(&write.path, bytes),
                // Its chunk follows that of the piece before, whose worker so never waits for this one.
                WriteTarget::Piece { offset } => digests.piece(&write.path, offset, bytes),
            },
            (Some(digests), Err(_)) => digests.stop(),
            (None, _) => {}
        }
        written
    }

    fn turn_for(&self, path: &TreePath) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let index = hasher.finish() as usize % self.pieces.len();
        self.pieces[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn finish_files(&self, late: &[LateFile]) -> Result<(), ExtractErrorKind> {
        for file in late {
            self.at(&file.path, |path| {
                let open = OpenOptions::new().write(true).open(path)?;
                self.finish_file(&open, file.executable, file.mtime, true)
            })?;
        }
        Ok(())
    }

    /// Each pair is a new name and the existing file. A file system without hard links gets copies; one on which the new name
    /// is that of another file, which a copy would replace, gets nothing.
    pub(crate) fn hard_links(&self, pairs: &[(TreePath, TreePath)]) -> Result<(), ExtractErrorKind> {
        for (link, file) in pairs {
            let file = self.path(file);
            self.at(link, |path| match fs::hard_link(&file, path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::copy(&file, path).map(|_| ()),
                linked => linked,
            })?;
        }
        Ok(())
    }

    /// Creates symbolic links, after all files: until then no path leads through one.
    #[cfg(unix)]
    pub fn links(&self, links: &[ResolvedLink]) -> Result<(), ExtractErrorKind> {
        for link in links {
            self.at(&link.path, |path| std::os::unix::fs::symlink(&link.target, path))?;
        }
        Ok(())
    }

    /// Never called on such systems: links are copied there.
    #[cfg(not(unix))]
    pub fn links(&self, _: &[ResolvedLink]) -> Result<(), ExtractErrorKind> {
        Ok(())
    }

    /// Sets the times of directories, where the system can open a directory for that.
    pub(crate) fn finish_directories(&self) -> Result<(), ExtractErrorKind> {
        let times = std::mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner));
        if cfg!(unix) {
            for (folder, mtime) in times {
                self.at(&folder, |path| File::open(path)?.set_times(times_of(mtime)))?;
            }
        }
        Ok(())
    }

    fn at(&self, path: &TreePath, act: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), ExtractErrorKind> {
        if self.dry {
            return Ok(());
        }
        let path = self.path(path);
        act(&path).map_err(|source| ExtractErrorKind::Write { path, source })
    }

    fn is_masked(&self) -> bool {
        cfg!(unix) && self.masked
    }

    fn finish_file(&self, file: &File, executable: bool, mtime: u64, set_mode: bool) -> io::Result<()> {
        #[cfg(unix)]
        if set_mode {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        }
        #[cfg(not(unix))]
        let _ = (executable, set_mode);
        file.set_times(times_of(mtime))
    }
}

fn times_of(mtime: u64) -> FileTimes {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(mtime.min(LAST_TIME));
    FileTimes::new().set_modified(time)
}

/// Fails if anything exists at `path`.
fn exclusive(path: &Path, executable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if executable { 0o755 } else { 0o644 });
    #[cfg(not(unix))]
    let _ = executable;
    options.open(path)
}

/// One attempt answers for all files, and saves a call for each where nothing is masked.
#[cfg(unix)]
fn is_masked(root: &Path) -> Result<bool, ExtractErrorKind> {
    use std::os::unix::fs::PermissionsExt;
    let path = root.join(".mode");
    let try_it = || {
        let mode = exclusive(&path, true)?.metadata()?.permissions().mode();
        fs::remove_file(&path)?;
        Ok(mode & 0o777 != 0o755)
    };
    try_it().map_err(|source| ExtractErrorKind::Write { path: path.clone(), source })
}

#[cfg(not(unix))]
fn is_masked(_: &Path) -> Result<bool, ExtractErrorKind> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two names of an archive may be one on its disk, whatever the host's usual rules are.
    #[test]
    fn a_hard_link_replaces_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let place = DestinationFolder::new(folder.path()).unwrap();
        let path = |text: &str| text.parse::<TreePath>().unwrap();
        for name in ["a", "b"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let refused = place.hard_links(&[(path("a"), path("b"))]).unwrap_err();
        assert!(matches!(refused, ExtractErrorKind::Write { .. }), "{refused}");
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"a");
        place.hard_links(&[(path("c"), path("b"))]).unwrap();
        assert_eq!(fs::read(folder.path().join("c")).unwrap(), b"b");
    }
}
