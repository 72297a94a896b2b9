//! Files of the repository that are installed as they are.

use std::path::Path;

use vocab::TreePath;

/// Size of a file of the repository; `None` for a folder and for what is not there.
pub(crate) fn local_size(repository: &Path, path: &TreePath) -> Option<u64> {
    let metadata = std::fs::metadata(path.below(repository)).ok()?;
    metadata.is_file().then_some(metadata.len())
}
