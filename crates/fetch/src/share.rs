//! How a file of an installed prefix gets into a new tree, and which files two trees may have in common.
//!
//! A clone shares disk blocks until one of the two is written to, so it is always the first choice. Where the file
//! system has no clones, a hard link is the same file under two names: a program that writes into it changes both trees.
//! Python, pip and uv never do that: they write beside and rename, or remove first. People and a few tools do, so files
//! that are known to be edited are copied, and a shared file is read-only.

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use vocab::{PartKind, TreePath};

/// How unchanged files of an installed prefix get into the new tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReuseMode {
    /// Each file is the tree's own; it may share disk blocks where the file system can clone.
    #[default]
    Own,
    /// Clones; hard links where the file system has none. Hard-linked files become read-only, in the prefix as well.
    Shared,
}

/// Where the bytes of a reused file are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReusedBytes {
    /// On disk twice.
    Copied,
    /// On disk once.
    Shared,
}

/// One file to bring into a tree.
pub(super) struct ReusedFile<'a> {
    pub from: &'a Path,
    pub to: &'a Path,
    pub executable: bool,
    /// Whether both trees may have one file.
    pub may_share: bool,
    /// Size and time when it was digested.
    pub looked_at: Option<(u64, SystemTime)>,
    /// Cleared once the file system was found to have no clones: each attempt creates a file and removes it.
    pub may_clone: &'a AtomicBool,
}

impl ReusedFile<'_> {
    /// Nothing may exist at `to`. An own file gets `time`; a shared one keeps that of the prefix.
    pub(super) fn bring(&self, time: Option<SystemTime>) -> io::Result<ReusedBytes> {
        let Self { from, to, executable, may_share, .. } = *self;
        if self.may_clone.load(Ordering::Relaxed) {
            match reflink_copy::reflink(from, to) {
                Ok(()) => return self.made_own(time).map(|()| ReusedBytes::Shared),
                Err(error) if is_of_file_system(&error) => self.may_clone.store(false, Ordering::Relaxed),
                Err(_) => {}
            }
            // A failed clone may leave an empty file.
            let _ = fs::remove_file(to);
        }
        // The number of links to a file is limited (65,000 on ext4, 1,024 on NTFS), and some file systems have none.
        if may_share && fs::hard_link(from, to).is_ok() {
            self.check_unchanged()?;
            protect(to, executable)?;
            return Ok(ReusedBytes::Shared);
        }
        fs::copy(from, to)?;
        self.made_own(time).map(|()| ReusedBytes::Copied)
    }

    /// What was digested is what was linked.
    fn check_unchanged(&self) -> io::Result<()> {
        let metadata = fs::symlink_metadata(self.to)?;
        if metadata.is_file() && self.looked_at.is_some_and(|looked| stamp(&metadata) == Some(looked)) {
            return Ok(());
        }
        Err(io::Error::other(format!("`{}` changed while it was being reused", self.from.display())))
    }

    fn made_own(&self, time: Option<SystemTime>) -> io::Result<()> {
        make_own(self.to, self.executable)?;
        match time {
            Some(_) => set_time(self.to, time),
            None => Ok(()),
        }
    }
}

/// Whether a clone failed for a reason that is not this file's own.
fn is_of_file_system(error: &io::Error) -> bool {
    use io::ErrorKind::{
        AlreadyExists, CrossesDevices, Interrupted, NotFound, PermissionDenied, QuotaExceeded, StorageFull,
    };
    // Another prefix may be on the file system of the tree.
    !matches!(
        error.kind(),
        AlreadyExists | CrossesDevices | Interrupted | NotFound | PermissionDenied | QuotaExceeded | StorageFull
    )
}

/// Size and time of a file.
pub(super) fn stamp(metadata: &fs::Metadata) -> Option<(u64, SystemTime)> {
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Extensions of files that people and tools edit where they are: certificates, settings, paths, databases.
const EDITED: [&str; 14] =
    ["cfg", "cer", "conf", "crt", "db", "env", "ini", "pem", "properties", "pth", "sqlite", "sqlite3", "toml", "yaml"];
/// Files of the same kind that only their name shows.
const EDITED_NAMES: [&str; 4] = ["RECORD", "direct_url.json", "sitecustomize.py", "usercustomize.py"];
/// Folders whose files are settings, or scripts.
const EDITED_FOLDERS: [&str; 5] = ["bin", "Scripts", "etc", "share", "conf"];
/// A larger file in one of these folders is a program or data, not something to edit.
const SMALL: u64 = 64 << 10;

/// Whether a file is one that is edited in place now and then, so that each tree needs its own.
pub(super) fn is_edited_in_place(part: PartKind, path: &TreePath, size: u64) -> bool {
    let name = path.file_name();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let folder = path.segments().next().filter(|folder| *folder != name);
    part == PartKind::CopiedFiles
        || EDITED_NAMES.contains(&name)
        || extension.is_some_and(|extension| EDITED.contains(&extension.as_str()))
        || (size <= SMALL && folder.is_some_and(|folder| EDITED_FOLDERS.contains(&folder)))
}

/// Makes a program that writes to the file fail rather than change two trees. Removing and replacing are not affected.
#[cfg(unix)]
fn protect(path: &Path, executable: bool) -> io::Result<()> {
    disk::set_mode(path, if executable { 0o555 } else { 0o444 })
}

/// A read-only file could not be removed or replaced there.
#[cfg(not(unix))]
fn protect(_: &Path, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_own(path: &Path, executable: bool) -> io::Result<()> {
    disk::set_file_mode(path, executable)
}

/// The copy of a read-only file is read-only, too.
#[cfg(not(unix))]
fn make_own(path: &Path, _: bool) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    if permissions.readonly() {
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions)?;
    }
    Ok(())
}

pub(super) fn set_time(path: &Path, time: Option<SystemTime>) -> io::Result<()> {
    let Some(time) = time else { return Ok(()) };
    let file = if path.is_dir() { File::open(path)? } else { File::options().write(true).open(path)? };
    file.set_times(FileTimes::new().set_modified(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_edited_in_place_is_never_one_file_of_two_trees() {
        let cases = [
            ("lib/python3.12/site-packages/certifi/cacert.pem", 300_000, true),
            ("lib/python3.12/site-packages/a.pth", 10, true),
            ("lib/python3.12/site-packages/a-1.dist-info/RECORD", 90_000, true),
            ("lib/python3.12/sitecustomize.py", 10, true),
            ("etc/jupyter/jupyter_config.json", 10, true),
            ("bin/pip3", 200, true),
            ("bin/python3.12", 9_000_000, false),
            ("lib/python3.12/os.py", 40_000, false),
            ("lib/python3.12/site-packages/numpy/core/_multiarray.so", 9_000_000, false),
            ("pyvenv.cfg", 10, true),
            ("bin", 10, false),
        ];
        for (path, size, expected) in cases {
            let path: TreePath = path.parse().unwrap();
            assert_eq!(is_edited_in_place(PartKind::Base, &path, size), expected, "for {path}");
        }
        assert!(is_edited_in_place(PartKind::CopiedFiles, &"lib/own.py".parse().unwrap(), 1 << 30));
    }
}
