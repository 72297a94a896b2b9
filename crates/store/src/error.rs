//! Reasons why the store cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use vocab::{Exit, Fault};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder or file of the store cannot be read or written. `action` is a verb: `create`, `write`, `rename`.
    #[error("cannot {action} `{}` in the store", path.display())]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error("`{}` is not a store: it holds files and has no `CACHEDIR.TAG` of pydist", path.display())]
    Foreign { path: PathBuf },
    /// `format` is the text found in the mark.
    #[error("the store `{}` has format {format}; this builder knows format 1", path.display())]
    Newer { path: PathBuf, format: String },
    #[error("`{}` is a link, and a store's folder for work in progress must be in the store itself", path.display())]
    Link { path: PathBuf },
    #[error("the store `{}` is in use by another builder", path.display())]
    InUse { path: PathBuf },
}

impl StoreError {
    /// A [`StoreError::Disk`]; `action` is a verb in the infinitive.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Disk { action, path: path.to_owned(), source }
    }

    /// The disk or the user's share of it is full.
    pub fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Disk { source, .. } if full.contains(&source.kind()))
    }
}

impl Fault for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "E_STORE",
            Self::Foreign { .. } | Self::Link { .. } => "E_NOT_A_STORE",
            Self::Newer { .. } => "E_STORE_FORMAT",
            Self::InUse { .. } => "E_STORE_IN_USE",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Disk { .. } | Self::InUse { .. } => Exit::Build,
            Self::Foreign { .. } | Self::Newer { .. } | Self::Link { .. } => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Disk { .. } if self.is_full() => {
                "free some space (`builder store prune`), or put the store elsewhere with `--store-dir` or PYDIST_STORE"
            }
            Self::Disk { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "choose a folder that can be written with `--store-dir` or PYDIST_STORE"
                }
                _ => return None,
            },
            Self::Foreign { .. } => {
                "name a folder that is empty or does not exist yet with `--store-dir` or PYDIST_STORE; builders remove \
                 files from their store"
            }
            Self::Newer { .. } => "update pydist, or choose another folder with `--store-dir` or PYDIST_STORE",
            Self::Link { .. } => "remove the link; to have the store on another disk, make the whole store a link",
            Self::InUse { .. } => "wait until it has finished, and run it again",
        };
        Some(hint.to_owned())
    }
}
