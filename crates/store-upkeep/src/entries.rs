//! Everything that is kept under a digest or a name. Files with other names do not belong to the store, and are
//! neither counted nor verified nor removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use vocab::Digest;

use store::{EntryKind, Store, StoreError};

/// One entry of the store: a file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreEntry {
    pub kind: EntryKind,
    /// A digest, save for tools.
    pub name: String,
    pub path: PathBuf,
    /// Absent on a system that keeps no times.
    pub last_used: Option<SystemTime>,
    /// The way to it from the store's folder leads through a link, so it may be another store's, too.
    pub behind_link: bool,
}

/// Sorted by kind and name. Unfinished downloads are not entries; they are listed separately.
pub fn entries(store: &Store) -> Result<Vec<StoreEntry>, StoreError> {
    let mut found = Vec::new();
    for kind in EntryKind::ALL {
        let mut folders = vec![store.root().join(kind.as_str())];
        if kind.is_spread() {
            folders = list(&folders[0])?.into_iter().filter(|path| path.is_dir()).collect();
        }
        for folder in folders {
            let behind_link = leads_through_link(store.root(), &folder);
            for path in list(&folder)? {
                let name = name_of(&path);
                if kind.is_name(&name) {
                    let last_used = store.last_used(kind, &name, &path);
                    found.push(StoreEntry { kind, name, path, last_used, behind_link });
                }
            }
        }
    }
    Ok(found)
}

/// What has arrived of blobs so far, with the blob's digest.
pub(super) fn partial_blobs(store: &Store) -> Result<Vec<(PathBuf, Digest)>, StoreError> {
    let mut found = Vec::new();
    for folder in list(&store.root().join(EntryKind::Blobs.as_str()))? {
        if !folder.is_dir() || leads_through_link(store.root(), &folder) {
            continue;
        }
        for path in list(&folder)? {
            let digest = name_of(&path).strip_suffix(".partial").and_then(|name| name.parse().ok());
            found.extend(digest.map(|digest| (path, digest)));
        }
    }
    Ok(found)
}

/// Dated facts, each with the folder of its kind.
pub(super) fn facts(store: &Store) -> Result<Vec<(PathBuf, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for folder in list(&store.root().join("memory"))? {
        if !folder.is_dir() || leads_through_link(store.root(), &folder) {
            continue;
        }
        for path in list(&folder)? {
            if name_of(&path).strip_suffix(".json").is_some_and(|name| name.parse::<Digest>().is_ok()) {
                found.push((folder.clone(), path));
            }
        }
    }
    Ok(found)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// One of the folders from `root`, itself aside, down to `folder` is a link.
fn leads_through_link(root: &Path, folder: &Path) -> bool {
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    folder.ancestors().take_while(|path| *path != root).any(is_link)
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
