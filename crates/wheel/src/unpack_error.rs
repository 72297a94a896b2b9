//! Why a wheel cannot be unpacked.

use std::io;
use std::path::{Path, PathBuf};

use vocab::{Digest, Exit, Fault};

use store::StoreError;

/// A wheel was not unpacked. What was inflated of it so far is never used.
#[derive(Debug, thiserror::Error)]
#[error("cannot unpack the wheel `{wheel}`")]
pub struct UnpackError {
    /// The file name.
    pub wheel: String,
    #[source]
    pub kind: UnpackErrorKind,
}

/// What is wrong with the wheel or the disk.
#[derive(Debug, thiserror::Error)]
pub enum UnpackErrorKind {
    /// It is not the expected file. If it was in the store, it has been removed.
    #[error("its SHA-256 is {actual}, {expected} is expected")]
    Damaged { expected: Digest, actual: Digest },
    #[error("it is no zip archive that can be read: {reason}")]
    Zip { reason: String },
    #[error("its entry `{path}` is refused: {reason}")]
    Entry { path: String, reason: String },
    #[error("{reason}")]
    TooLarge { reason: String },
    #[error("its RECORD cannot be used: {reason}")]
    Record { reason: String },
    #[error("its file `{path}` has another digest than its RECORD says")]
    Mismatch { path: String },
    #[error("its `{path}` is not as wheels have it: {reason}")]
    Malformed { path: String, reason: String },
    #[error("the build was interrupted")]
    Cancelled,
    #[error("`{}` cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no threads can be started")]
    Threads(#[source] io::Error),
}

impl UnpackErrorKind {
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self::Store(StoreError::new("write", path, source))
    }
}

impl Fault for UnpackError {
    fn code(&self) -> &'static str {
        match self.kind {
            UnpackErrorKind::Damaged { .. } => "E_DIGEST",
            UnpackErrorKind::Record { .. } | UnpackErrorKind::Mismatch { .. } => "E_WHEEL_RECORD",
            UnpackErrorKind::Cancelled => "E_INTERRUPTED",
            UnpackErrorKind::Store(_) => "E_STORE",
            _ => "E_WHEEL",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            UnpackErrorKind::Cancelled => Exit::Interrupted,
            UnpackErrorKind::Read { .. } | UnpackErrorKind::Store(_) | UnpackErrorKind::Threads(_) => Exit::Build,
            _ => Exit::Trust,
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.kind {
            UnpackErrorKind::Damaged { .. } => Some("run it again: the file is then fetched anew".into()),
            UnpackErrorKind::Mismatch { .. } | UnpackErrorKind::Record { .. } => Some(
                "the wheel was changed after it was built, or built badly: take another version, or build it from \
                 source with `forceSource`"
                    .into(),
            ),
            UnpackErrorKind::Store(error) => error.hint(),
            _ => None,
        }
    }
}
