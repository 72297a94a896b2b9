//! Why a wheel cannot be unpacked.

use std::io;
use std::path::{Path, PathBuf};

use vocab::{Digest, Fault};

use store::StoreError;

/// A wheel was not unpacked. What was inflated of it so far is never used.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot unpack the wheel `{wheel}`")]
#[fault(transparent = kind)]
pub struct UnpackError {
    /// The file name.
    pub wheel: String,
    #[source]
    pub kind: UnpackErrorKind,
}

/// What is wrong with the wheel or the disk.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_WHEEL", Trust)]
pub enum UnpackErrorKind {
    /// It is not the expected file. If it was in the store, it has been removed.
    #[error("its SHA-256 is {actual}, expected {expected}")]
    #[fault("E_DIGEST", hint("run it again; the file will be fetched again"))]
    Damaged { expected: Digest, actual: Digest },
    #[error("it is not a readable zip archive: {reason}")]
    Zip { reason: String },
    #[error("its entry `{path}` is refused: {reason}")]
    Entry { path: String, reason: String },
    #[error("{reason}")]
    TooLarge { reason: String },
    #[error("its RECORD cannot be used: {reason}")]
    #[fault("E_WHEEL_RECORD", hint("{REBUILD}"))]
    Record { reason: String },
    #[error("its file `{path}` does not match the digest in its RECORD")]
    #[fault("E_WHEEL_RECORD", hint("{REBUILD}"))]
    Mismatch { path: String },
    #[error("its `{path}` is not valid in a wheel: {reason}")]
    Malformed { path: String, reason: String },
    #[error("the build was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
    #[error("`{}` cannot be read", path.display())]
    #[fault(Build)]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    #[fault(transparent)]
    Store(#[from] StoreError),
    #[error("cannot start threads")]
    #[fault(Build)]
    Threads(#[source] io::Error),
}

impl UnpackErrorKind {
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self::Store(StoreError::new("write", path, source))
    }
}

const REBUILD: &str = "the wheel was changed after it was built, or built badly: use another version, or build it from \
                       source with `forceSource`";
