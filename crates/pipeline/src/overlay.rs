//! Wheels of a mere wheelhouse as they will be used: installed into one prefix that stands as long as the checks take
//! and is never shipped.

use std::path::{Path, PathBuf};

use vocab::Fault;

use crate::assemble::{self, AssembledPrefix, PrefixPieces};
use crate::for_target;
use crate::prefix_folder::PrefixFolder;
use disk::remove_tree;
use store::Context;

/// Removed when dropped; what a killed build left is removed by the next.
pub(crate) struct Overlay {
    root: PathBuf,
    pub assembled: AssembledPrefix,
}

impl Overlay {
    /// Installs the wheels of `pieces` into a prefix of their own, beside that of `prefix`.
    pub fn of(context: &Context, pieces: &PrefixPieces<'_>, prefix: &PrefixFolder) -> Result<Self, Box<dyn Fault>> {
        let root = prefix.overlay()?;
        let assembled = assemble::overlay(context, pieces, &root)?;
        for_target::check_all_names(&assembled, pieces.tree.layout.platform)?;
        Ok(Self { root, assembled })
    }

    /// The prefix to check.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = remove_tree(&self.root);
    }
}
