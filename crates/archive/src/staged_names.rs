//! Temporary names of artifacts and manifests that are not finished.

use std::path::{Path, PathBuf};

/// How the name of an unfinished artifact begins.
pub(crate) const STAGED_PACK: &str = ".pack-";
/// How that of an unfinished manifest begins.
pub(crate) const STAGED_MANIFEST: &str = ".manifest-";

/// Removes unfinished artifacts and manifests that killed processes left in a folder, and returns their paths.
pub fn sweep_artifacts(folder: &Path) -> Vec<PathBuf> {
    disk::sweep(folder, &[STAGED_PACK, STAGED_MANIFEST])
}
