//! Moves entries from `tmp/` to their places, each in one rename.

use std::fs;
use std::io;
use std::path::Path;

use disk::rename;

use super::{StagedDir, StagedFile, Store, StoreError, create_dir_all};

/// Whose result is in the store now. Either way it has the same digest or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveOutcome {
    Ours,
    /// Another thread or process was faster; the staged entry is dropped.
    Theirs,
}

impl Store {
    /// Moves a finished folder to `target`, making parent folders. Never replaces an entry.
    pub fn publish_dir(&self, staged: StagedDir, target: &Path) -> Result<MoveOutcome, StoreError> {
        let published = self.move_into_place(staged.path(), target);
        // Removes what was not moved.
        drop(staged);
        published
    }

    /// Moves a finished file to `target`, making parent folders. Never replaces an entry.
    pub fn publish_file(&self, staged: StagedFile, target: &Path) -> Result<MoveOutcome, StoreError> {
        let published = self.move_into_place(staged.path(), target);
        drop(staged);
        published
    }

    /// Removes a damaged entry, file or folder. It is renamed first, so no reader sees it half removed. Does nothing
    /// if it does not exist.
    ///
    /// # Errors
    /// The disk fails, or the store is one that is never written.
    pub fn discard(&self, entry: &Path) -> Result<(), StoreError> {
        if self.is_read_only() {
            return if entry.exists() { Err(self.lacks(entry)) } else { Ok(()) };
        }
        let grave = self.fresh_name()?;
        match rename(entry, &grave) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(StoreError::new("remove", entry, source)),
        }
        bury(&grave);
        Ok(())
    }

    /// An entry that is missing or damaged where nothing can be written.
    fn lacks(&self, entry: &Path) -> StoreError {
        let entry = entry.strip_prefix(self.root()).unwrap_or(entry).to_owned();
        StoreError::ReadOnly { root: self.root().to_owned(), entry }
    }

    fn move_into_place(&self, staged: &Path, target: &Path) -> Result<MoveOutcome, StoreError> {
        if target.exists() {
            return Ok(MoveOutcome::Theirs);
        }
        if self.is_read_only() {
            return Err(self.lacks(target));
        }
        if let Some(parent) = target.parent() {
            create_dir_all(parent)?;
        }
        match rename(staged, target) {
            Ok(()) => Ok(MoveOutcome::Ours),
            // The kind differs by system (not empty, already exists, permission denied); that it is there decides.
            Err(_) if target.exists() => Ok(MoveOutcome::Theirs),
            Err(source) => Err(StoreError::new("rename a finished entry to", target, source)),
        }
    }
}

/// Deletes an entry that was moved to `tmp/`. If that fails, a later sweep of `tmp/` deletes it.
pub fn bury(grave: &Path) {
    let _ = if grave.is_dir() { disk::remove_tree(grave) } else { fs::remove_file(grave) };
}
