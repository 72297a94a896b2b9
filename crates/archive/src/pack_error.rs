//! Why an archive could not be written.

use std::io;
use std::path::PathBuf;

use vocab::{ArtifactFormat, Exit, Fault, TreePath};

use crate::layout::LayoutError;
use crate::name_rules::EntryFault;

#[derive(Debug, thiserror::Error)]
#[error("cannot write the archive `{}`", target.display())]
pub struct PackError {
    pub target: PathBuf,
    #[source]
    pub kind: PackErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum PackErrorKind {
    #[error("archives are not written as `{}`", format.extension())]
    Format { format: ArtifactFormat },
    #[error("`{path}` of part `{part}` cannot be packed: {fault}")]
    Entry { part: String, path: TreePath, fault: EntryFault },
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` had {expected} bytes when packing began and has {actual} now", path.display())]
    Changed { path: PathBuf, expected: u64, actual: u64 },
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
        }
    }
}

impl Fault for PackError {
    fn code(&self) -> &'static str {
        match self.kind {
            PackErrorKind::Format { .. } => "E_ARCHIVE_FORMAT",
            PackErrorKind::Entry { .. } => "E_ARCHIVE_UNSAFE",
            PackErrorKind::Read { .. } | PackErrorKind::Changed { .. } => "E_ARCHIVE_READ",
            PackErrorKind::Compress { .. } | PackErrorKind::Write { .. } => "E_ARCHIVE_WRITE",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            PackErrorKind::Format { .. } => Exit::Usage,
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.kind {
            PackErrorKind::Format { .. } => Some("use tar.zst, tar.gz or tar".to_owned()),
            PackErrorKind::Changed { .. } => Some("pack again when nothing writes to the tree".to_owned()),
            PackErrorKind::Entry { fault: EntryFault::Clash { .. } | EntryFault::Duplicate, .. } => {
                Some("leave one of the two out, or rename it".to_owned())
            }
            _ => None,
        }
    }
}
