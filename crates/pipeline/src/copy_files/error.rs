//! What can go wrong with one `copyFiles` entry.

use std::io;
use std::path::PathBuf;

use vocab::{Exit, Fault, TreePath};

use super::CopyOperation;

/// The entry is named by its place in the configuration.
#[derive(Debug, thiserror::Error)]
#[error("{place}: cannot copy `{from}` to `{to}`")]
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
#[derive(Debug, thiserror::Error)]
pub enum CopyErrorKind {
    #[error("there is no `{}`", path.display())]
    SourceMissing { path: PathBuf },
    #[error("`{}` lies outside the package folder", path.display())]
    SourceOutside { path: PathBuf },
    #[error("the link `{}` leads to `{text}`, which is outside the source", path.display())]
    LinkLeaves { path: PathBuf, text: String },
    #[error("the link `{}` leads to `{text}`, which is not there", path.display())]
    LinkDangles { path: PathBuf, text: String },
    #[error("the link `{}` leads to a folder that it lies in", path.display())]
    LinkLoops { path: PathBuf },
    #[error("`{}` is neither a file, a folder nor a link", path.display())]
    NotAFile { path: PathBuf },
    #[error("the name of `{}` cannot be written on every platform", path.display())]
    Name { path: PathBuf },
    #[error("`{target}` is a folder in the runtime and cannot be replaced by a file")]
    TargetIsFolder { target: TreePath },
    #[error("`{folder}` is a file in the runtime, so nothing can lie below it")]
    ParentIsFile { folder: TreePath },
    #[error("`{folder}` is a link in the runtime, and nothing is written through links")]
    ParentIsLink { folder: TreePath },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the build was interrupted")]
    Cancelled,
}

impl Fault for CopyError {
    fn code(&self) -> &'static str {
        match *self.kind {
            CopyErrorKind::SourceMissing { .. } => "E_COPY_SOURCE_MISSING",
            CopyErrorKind::SourceOutside { .. }
            | CopyErrorKind::LinkLeaves { .. }
            | CopyErrorKind::LinkDangles { .. }
            | CopyErrorKind::LinkLoops { .. }
            | CopyErrorKind::NotAFile { .. }
            | CopyErrorKind::Name { .. } => "E_COPY_SOURCE",
            CopyErrorKind::TargetIsFolder { .. }
            | CopyErrorKind::ParentIsFile { .. }
            | CopyErrorKind::ParentIsLink { .. } => "E_COPY_TARGET",
            CopyErrorKind::Read { .. } | CopyErrorKind::Write { .. } => "E_COPY_DISK",
            CopyErrorKind::Cancelled => "E_INTERRUPTED",
        }
    }

    fn exit(&self) -> Exit {
        match *self.kind {
            CopyErrorKind::SourceMissing { .. } | CopyErrorKind::Read { .. } | CopyErrorKind::Write { .. } => {
                Exit::Build
            }
            CopyErrorKind::Cancelled => Exit::Interrupted,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &*self.kind {
            CopyErrorKind::SourceMissing { .. } => {
                "create it, correct `from`, or write `\"optional\": true` if the runtime can do without it"
            }
            CopyErrorKind::SourceOutside { .. } => "`from` is relative to the package folder and stays inside it",
            CopyErrorKind::LinkLeaves { .. } => "replace the link by the file it leads to",
            CopyErrorKind::LinkDangles { .. } | CopyErrorKind::LinkLoops { .. } => "remove or correct the link",
            CopyErrorKind::TargetIsFolder { .. } => "end `to` with `/` to copy the file into the folder",
            CopyErrorKind::ParentIsLink { .. } => "name the folder that the link leads to",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
