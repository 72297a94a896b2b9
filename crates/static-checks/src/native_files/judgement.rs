//! What the rules of a format find about one file.

use vocab::{TreeLayout, TreePath};

use super::fault::NativeFaultKind;
use super::needs::SystemNeeds;

/// The file that is judged.
pub(crate) struct JudgedFile<'a> {
    pub path: &'a TreePath,
    pub layout: TreeLayout,
}

/// What the rules of one format find about one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FileJudgement {
    /// What the file needs of the system.
    pub needs: SystemNeeds,
    /// Files of the prefix that are loaded with it.
    pub links: Vec<TreePath>,
    pub faults: Vec<NativeFaultKind>,
    pub warnings: Vec<NativeFaultKind>,
}
