//! Whether an installed distribution is as it was installed. Nothing is written.

use std::path::Path;

use extension::VerifyDepth;
use tree_table::TreeDamage;

use super::installed::{FoundFolder, look_at};

/// What stands in the place of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderVerdict {
    Missing,
    /// Something else made it, so there is nothing to compare it with.
    Foreign,
    /// Its installation was interrupted, or another version of this program made it.
    Incomplete,
    /// Files and links that it consists of, and those that have changed.
    Installed {
        files: usize,
        damage: Vec<TreeDamage>,
    },
}

/// Reads every file and compares it with the record of the installation.
pub fn examine(folder: &Path) -> FolderVerdict {
    match look_at(folder) {
        FoundFolder::None => FolderVerdict::Missing,
        FoundFolder::Foreign => FolderVerdict::Foreign,
        FoundFolder::Partial => FolderVerdict::Incomplete,
        FoundFolder::Ours(record) => {
            let (files, damage) = (record.tree.len(), record.damage(folder, VerifyDepth::Full));
            FolderVerdict::Installed { files, damage }
        }
    }
}
