//! Why an archive could not be written.

use std::io;
use std::path::PathBuf;

use vocab::{Exit, Fault, TreePath};

use crate::frames::LayoutError;
use crate::name_rules::EntryFault;
use crate::zip_member::MemberFault;

/// An archive was not written; what was at `target` is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the archive `{}`", target.display())]
pub struct PackError {
    pub target: PathBuf,
    #[source]
    pub kind: PackErrorKind,
}

/// What could not be packed, or not written.
#[derive(Debug, thiserror::Error)]
pub enum PackErrorKind {
    #[error("`{path}` of part `{part}` cannot be packed: {fault}")]
    Entry { part: String, path: TreePath, fault: EntryFault },
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` had {expected} bytes when packing began and has {actual} now", path.display())]
    Changed { path: PathBuf, expected: u64, actual: u64 },
    /// `offset` is the position of the compressed bytes.
    #[error("the file at byte {offset} of `{}` is damaged: {fault}", path.display())]
    Damaged { path: PathBuf, offset: u64, fault: MemberFault },
    #[error("`{path}` of `{part}` has other bytes than its recorded digest tells")]
    Exchanged { part: String, path: String },
    /// The zip that files are copied from.
    #[error("`{}`, which files of `{part}` are copied from, has other bytes than its digest tells", path.display())]
    ExchangedArchive { part: String, path: PathBuf },
    #[error("`{}` is no row of frames that can be compressed anew", path.display())]
    NoFrames { path: PathBuf },
    #[error("with copies in place of links it would have more than {limit} entries")]
    TooMany { limit: usize },
    #[error("the compressor failed: {source}")]
    Compress { source: io::Error },
    #[error("{source}")]
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

impl Fault for PackError {
    fn code(&self) -> &'static str {
        match self.kind {
            PackErrorKind::Entry { .. } => "E_ARCHIVE_UNSAFE",
            PackErrorKind::NoFrames { .. } => "E_ARCHIVE_FORMAT",
            PackErrorKind::TooMany { .. } => "E_ARCHIVE_LIMIT",
            PackErrorKind::Damaged { .. } => "E_ARCHIVE_CORRUPT",
            PackErrorKind::Exchanged { .. } | PackErrorKind::ExchangedArchive { .. } => "E_ARCHIVE_EXCHANGED",
            PackErrorKind::Read { .. } | PackErrorKind::Changed { .. } => "E_ARCHIVE_READ",
            PackErrorKind::Compress { .. } | PackErrorKind::Write { .. } => "E_ARCHIVE_WRITE",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            PackErrorKind::Exchanged { .. }
            | PackErrorKind::ExchangedArchive { .. }
            | PackErrorKind::NoFrames { .. } => Exit::Trust,
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.kind {
            PackErrorKind::NoFrames { .. } => Some("build it again with `--format tar.zst`".to_owned()),
            PackErrorKind::TooMany { .. } => Some("pack a tar, which holds links as links".to_owned()),
            PackErrorKind::Damaged { path, .. } => Some(format!("delete `{}` and fetch it again", path.display())),
            PackErrorKind::Changed { .. } => Some("pack again when nothing writes to the tree".to_owned()),
            PackErrorKind::Exchanged { .. } | PackErrorKind::ExchangedArchive { .. } => Some(
                "the store's copy was changed: `builder store verify` finds it and removes it; then build again"
                    .to_owned(),
            ),
            PackErrorKind::Entry { fault: EntryFault::Clash { .. } | EntryFault::Duplicate, .. } => {
                Some("leave one of the two out, or rename it".to_owned())
            }
            _ => None,
        }
    }
}
