//! Reasons why the store cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use vocab::Fault;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error, Fault)]
pub enum StoreError {
    /// A folder or file of the store cannot be read or written. `action` is a verb: `create`, `write`, `rename`.
    #[error("cannot {action} `{}` in the store", path.display())]
    #[fault("E_STORE", Build, hint_with = Self::hint_of_disk)]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error("`{}` is not a store: it holds files and has no `CACHEDIR.TAG` of pydist", path.display())]
    #[fault(
        "E_NOT_A_STORE",
        Usage,
        hint(
            "use `--store-dir` or PYDIST_STORE to name a folder that is empty or does not exist yet; builders remove \
             files from their store"
        )
    )]
    Foreign { path: PathBuf },
    /// `format` is the text found in the mark.
    #[error("the store `{}` has format {format}; this builder knows format 1", path.display())]
    #[fault(
        "E_STORE_FORMAT",
        Usage,
        hint("update pydist, or choose another folder with `--store-dir` or PYDIST_STORE")
    )]
    Newer { path: PathBuf, format: String },
    #[error("`{}` is a link, and a store's folder for work in progress must be in the store itself", path.display())]
    #[fault(
        "E_NOT_A_STORE",
        Usage,
        hint("remove the link; to have the store on another disk, make the whole store a link")
    )]
    Link { path: PathBuf },
    #[error("the store `{}` cannot be written, and it lacks `{}`", root.display(), entry.display())]
    #[fault(
        "E_STORE",
        Build,
        hint("fill it where it can be written, or name another one with `--store-dir` or PYDIST_STORE")
    )]
    ReadOnly { root: PathBuf, entry: PathBuf },
    #[error("the store `{}` is in use by another builder", path.display())]
    #[fault("E_STORE_IN_USE", Build, hint("wait until it has finished, and run it again"))]
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

impl StoreError {
    /// The folder is on a read-only file system, or another user's.
    pub(crate) fn is_forbidden(&self) -> bool {
        let forbidden = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
        matches!(self, Self::Disk { source, .. } if forbidden.contains(&source.kind()))
    }

    fn hint_of_disk(&self) -> Option<String> {
        let Self::Disk { source, .. } = self else { return None };
        let hint = match source.kind() {
            _ if self.is_full() => {
                "free some space (`builder store prune`), or put the store elsewhere with `--store-dir` or PYDIST_STORE"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "use `--store-dir` or PYDIST_STORE to name a writable folder"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
