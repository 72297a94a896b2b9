//! `builder clean --store`: everything goes that a builder put there, by its name, and nothing through a link.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vocab::Digest;

use super::{EntryKind, Store, StoreError, mark, session};
use disk::remove_tree;

impl Store {
    /// Removes every entry of the store at `root`; the empty store stays one. True when there was something.
    ///
    /// # Errors
    /// The folder is not a store, or a builder is using it.
    pub fn empty(root: &Path) -> Result<bool, StoreError> {
        if mark::look(root)? == mark::FoundFolder::Nothing {
            return Ok(false);
        }
        let lock = session::open_lock_file(&root.join("builders.lock"))?;
        if !session::try_exclusive(&lock).map_err(|source| StoreError::new("lock", root, source))? {
            return Err(StoreError::InUse { path: root.to_owned() });
        }
        let mut found = false;
        for kind in EntryKind::ALL {
            let is_ours = |name: &str| is_of(kind, name);
            let folder = root.join(kind.as_str());
            if kind.is_spread() {
                let is_pair = |name: &str| name.len() == 2 && name.chars().all(|it| it.is_ascii_hexdigit());
                found |= within(&folder, &is_pair, &|pair| within(pair, &is_ours, &remove))?;
            } else {
                found |= within(&folder, &is_ours, &remove)?;
            }
        }
        let is_fact = |name: &str| name.strip_suffix(".json").is_some_and(is_digest);
        found |= within(&root.join("memory"), &|_| true, &|kind| within(kind, &is_fact, &remove))?;
        let marked =
            |kind: EntryKind| within(&root.join("used").join(kind.as_str()), &|name| is_of(kind, name), &remove);
        for kind in EntryKind::ALL {
            found |= marked(kind)?;
        }
        let is_lock = |name: &str| name.rsplit_once('-').is_some_and(|(_, digest)| is_digest(digest));
        found |= within(&root.join("locks"), &is_lock, &remove)?;
        session::sweep(&Self::at(root.to_owned()))?;
        for name in ["used", "tmp"] {
            // Stays if it holds anything foreign.
            let _ = fs::remove_dir(root.join(name));
        }
        Ok(found)
    }
}

fn is_digest(name: &str) -> bool {
    name.parse::<Digest>().is_ok()
}

/// Whether this is the name of an entry, or of a file beside one.
fn is_of(kind: EntryKind, name: &str) -> bool {
    let beside = match kind {
        EntryKind::Blobs => name.strip_suffix(".partial"),
        EntryKind::Bases => name.strip_suffix(".json"),
        _ => None,
    };
    kind.is_name(beside.unwrap_or(name))
}

fn remove(path: &Path) -> Result<bool, StoreError> {
    let failed = |source| StoreError::new("remove", path, source);
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    if metadata.is_dir() { remove_tree(path) } else { fs::remove_file(path) }.map_err(failed)?;
    Ok(true)
}

/// Does `work` on the entries of `folder` with a name that a builder gives, and removes the folder if that leaves it
/// empty. Does not follow a link to a folder.
fn within(
    folder: &Path,
    is_ours: &dyn Fn(&str) -> bool,
    work: &dyn Fn(&Path) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    if !fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(false);
    }
    let failed = |source: io::Error| StoreError::new("list", folder, source);
    let mut ours: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_ours(&entry.file_name().to_string_lossy()) {
            ours.push(entry.path());
        }
    }
    let mut found = false;
    for path in ours {
        found |= work(&path)?;
    }
    let _ = fs::remove_dir(folder);
    Ok(found)
}
