//! A packed artifact, before and after it takes its place.

use std::path::Path;

use vocab::{Digest, Part};

use crate::pack_error::{PackError, PackErrorKind};
use disk::FileBeside;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedArchive {
    /// Digest of the whole file.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    /// The rows for the manifest, in the order of the archive.
    pub parts: Vec<Part>,
    /// How many parts came from the cache.
    pub reused: usize,
}

/// A complete archive under a temporary name. Dropping it removes it.
#[derive(Debug)]
pub struct PackedFile {
    pub(crate) packed: PackedArchive,
    pub(crate) file: FileBeside,
}

impl PackedFile {
    /// Known before [`persist`](Self::persist), for what must be written first.
    pub fn packed(&self) -> &PackedArchive {
        &self.packed
    }

    /// The temporary path.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Moves the archive to `target`, which must be in the folder it was made in.
    pub fn persist(self, target: &Path) -> Result<PackedArchive, PackError> {
        let failed = |source| PackError { target: target.to_owned(), kind: PackErrorKind::Write { source } };
        self.file.replace(target).map_err(failed)?;
        Ok(self.packed)
    }
}
