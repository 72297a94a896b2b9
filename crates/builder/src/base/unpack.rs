//! An interpreter's archive as a tree.

use std::path::Path;

use archive::{ExtractOptions, TopFolder};

use super::disk::Result;
use super::error::BaseErrorKind;
use crate::Context;

/// `archive` has one folder at its top, as python-build-standalone's `python/`; its content comes to be in `tree`,
/// which is empty. The digest was checked when it was fetched.
pub(super) fn unpack(context: &Context, archive: &Path, tree: &Path) -> Result<()> {
    let options =
        ExtractOptions { top_folder: TopFolder::StripSingle, threads: context.jobs, ..ExtractOptions::default() };
    archive::extract(archive, tree, &options).map(drop).map_err(|error| BaseErrorKind::Extract(Box::new(error)))
}
