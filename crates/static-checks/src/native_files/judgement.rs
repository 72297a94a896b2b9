//! What the rules of a format say about one file.

use vocab::{TreeLayout, TreePath};

use super::needs::Needs;
use super::report::NativeFaultKind;

/// The file that is judged.
pub struct Subject<'a> {
    pub path: &'a TreePath,
    pub layout: TreeLayout,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Of the system.
    pub needs: Needs,
    /// Files of the prefix that are loaded with it.
    pub links: Vec<TreePath>,
    pub faults: Vec<NativeFaultKind>,
    pub warnings: Vec<NativeFaultKind>,
}
