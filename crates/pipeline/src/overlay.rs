//! The wheels of a mere wheelhouse as they will be used: installed into one prefix that stands as long as the checks
//! take and is never shipped.

use std::path::{Path, PathBuf};

use config_merger::Layout;
use vocab::Fault;

use crate::assemble::{self, Assembled, Pieces};
use crate::for_target;
use crate::prefix_folder::PrefixFolder;
use crate::steps::Steps;
use archive::remove_tree;
use store::Context;

/// Removed when dropped; what a killed build left is removed by the next.
pub(crate) struct Overlay {
    root: PathBuf,
    pub assembled: Assembled,
}

impl Overlay {
    /// `None` where what is shipped shows everything itself: wheels are installed in it, or there are none.
    pub fn of(
        context: &Context,
        pieces: &Pieces<'_>,
        prefix: &PrefixFolder,
        steps: &mut Steps,
    ) -> Result<Option<Self>, Box<dyn Fault>> {
        if pieces.layout != Layout::Wheelhouse || pieces.wheels.is_empty() {
            return Ok(None);
        }
        steps.run(context, "install for the checks", || {
            let root = prefix.overlay()?;
            let assembled = assemble::overlay(context, pieces, &root)?;
            for_target::check_all_names(&assembled, pieces.tree.layout.platform)?;
            Ok(Some(Self { root, assembled }))
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = remove_tree(&self.root);
    }
}
