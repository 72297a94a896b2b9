//! Everything that is kept under a digest or a name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::store::{EntryKind, Store, StoreError};

/// One entry of the store: a file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: EntryKind,
    /// A digest, save for tools.
    pub name: String,
    pub path: PathBuf,
    /// Absent on a system that keeps no times.
    pub last_used: Option<SystemTime>,
}

/// Sorted by kind and name. Downloads that have not come to their end are none; they are listed apart.
pub fn entries(store: &Store) -> Result<Vec<Entry>, StoreError> {
    let mut found = Vec::new();
    for kind in EntryKind::ALL {
        for path in paths(store, kind)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if is_entry(kind, &name) {
                let last_used = store.last_used(kind, &name, &path);
                found.push(Entry { kind, name, path, last_used });
            }
        }
    }
    Ok(found)
}

/// What has arrived of blobs so far.
pub(super) fn partial_blobs(store: &Store) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = paths(store, EntryKind::Blobs)?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "partial"));
    Ok(found)
}

fn is_entry(kind: EntryKind, name: &str) -> bool {
    match kind {
        EntryKind::Blobs => !name.ends_with(".partial"),
        // Its table lies beside a base.
        EntryKind::Bases => !name.ends_with(".json"),
        _ => true,
    }
}

fn paths(store: &Store, kind: EntryKind) -> Result<Vec<PathBuf>, StoreError> {
    let folder = store.root().join(kind.as_str());
    if !kind.is_spread() {
        return list(&folder);
    }
    let mut found = Vec::new();
    for path in list(&folder)? {
        if path.is_dir() {
            found.extend(list(&path)?);
        } else {
            // Nothing of ours lies here; it is for `verify` to say so.
            found.push(path);
        }
    }
    Ok(found)
}

/// Sorted. An absent folder is empty, also one that is removed meanwhile.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::new("list", folder, source);
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in listing {
        found.push(entry.map_err(failed)?.path());
    }
    found.sort();
    Ok(found)
}
