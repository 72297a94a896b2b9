//! A folder on disk as entries.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vocab::{Fault, TreePath};

use crate::name_rules::child;
use crate::{FileContent, TreeEntry};

/// All entries below `folder`, sorted by path, without the folder itself. Links are not followed.
///
/// On Windows, where files have no executable bit, none is executable.
pub fn scan(folder: &Path) -> Result<Vec<TreeEntry>, ScanError> {
    let mut entries = Vec::new();
    let mut pending = vec![(folder.to_owned(), TreePath::default())];
    while let Some((place, at)) = pending.pop() {
        let failed = |kind| ScanError { path: place.clone(), kind };
        for item in fs::read_dir(&place).map_err(|source| failed(ScanErrorKind::Read { source }))? {
            let item = item.map_err(|source| failed(ScanErrorKind::Read { source }))?;
            let entry = entry_at(&item, &at).map_err(|kind| ScanError { path: item.path(), kind })?;
            if entry.kind == crate::EntryKind::Directory {
                pending.push((item.path(), entry.path.clone()));
            }
            entries.push(entry);
        }
    }
    entries.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(entries)
}

fn entry_at(item: &fs::DirEntry, folder: &TreePath) -> Result<TreeEntry, ScanErrorKind> {
    let (name, place) = (item.file_name(), item.path());
    let path = name.to_str().and_then(|name| child(folder, name)).ok_or(ScanErrorKind::Name)?;
    // Of the entry itself, not of what a link leads to.
    let metadata = item.metadata().map_err(|source| ScanErrorKind::Read { source })?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        Ok(TreeEntry::directory(path))
    } else if kind.is_file() {
        Ok(TreeEntry::file(path, FileContent::Disk(place), is_executable(&metadata)))
    } else if kind.is_symlink() {
        let target = fs::read_link(&place).map_err(|source| ScanErrorKind::Read { source })?;
        let target = target.to_str().ok_or(ScanErrorKind::Name)?;
        Ok(TreeEntry::symlink(path, if cfg!(windows) { target.replace('\\', "/") } else { target.to_owned() }))
    } else {
        Err(ScanErrorKind::Special)
    }
}

/// Uses only the owner's bit, so that the umask under which the tree was written has no effect.
#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

/// A folder cannot be packed as it is.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot list `{}`", path.display())]
#[fault("E_ARCHIVE_SCAN", Build)]
pub struct ScanError {
    pub path: PathBuf,
    #[source]
    pub kind: ScanErrorKind,
}

/// What is wrong at the path.
#[derive(Debug, thiserror::Error)]
pub enum ScanErrorKind {
    #[error("it cannot be read: {source}")]
    Read { source: io::Error },
    #[error(
        "its name is not UTF-8, holds a backslash or looks like a drive, so no archive could carry it to every platform"
    )]
    Name,
    #[error("it is not a directory, file or symbolic link")]
    Special,
}
