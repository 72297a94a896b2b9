//! What can go wrong with one `copyFiles` entry.

use std::io;
use std::path::PathBuf;

use vocab::{Fault, TreePath};

use super::CopyOperation;

/// The entry is named by its place in the configuration.
#[derive(Debug, thiserror::Error, Fault)]
#[error("{place}: cannot copy `{from}` to `{to}`")]
#[fault(transparent = kind)]
pub struct CopyError {
    pub place: String,
    pub from: TreePath,
    pub to: String,
    #[source]
    pub kind: Box<CopyErrorKind>,
}

impl CopyError {
    pub(super) fn new(operation: &CopyOperation, kind: CopyErrorKind) -> Self {
        Self {
            place: operation.place.clone(),
            from: operation.from.clone(),
            to: operation.to.to_string(),
            kind: Box::new(kind),
        }
    }
}

/// What is wrong with the source, the target or the disk.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum CopyErrorKind {
    #[error("there is no `{}`", path.display())]
    #[fault(
        "E_COPY_SOURCE_MISSING",
        Build,
        hint("create it, correct `from`, or write `\"optional\": true` if the runtime can do without it")
    )]
    SourceMissing { path: PathBuf },
    #[error("`{}` lies outside the package folder", path.display())]
    #[fault("E_COPY_SOURCE", hint("`from` is relative to the package folder and stays inside it"))]
    SourceOutside { path: PathBuf },
    #[error("the link `{}` points to `{text}`, which is outside the source", path.display())]
    #[fault("E_COPY_SOURCE", hint("replace the link with the file it leads to"))]
    LinkLeaves { path: PathBuf, text: String },
    #[error("the link `{}` points to `{text}`, which does not exist", path.display())]
    #[fault("E_COPY_SOURCE", hint("remove or correct the link"))]
    LinkDangles { path: PathBuf, text: String },
    #[error("the link `{}` points to a folder that contains it", path.display())]
    #[fault("E_COPY_SOURCE", hint("remove or correct the link"))]
    LinkLoops { path: PathBuf },
    #[error("`{}` is not a file, folder or link", path.display())]
    #[fault("E_COPY_SOURCE")]
    NotAFile { path: PathBuf },
    #[error("the name of `{}` cannot be written on every platform", path.display())]
    #[fault("E_COPY_SOURCE")]
    Name { path: PathBuf },
    #[error("`{target}` is a folder in the runtime and cannot be replaced by a file")]
    #[fault("E_COPY_TARGET", hint("end `to` with `/` to copy the file into the folder"))]
    TargetIsFolder { target: TreePath },
    #[error("`{folder}` is a file in the runtime, so nothing can lie below it")]
    #[fault("E_COPY_TARGET")]
    ParentIsFile { folder: TreePath },
    #[error("`{folder}` is a link in the runtime, and nothing is written through links")]
    #[fault("E_COPY_TARGET", hint("name the folder that the link leads to"))]
    ParentIsLink { folder: TreePath },
    #[error("cannot read `{}`", path.display())]
    #[fault("E_COPY_DISK", Build)]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", path.display())]
    #[fault("E_COPY_DISK", Build)]
    Write { path: PathBuf, source: io::Error },
    #[error("the build was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
}
