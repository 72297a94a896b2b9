//! The file that marks a folder as one that exports go to, and whose lock lets one of them write the manifest.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::manifest::{MANIFEST, NEXT_MANIFEST, SUMS};

/// An empty file that stays, so that it can be told whose objects and sums these are before there is a manifest.
pub(super) const LOCK: &str = "pydist-export.lock";

/// Marks the folder, which is made.
pub(super) fn mark(root: &Path) -> io::Result<File> {
    fs::create_dir_all(root)?;
    let path = root.join(LOCK);
    if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
        fs::remove_file(&path)?;
    }
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Waits until no other export writes the manifest. `None` on a file system that has no locks.
pub(super) fn take(root: &Path) -> io::Result<Option<File>> {
    let file = mark(root)?;
    match file.lock() {
        Ok(()) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is in a folder without a manifest that an export would overwrite and that is not an interrupted export's.
pub(super) fn foreign(root: &Path) -> Vec<&'static str> {
    let is_there = |name: &&str| fs::symlink_metadata(root.join(name)).is_ok();
    if is_there(&LOCK) {
        return Vec::new();
    }
    ["v1", SUMS, MANIFEST, NEXT_MANIFEST].into_iter().filter(is_there).collect()
}
