//! Putting one file or link into the prefix.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use vocab::{CopiedFile, Digest, DigestWriter, TreePath};

use super::{CopyErrorKind, CopyKind, PlannedCopy};

/// Places files; remembers which folders are real and what was placed.
pub(crate) struct FilePlacer<'a> {
    prefix: &'a Path,
    folders: BTreeSet<TreePath>,
    placed: BTreeMap<TreePath, CopiedFile>,
}

impl<'a> FilePlacer<'a> {
    /// Changes nothing.
    pub(crate) fn new(prefix: &'a Path) -> Self {
        Self { prefix, folders: BTreeSet::from([TreePath::default()]), placed: BTreeMap::new() }
    }

    /// What was placed, one row per path, sorted by path.
    pub(crate) fn finish(self) -> Vec<CopiedFile> {
        self.placed.into_values().collect()
    }

    /// Places one file or link, making parent folders. Never writes through a link.
    pub(crate) fn place(&mut self, copy: &PlannedCopy) -> Result<(), CopyErrorKind> {
        let parent = copy.target.parent().unwrap_or_default();
        self.make_folder(&parent)?;
        let path = copy.target.below(self.prefix);
        let write = |source| CopyErrorKind::Write { path: path.clone(), source };
        let there = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(CopyErrorKind::TargetIsFolder { target: copy.target.clone() });
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(write(error)),
        };
        // Beside the target and renamed over it: the old file's bytes may be shared with the store by a hard link
        // and stay as they are, and a link that is there is replaced, not followed.
        let temporary = path.with_file_name(format!(".{}.copying", copy.target.file_name()));
        remove_if_there(&temporary).map_err(write)?;
        let (sha256, size) = match &copy.kind {
            CopyKind::File { executable } => write_file(&copy.source, &temporary, *executable)?,
            CopyKind::Link { text } => {
                make_link(text, &temporary).map_err(write)?;
                (Digest::of(text), text.len() as u64)
            }
        };
        replace(&temporary, &path).map_err(write)?;
        // A path that two operations write replaced something only if it was there before the first of them.
        let overwrote = self.placed.get(&copy.target).map_or(there, |earlier| earlier.overwrote);
        self.placed.insert(copy.target.clone(), CopiedFile { path: copy.target.clone(), sha256, size, overwrote });
        Ok(())
    }

    fn make_folder(&mut self, folder: &TreePath) -> Result<(), CopyErrorKind> {
        if self.folders.contains(folder) {
            return Ok(());
        }
        self.make_folder(&folder.parent().unwrap_or_default())?;
        let path = folder.below(self.prefix);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(CopyErrorKind::ParentIsLink { folder: folder.clone() });
            }
            Ok(metadata) if !metadata.is_dir() => return Err(CopyErrorKind::ParentIsFile { folder: folder.clone() }),
            Ok(_) => {}
            Err(_) => disk::make_folder(&path).map_err(|source| CopyErrorKind::Write { path, source })?,
        }
        self.folders.insert(folder.clone());
        Ok(())
    }
}

fn write_file(source: &Path, target: &Path, executable: bool) -> Result<(Digest, u64), CopyErrorKind> {
    let mut input =
        File::open(source).map_err(|error| CopyErrorKind::Read { path: source.to_owned(), source: error })?;
    let write = |error| CopyErrorKind::Write { path: PathBuf::from(target), source: error };
    let mut output = DigestWriter::new(File::create_new(target).map_err(write)?);
    io::copy(&mut input, &mut output).map_err(write)?;
    let size = output.size();
    let (file, sha256) = output.finish();
    set_mode(&file, executable).map_err(write)?;
    Ok((sha256, size))
}

#[cfg(unix)]
fn set_mode(file: &File, executable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _executable: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_link(text: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(text, path)
}

/// Not reached: on Windows every link is listed as a copy of what it leads to.
#[cfg(not(unix))]
fn make_link(text: &str, path: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(text.replace('/', "\\"), path)
}

/// Windows does not rename over a read-only file or a link; there the old one is removed first.
fn replace(temporary: &Path, path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        remove_if_there(path)?;
    }
    disk::rename(temporary, path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
