//! Why an archive could not be written.

use std::io;
use std::path::PathBuf;

use vocab::{Fault, TreePath};

use crate::frames::LayoutError;
use crate::name_rules::EntryFault;
use crate::zip_member::MemberFault;

/// An archive was not written; what was at `target` is still there.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot write the archive `{}`", target.display())]
#[fault(transparent = kind)]
pub struct PackError {
    pub target: PathBuf,
    #[source]
    pub kind: PackErrorKind,
}

/// What could not be packed, or not written.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum PackErrorKind {
    #[error("`{path}` of part `{part}` cannot be packed: {fault}")]
    #[fault("E_ARCHIVE_UNSAFE", hint_with = Self::hint_of_entry)]
    Entry { part: String, path: TreePath, fault: EntryFault },
    #[error("cannot read `{}`: {source}", path.display())]
    #[fault("E_ARCHIVE_READ")]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` had {expected} bytes when packing began and has {actual} now", path.display())]
    #[fault("E_ARCHIVE_READ", hint("pack again when nothing writes to the tree"))]
    Changed { path: PathBuf, expected: u64, actual: u64 },
    /// `offset` is the position of the compressed bytes.
    #[error("the file at byte {offset} of `{}` is damaged: {fault}", path.display())]
    #[fault("E_ARCHIVE_CORRUPT", hint("delete `{}` and fetch it again", path.display()))]
    Damaged { path: PathBuf, offset: u64, fault: MemberFault },
    #[error("`{path}` of `{part}` does not match its recorded digest")]
    #[fault("E_ARCHIVE_EXCHANGED", Trust, hint("{EXCHANGED}"))]
    Exchanged { part: String, path: String },
    /// The zip that files are copied from.
    #[error("`{}`, which files of `{part}` are copied from, does not match its digest", path.display())]
    #[fault("E_ARCHIVE_EXCHANGED", Trust, hint("{EXCHANGED}"))]
    ExchangedArchive { part: String, path: PathBuf },
    #[error("`{}` does not consist of frames that can be recompressed", path.display())]
    #[fault("E_ARCHIVE_FORMAT", Trust, hint("build it again with `--format tar.zst`"))]
    NoFrames { path: PathBuf },
    #[error("with copies in place of links it would have more than {limit} entries")]
    #[fault("E_ARCHIVE_LIMIT", hint("pack a tar, which holds links as links"))]
    TooMany { limit: usize },
    #[error("the compressor failed: {source}")]
    #[fault("E_ARCHIVE_WRITE")]
    Compress { source: io::Error },
    #[error("{source}")]
    #[fault("E_ARCHIVE_WRITE")]
    Write { source: io::Error },
}

impl From<LayoutError> for PackErrorKind {
    fn from(error: LayoutError) -> Self {
        match error {
            LayoutError::Read { path, source } => Self::Read { path, source },
            LayoutError::Changed { path, expected, actual } => Self::Changed { path, expected, actual },
            LayoutError::Damaged { path, offset, fault } => Self::Damaged { path, offset, fault },
            LayoutError::Exchanged { part, path } => Self::Exchanged { part, path },
        }
    }
}

const EXCHANGED: &str =
    "the store's copy was changed: `builder store verify` finds it and removes it; then build again";

impl PackErrorKind {
    fn hint_of_entry(&self) -> Option<String> {
        matches!(self, Self::Entry { fault: EntryFault::Clash { .. } | EntryFault::Duplicate, .. })
            .then(|| "leave one of the two out, or rename it".to_owned())
    }
}
