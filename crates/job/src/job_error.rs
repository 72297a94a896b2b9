//! Why a job could not be looked at or staged, apart from what is wrong with the job itself.

use std::io;
use std::path::{Path, PathBuf};

use interpreter::BaseError;
use process::ProcessError;
use resolve::UvError;
use source_build::SourceBuildError;
use vocab::Fault;

use crate::code::Code;
use crate::job_folder::JobFolderError;

/// A fault of this machine, of the network or of the command line.
#[derive(Debug, thiserror::Error, Fault)]
pub enum JobError {
    #[error(transparent)]
    #[fault(transparent)]
    Epoch(#[from] vocab::EpochError),
    #[error(transparent)]
    #[fault(transparent)]
    Folder(#[from] JobFolderError),
    #[error(transparent)]
    #[fault(transparent)]
    Base(#[from] BaseError),
    #[error(transparent)]
    #[fault(transparent)]
    Uv(#[from] UvError),
    #[error(transparent)]
    #[fault(transparent)]
    Room(#[from] SourceBuildError),
    #[error(transparent)]
    #[fault(transparent)]
    Program(#[from] ProcessError),
    #[error(transparent)]
    #[fault(transparent)]
    Scan(#[from] archive::ScanError),
    #[error(transparent)]
    #[fault(transparent)]
    Pack(#[from] archive::PackError),
    #[error(transparent)]
    #[fault(transparent)]
    Store(#[from] store::StoreError),
    #[error("the data file `{path}` cannot be linked below /usr/local")]
    #[fault("E_JOB_DATA_PATH", Usage, hint("leave out --data-prefix-compat, or rename the file"))]
    DataPath { path: String },
    #[error("this machine's platform is not supported")]
    #[fault("E_PLATFORM_HOST", Usage)]
    NoPlatform,
    #[error("`{text}` is not a version of Python such as 3.12 or 3.12.10")]
    #[fault("E_JOB_PYTHON", Usage)]
    Python { text: String },
    #[error("Python {version}{} is not supported", if *of_image { ", of the image in the job's Dockerfile," } else { "" })]
    #[fault("E_JOB_OLD_PYTHON", Usage, hint("jobs need Python 3.8 or newer; choose it with --python"))]
    OldPython { version: String, of_image: bool },
    #[error("{code} cannot be allowed: nothing can be packaged then")]
    #[fault("E_JOB_ALLOW", Usage, hint("correct what the finding names"))]
    NotAllowed { code: Code },
    #[error("the folder for results, `{}`, lies in the job folder", path.display())]
    #[fault("E_JOB_OUT", Usage, hint("give another one with --out"))]
    OutInside { path: PathBuf },
    #[error("packages of the requirements file cannot be staged: {reason}")]
    #[fault("E_JOB_PACKAGES", Build, hint("correct the requirements file, or name an index that has them in it"))]
    Packages { reason: String },
    #[error("two files would be staged as `{name}`")]
    #[fault("E_JOB_STAGED_TWICE", Build, hint("Beam's staging folder is flat: rename one of them"))]
    StagedTwice { name: String },
    #[error("the source archive cannot be made: {reason}")]
    #[fault("E_JOB_SDIST", Check, hint("the same happens at submission; correct what the message names"))]
    Sdist { reason: String },
    #[error("the source archive `{name}` is refused: {kind}")]
    #[fault(
        "E_JOB_ARCHIVE",
        Check,
        hint(
            "setup.py or its build back end made it: it may hold four times the job's files and 1 GiB more, and nothing outside of its one folder"
        )
    )]
    Archive { name: String, kind: Box<archive::ExtractErrorKind> },
    #[error("the job's wheel cannot be built from the source archive: {reason}")]
    #[fault("E_JOB_WHEEL", Check, hint("the same happens on every worker; correct what the message names"))]
    Wheel { reason: String },
    #[error("the job's requirements cannot be used: {reason}")]
    #[fault("E_JOB_REQUIREMENTS", Usage, hint("correct the line in setup.py or the requirements file"))]
    Requirements { reason: String },
    #[error("interrupted before it was done")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Interrupted,
    #[error("`{}` is not a baked job: {reason}", path.display())]
    #[fault(
        "E_JOB_MANIFEST",
        Usage,
        hint("name the archive that `builder job bake` made, with manifest.json beside it")
    )]
    NoManifest { path: PathBuf, reason: String },
    #[error("cannot {action} `{}`", path.display())]
    #[fault("E_JOB_WRITE", Build, hint("check its permissions and the free disk space"))]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
}

impl JobError {
    pub(crate) fn disk<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Disk { action, path: path.to_owned(), source }
    }
}
