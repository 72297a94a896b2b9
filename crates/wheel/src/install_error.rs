//! Why wheels cannot be installed in a prefix.

use std::io;
use std::path::PathBuf;

use vocab::{DistributionName, Fault, PlatformKey, TreePath};

use super::former_owner::FormerOwner;
use store::StoreError;

/// Wheels were not installed; the staged prefix is incomplete and must be discarded.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot install `{wheel}`")]
#[fault(transparent = kind)]
pub struct InstallError {
    /// The wheel's file name; several if more than one is involved.
    pub wheel: String,
    #[source]
    pub kind: InstallErrorKind,
}

/// What is wrong with the wheel, the set of wheels, or the disk.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_INSTALL", Build)]
pub enum InstallErrorKind {
    #[error("its file `{path}` would {how} {owner}")]
    #[fault(
        Trust,
        hint(
            "a wheel may not change the interpreter or what came with it: leave it out with `skip`, or use another \
             version"
        )
    )]
    Owned {
        path: TreePath,
        /// A verb with its object, such as `replace a file of`.
        how: &'static str,
        owner: FormerOwner,
    },
    #[error("its file `{path}` is refused: {reason}")]
    #[fault(Trust)]
    Refused { path: String, reason: String },
    #[error("it has `{path}` twice, with different content")]
    Twice { path: TreePath },
    #[error("its files `{path}` and `{other}` would be the same file on this platform")]
    #[fault(hint("leave one of the two out with `skip`, or use another version"))]
    CaseClash { path: TreePath, other: TreePath },
    #[error("it has a file where `{other}` needs a folder: `{path}`")]
    #[fault(hint("leave one of the two out with `skip`, or use another version"))]
    FileAndFolder { path: TreePath, other: DistributionName },
    #[error("its script `{script}` needs a launcher for Windows, and there is none")]
    NoLauncher { script: String },
    #[error("it is not for {platform}")]
    #[fault(hint("use the file whose name has this platform's tag, or skip the distribution here"))]
    OtherPlatform { platform: PlatformKey },
    #[error("it is given twice")]
    SameDistribution,
    #[error("cannot {action} `{}`", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the build was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
    #[error(transparent)]
    #[fault(transparent)]
    Store(#[from] StoreError),
    #[error("cannot start threads")]
    Threads(#[source] io::Error),
}
