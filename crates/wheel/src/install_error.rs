//! Why wheels cannot be installed in a prefix.

use std::io;
use std::path::PathBuf;

use vocab::{DistributionName, Exit, Fault, PlatformKey, TreePath};

use super::guard::Owner;
use store::StoreError;

/// Wheels were not installed; the staged prefix is incomplete and must be discarded.
#[derive(Debug, thiserror::Error)]
#[error("cannot install `{wheel}`")]
pub struct InstallError {
    /// The wheel's file name; several if more than one is involved.
    pub wheel: String,
    #[source]
    pub kind: InstallErrorKind,
}

/// What is wrong with the wheel, the set of wheels, or the disk.
#[derive(Debug, thiserror::Error)]
pub enum InstallErrorKind {
    #[error("its file `{path}` would {how} {owner}")]
    Owned {
        path: TreePath,
        /// A verb with its object, such as `replace a file of`.
        how: &'static str,
        owner: Owner,
    },
    #[error("its file `{path}` is refused: {reason}")]
    Refused { path: String, reason: String },
    #[error("it brings `{path}` twice, with different content")]
    Twice { path: TreePath },
    #[error("its files `{path}` and `{other}` would be one file on this platform")]
    CaseClash { path: TreePath, other: TreePath },
    #[error("it has a file where `{other}` needs a folder: `{path}`")]
    FileAndFolder { path: TreePath, other: DistributionName },
    #[error("its script `{script}` needs a launcher for Windows, and there is none")]
    NoLauncher { script: String },
    #[error("it was made for another platform than {platform}")]
    OtherPlatform { platform: PlatformKey },
    #[error("it is given twice")]
    SameDistribution,
    #[error("cannot {action} `{}`", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the build was interrupted")]
    Cancelled,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no threads can be started")]
    Threads(#[source] io::Error),
}

impl Fault for InstallError {
    fn code(&self) -> &'static str {
        match self.kind {
            InstallErrorKind::Cancelled => "E_INTERRUPTED",
            InstallErrorKind::Store(_) => "E_STORE",
            _ => "E_INSTALL",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            InstallErrorKind::Cancelled => Exit::Interrupted,
            InstallErrorKind::Refused { .. } | InstallErrorKind::Owned { .. } => Exit::Trust,
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.kind {
            InstallErrorKind::Store(error) => error.hint(),
            InstallErrorKind::FileAndFolder { .. } | InstallErrorKind::CaseClash { .. } => {
                Some("leave one of the two out with `skip`, or take another version".into())
            }
            InstallErrorKind::Owned { .. } => Some(
                "a wheel may not change the interpreter or what came with it: leave it out with `skip`, or take another \
                 version"
                    .into(),
            ),
            InstallErrorKind::OtherPlatform { .. } => {
                Some("take the file whose name has this platform's tag, or skip the distribution here".into())
            }
            _ => None,
        }
    }
}
