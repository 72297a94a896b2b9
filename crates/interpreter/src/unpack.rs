//! An interpreter's archive as a tree.

use std::path::Path;

use archive::{ExtractOptions, TopFolder};

use super::disk::{CopiedLinks, Result};
use super::error::BaseErrorKind;
use store::Context;

/// `archive` has one folder at its top, as python-build-standalone's `python/`; its content comes to be in `tree`,
/// which is empty. The digest was checked when it was fetched. Gives the links that this system does not make.
pub(super) fn unpack(context: &Context, archive: &Path, tree: &Path) -> Result<CopiedLinks> {
    let options =
        ExtractOptions { top_folder: TopFolder::StripSingle, threads: context.jobs, ..ExtractOptions::default() };
    let extracted = archive::extract(archive, tree, &options);
    extracted.map(|it| it.copied_links).map_err(|error| BaseErrorKind::Extract(Box::new(error)))
}
