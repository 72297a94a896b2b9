//! Why an extension has no distribution.

use std::io;
use std::path::PathBuf;

use archive::{ExtractError, ExtractErrorKind};
use extension::{DistributionId, DistributionLack, Look, Probe};
use process::ProcessError;
use tree_table::TreeDamage;
use vocab::{Digest, Fault};

/// A distribution is not ready; what stood in its folder stands there still.
#[derive(Debug, thiserror::Error, Fault)]
#[error("the Python distribution {id} is not available")]
#[fault(transparent = kind)]
pub struct DistributionError {
    pub id: DistributionId,
    #[source]
    pub kind: Box<DistributionErrorKind>,
}

/// What is missing, wrong or forbidden.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum DistributionErrorKind {
    #[error(
        "air-gapped, and there are no packages on disk, no archive and no folder; looked at {}",
        looked(looks, "IRL")
    )]
    #[fault("E_DIST_AIRGAP", Usage, hint("{PROVIDE}"))]
    AirGap { looks: Vec<Look> },
    #[error("the extension has no env.yml, and there is no archive and no folder; looked at {}", looked(looks, "YRL"))]
    #[fault("E_DIST_NO_ENVYML", Usage, hint("{PROVIDE}"))]
    NoEnvYml { looks: Vec<Look> },
    #[error("environments are disabled, and there is no archive and no folder; looked at {}", looked(looks, "RL"))]
    #[fault("E_DIST_DISABLED", Usage, hint("{PROVIDE}"))]
    Disabled { looks: Vec<Look> },
    #[error("distributions are not registered (pysdk.pel.skipPythonDistRegistration)")]
    #[fault("E_DIST_SKIPPED", Usage, hint("unset it where operators shall run"))]
    Skipped,
    #[error("{fault}{}", not_tried(others))]
    #[fault(transparent = fault)]
    Engine {
        fault: Box<dyn Fault>,
        /// The archive and the folder that are there as well.
        others: Vec<PathBuf>,
    },
    #[error("nothing can be written to `{}`: {source}", path.display())]
    #[fault(
        "E_DIST_READONLY",
        hint("make it writable once, or install there with `pydist extension prepare` from an account that may write")
    )]
    ReadOnly { path: PathBuf, source: io::Error },
    #[error("`{}` has changed since it was installed, and cannot be repaired: {}", folder.display(), tree_table::first_few(damage))]
    #[fault("E_DIST_DAMAGED", Trust, hint("remove the folder and provide its archive, in a place that can be written"))]
    Damaged { folder: PathBuf, damage: Vec<TreeDamage> },
    #[error("`{}` was not installed completely, and its archive is gone", folder.display())]
    #[fault("E_DIST_INCOMPLETE", hint("remove the folder, or provide the archive again"))]
    Incomplete { folder: PathBuf },
    #[error("no Python in `{}`: none of {} is there", folder.display(), searched.join(", "))]
    #[fault("E_DIST_NO_PYTHON", hint("a distribution is a folder with a Python that runs from any place"))]
    NoPython { folder: PathBuf, searched: Vec<&'static str> },
    #[error("the Python `{}` does not run: {reason}", python.display())]
    #[fault("E_DIST_NO_PYTHON", hint("start it by hand with `-I -c 1` to see why"))]
    PythonFails { python: PathBuf, reason: String },
    #[error("Python {found} is too old; 3.8 or newer is needed")]
    #[fault("E_DIST_PYTHON_VERSION")]
    OldPython { found: String },
    #[error(transparent)]
    #[fault(transparent)]
    Process(Box<ProcessError>),
    #[error("`{}` is for {found}, and this machine is {expected}", path.display())]
    #[fault("E_ARCHIVE_WRONG_PLATFORM", Trust, hint("provide the distribution for this machine"))]
    WrongPlatform { path: PathBuf, found: String, expected: String },
    #[error("`{}` says that it is {found}", archive.display())]
    #[fault("E_ARCHIVE_WRONG_ID", Trust, hint("correct its name, or provide the archive that was asked for"))]
    WrongId { archive: PathBuf, found: String },
    #[error("the SHA-256 of `{}` is {actual}, the file `.sha256` beside it says {expected}", archive.display())]
    #[fault("E_ARCHIVE_CHECKSUM", Trust, hint("copy the archive again; nothing was installed"))]
    Checksum { archive: PathBuf, expected: Digest, actual: Digest },
    #[error("`{}` does not hold a SHA-256", path.display())]
    #[fault("E_ARCHIVE_CHECKSUM", Trust, hint("it begins with 64 digits, as sha256sum writes it"))]
    ChecksumFile { path: PathBuf },
    #[error("`{}` is {found}, which its name does not say", archive.display())]
    #[fault("E_ARCHIVE_FORMAT", Trust, hint("check that it was copied completely, and that it is not an error page"))]
    Format { archive: PathBuf, found: String },
    #[error(transparent)]
    #[fault(transparent)]
    Extract(Box<ExtractError>),
    #[error("`{}` would have {length} characters, and Windows opens no path of 260 or more; nothing was extracted", path.display())]
    #[fault(
        "E_PATH_TOO_LONG",
        hint(
            "set pysdk.pel.distLoc to a folder whose path has at most {usable} characters, or enable long paths in Windows"
        )
    )]
    PathTooLong { path: PathBuf, length: usize, usable: usize },
    #[error("the disk of `{}` is full", path.display())]
    #[fault("E_DISK_FULL", hint("make room there; nothing of the archive was left"))]
    DiskFull { path: PathBuf },
    #[error("`{}` cannot be read: {source}", path.display())]
    #[fault("E_DIST_READ")]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` cannot be written: {source}", path.display())]
    #[fault("E_DIST_WRITE")]
    Write { path: PathBuf, source: io::Error },
    #[error("another process has been installing it for {} s", waited)]
    #[fault("E_DIST_LOCKED", hint("wait for it, or raise loader.lockTimeout"))]
    Locked { waited: u64 },
    #[error("interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
}

impl DistributionError {
    /// The error of a row that gives nothing.
    pub fn of_lack(probe: &Probe, lack: DistributionLack) -> Self {
        let kind = Box::new(DistributionErrorKind::of_lack(probe, lack));
        Self { id: probe.asked.clone(), kind }
    }
}

impl DistributionErrorKind {
    pub(super) fn of_lack(probe: &Probe, lack: DistributionLack) -> Self {
        let looks = probe.looks.clone();
        match lack {
            DistributionLack::AirGap => Self::AirGap { looks },
            DistributionLack::NoEnvYml => Self::NoEnvYml { looks },
            DistributionLack::Disabled => Self::Disabled { looks },
        }
    }
}

const PROVIDE: &str = "put the archive or the folder at one of these places; `pydist extension doctor` says which";

/// Everything of these facts that was looked at, and not found.
fn looked(looks: &[Look], facts: &str) -> String {
    let places = looks.iter().filter(|look| facts.contains(look.fact) && !look.found);
    places.map(|look| format!("`{}`", look.at)).collect::<Vec<_>>().join(", ")
}

fn not_tried(others: &[PathBuf]) -> String {
    let others: Vec<String> = others.iter().map(|path| format!("`{}`", path.display())).collect();
    if others.is_empty() { String::new() } else { format!("; there, and not tried: {}", others.join(", ")) }
}

impl From<ExtractError> for DistributionErrorKind {
    fn from(error: ExtractError) -> Self {
        match &error.kind {
            ExtractErrorKind::Write { path, source } if source.kind() == io::ErrorKind::StorageFull => {
                Self::DiskFull { path: path.clone() }
            }
            ExtractErrorKind::Write { path, source } if is_refused(source) => {
                Self::ReadOnly { path: path.clone(), source: io::Error::new(source.kind(), source.to_string()) }
            }
            ExtractErrorKind::Digest { expected, actual } => {
                Self::Checksum { expected: *expected, actual: *actual, archive: error.archive }
            }
            _ => Self::Extract(Box::new(error)),
        }
    }
}

/// Whether the system does not let this account write there.
pub(super) fn is_refused(source: &io::Error) -> bool {
    matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// An error of writing, by its cause.
pub(super) fn write_error(path: PathBuf, source: io::Error) -> DistributionErrorKind {
    match source.kind() {
        io::ErrorKind::StorageFull => DistributionErrorKind::DiskFull { path },
        _ if is_refused(&source) => DistributionErrorKind::ReadOnly { path, source },
        _ => DistributionErrorKind::Write { path, source },
    }
}
