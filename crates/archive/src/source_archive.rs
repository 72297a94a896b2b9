//! Source archives of others, such as sdists: one folder, extracted under the same rules and limits as everything else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::extract::extract;
use crate::extract_error::{ExtractError, ExtractErrorKind};
use crate::extract_options::{ExtractLimits, ExtractOptions, ExtractedTree};

/// A source archive that was extracted.
#[derive(Clone, Debug)]
pub struct SourceTree {
    /// Its one folder, below the destination.
    pub folder: PathBuf,
    /// The folder's name: `name-version` for an sdist (PEP 625).
    pub top: String,
    pub extracted: ExtractedTree,
}

/// Extracts a `.tar.gz`, `.tar`, `.tar.zst` or `.zip` that holds one folder, to a destination that is absent or empty.
/// Files beside that folder are extracted and otherwise ignored.
///
/// # Errors
/// As for [`extract`]; [`ExtractErrorKind::TopFolder`] if there is not exactly one folder.
pub fn extract_source(archive: &Path, destination: &Path, limits: ExtractLimits) -> Result<SourceTree, ExtractError> {
    let extracted = extract(archive, destination, &ExtractOptions { limits, ..ExtractOptions::default() })?;
    let failed = |kind| ExtractError { archive: archive.to_owned(), kind };
    let listed = |source| failed(ExtractErrorKind::Write { path: destination.to_owned(), source });
    let (mut folders, mut names) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(destination).map_err(listed)? {
        let entry = entry.map_err(listed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().map_err(listed)?.is_dir() {
            folders.push(name.clone());
        }
        names.push(name);
    }
    match folders.as_slice() {
        [top] => Ok(SourceTree { folder: destination.join(top), top: top.clone(), extracted }),
        _ => {
            names.sort();
            names.truncate(20);
            Err(failed(ExtractErrorKind::TopFolder { found: names }))
        }
    }
}
