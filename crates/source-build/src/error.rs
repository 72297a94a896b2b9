//! Why a wheel could not be built.

use std::io;
use std::path::{Path, PathBuf};

use vocab::{DistributionName, Fault, PlatformKey};

use super::SourceBuild;
use super::git::GitError;
use process::ProcessError;
use resolve::BuildRequirementsError;
use store::StoreError;
use store::download::DownloadError;

/// Why a wheel could not be built, with the end of its log.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot build {name}{} from source", version.as_ref().map(|version| format!(" {version}")).unwrap_or_default())]
#[fault(transparent = kind, hint_with = Self::hint_text)]
pub struct SourceBuildError {
    pub name: DistributionName,
    pub version: Option<String>,
    /// Absent when nothing was run.
    pub log: Option<PathBuf>,
    /// Up to 200, the end of the log.
    pub last_lines: Vec<String>,
    base_has_headers: bool,
    #[source]
    pub kind: Box<SourceBuildErrorKind>,
}

/// The step whose failure says nothing about the source.
pub(crate) const REQUIREMENTS_STEP: &str = "installing its build requirements";

/// What failed. [`SourceBuildError::is_of_the_source`] distinguishes faults of the source from those of its
/// surroundings.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_BUILD_WHEEL", Build)]
pub enum SourceBuildErrorKind {
    #[error("a build for {platform} needs a native runner: this machine is another platform")]
    #[fault("E_BUILD_FOREIGN", hint("run this build on a {platform} machine, or let a wheel be used there"))]
    NeedsNativeRunner { platform: PlatformKey },
    #[error("`{file_name}` is not a .tar.gz, .tgz or .zip file")]
    UnknownFormat { file_name: String },
    #[error("`{file_name}` is not a valid sdist: {reason}")]
    BadSdist { file_name: String, reason: String },
    #[error("its `pyproject.toml` cannot be used: {reason}")]
    BadProject { reason: String },
    #[error("the source folder `{}` is missing", path.display())]
    NoFolder { path: PathBuf },
    #[error(transparent)]
    #[fault(transparent)]
    Git(#[from] GitError),
    /// Neither the store nor the remote store has it, and the build is offline. One line for each.
    #[error("it cannot be built without a network: what it requires is missing:\n{}", missing.iter().map(|it| format!("  {it}")).collect::<Vec<_>>().join("\n"))]
    #[fault(
        "E_BUILD_REQUIREMENTS",
        hint(
            "run it once without --offline, which keeps this in the store; for a machine without a network, export the version again, or fill its remote store with `builder store push`"
        )
    )]
    Lacking { missing: Vec<String> },
    #[error("its build requirement `{name}` has no wheel, and building it requires itself")]
    RequiresItself { name: DistributionName },
    #[error("a build requirement of it has no wheel")]
    #[fault(transparent = source)]
    Requirement {
        #[source]
        source: Box<SourceBuildError>,
    },
    #[error(transparent)]
    #[fault(transparent)]
    Requirements(#[from] BuildRequirementsError),
    #[error(transparent)]
    #[fault(transparent)]
    Download(#[from] DownloadError),
    /// `tail` is the end of the log, each line after a line break.
    #[error("{}; the end of its log:{tail}", failed_with(step, *code))]
    Failed {
        /// `the build`, `installing its build requirements`.
        step: &'static str,
        code: Option<i32>,
        tail: String,
    },
    #[error("{step} was stopped; the end of its log:{tail}")]
    #[fault(transparent = program)]
    Stopped {
        step: &'static str,
        #[source]
        program: ProcessError,
        tail: String,
    },
    #[error("the build made {found} wheels instead of one")]
    NotOneWheel { found: usize },
    #[error("the build made `{file_name}` instead of a wheel of {expected}")]
    OtherDistribution { file_name: String, expected: String },
    #[error("the wheel `{file_name}` does not fit {platform}: {allowed}")]
    #[fault(
        "E_BUILD_TOO_NEW",
        hint("build it on an older system, such as a manylinux container, or raise `oldestSystem`")
    )]
    TooNew {
        file_name: String,
        platform: PlatformKey,
        /// What `oldestSystem` allows.
        allowed: String,
    },
    #[error("the build made a wheel that cannot be read, `{}`: {reason}", path.display())]
    BadWheel { path: PathBuf, reason: String },
    #[error(transparent)]
    #[fault(transparent)]
    Program(#[from] ProcessError),
    #[error(transparent)]
    #[fault(transparent)]
    Store(#[from] StoreError),
    #[error("cannot {action} `{}`", path.display())]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the build was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
}

impl SourceBuildErrorKind {
    pub(super) fn disk(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Disk { action, path: path.to_owned(), source }
    }
}

impl SourceBuildError {
    pub(super) fn new(build: &SourceBuild<'_>, log: &Path, kind: SourceBuildErrorKind) -> Self {
        let ran = log.is_file();
        let last_lines = if ran { last_lines(log) } else { Vec::new() };
        Self {
            name: build.name.clone(),
            version: build.version.clone(),
            log: ran.then(|| log.to_owned()),
            last_lines,
            base_has_headers: build.base_has_headers,
            kind: Box::new(kind),
        }
    }

    /// One line without paths or names of this machine, for records.
    pub fn in_short(&self) -> String {
        match &*self.kind {
            SourceBuildErrorKind::Failed { step, code, .. } => failed_with(step, *code),
            SourceBuildErrorKind::Stopped { step, .. } => format!("{step} was stopped at its time limit"),
            kind @ (SourceBuildErrorKind::NotOneWheel { .. }
            | SourceBuildErrorKind::OtherDistribution { .. }
            | SourceBuildErrorKind::TooNew { .. }
            | SourceBuildErrorKind::BadProject { .. }
            | SourceBuildErrorKind::BadSdist { .. }) => kind.to_string(),
            _ => self.to_string(),
        }
    }

    /// Whether the source itself did not become a usable wheel, rather than git, a program, the store or the user
    /// having kept it from being tried.
    pub fn is_of_the_source(&self) -> bool {
        match &*self.kind {
            SourceBuildErrorKind::UnknownFormat { .. }
            | SourceBuildErrorKind::BadSdist { .. }
            | SourceBuildErrorKind::BadProject { .. }
            | SourceBuildErrorKind::NoFolder { .. }
            | SourceBuildErrorKind::NotOneWheel { .. }
            | SourceBuildErrorKind::OtherDistribution { .. }
            | SourceBuildErrorKind::TooNew { .. }
            | SourceBuildErrorKind::BadWheel { .. } => true,
            // Not a matter of the source: the index may be out of reach, or the store may lack them offline.
            SourceBuildErrorKind::Failed { step, .. } => *step != REQUIREMENTS_STEP,
            SourceBuildErrorKind::NeedsNativeRunner { .. }
            | SourceBuildErrorKind::Git(_)
            | SourceBuildErrorKind::Lacking { .. }
            | SourceBuildErrorKind::RequiresItself { .. }
            | SourceBuildErrorKind::Requirement { .. }
            | SourceBuildErrorKind::Requirements(_)
            | SourceBuildErrorKind::Download(_)
            | SourceBuildErrorKind::Stopped { .. }
            | SourceBuildErrorKind::Program(_)
            | SourceBuildErrorKind::Store(_)
            | SourceBuildErrorKind::Disk { .. }
            | SourceBuildErrorKind::Cancelled => false,
        }
    }

    fn log_mentions(&self, text: &str) -> bool {
        self.last_lines.iter().any(|line| line.contains(text))
    }
}

fn failed_with(step: &str, code: Option<i32>) -> String {
    match code {
        Some(code) => format!("{step} failed with exit code {code}"),
        None => format!("{step} was ended by a signal"),
    }
}

/// How builds ask for a variable that they miss.
const VARIABLE: [&str; 3] = ["environment variable", "env var", "os.environ"];

/// What distutils, meson, CMake and cargo say when there is no compiler.
const NO_COMPILER: [&str; 6] = [
    "command 'gcc' failed: No such file",
    "command 'cc' failed: No such file",
    "Microsoft Visual C++ 14.0 or greater is required",
    "Unknown compiler(s)",
    "No CMAKE_C_COMPILER could be found",
    "No such file or directory: 'cc'",
];

/// The end of a log as a text in which each line follows a line break.
pub(super) fn tail(log: &Path) -> String {
    last_lines(log).iter().fold(String::new(), |text, line| text + "\n" + line)
}

fn last_lines(log: &Path) -> Vec<String> {
    const SHOWN: usize = 200;
    // A log that can no longer be read is not a second error.
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| (*line).to_owned()).collect()
}

impl SourceBuildError {
    fn hint_text(&self) -> Option<String> {
        let SourceBuildErrorKind::Failed { .. } = *self.kind else { return self.kind.hint() };
        let log = self.log.as_ref().map(|log| format!("the whole log is in `{}`", log.display()));
        let hint = if self.log_mentions("Python.h") && !self.base_has_headers {
            "this base interpreter has no C headers; choose another source for it in `python.sources`"
        } else if NO_COMPILER.iter().any(|text| self.log_mentions(text)) {
            "a compiler is missing: install gcc (Linux), the Xcode tools (macOS) or MSVC (Windows)"
        } else if VARIABLE.iter().any(|text| self.log_mentions(text)) {
            let how = "a build gets only the variables that `build.passEnvironment` names, and those for compilers";
            return Some(log.map_or_else(|| how.to_owned(), |log| format!("{how}; {log}")));
        } else {
            return log;
        };
        Some(hint.to_owned())
    }
}
