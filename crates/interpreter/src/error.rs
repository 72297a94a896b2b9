//! Reasons why there is no base interpreter.

use std::io;
use std::path::PathBuf;

use archive::{ExtractError, ExtractErrorKind};
use config_merger::BaseSource;
use vocab::{Fault, PlatformKey, PythonVersion};

use process::ProcessError;
use store::StoreError;
use store::download::DownloadError;

/// What helps where no file is known of the release that `python.tag` names.
pub(super) const WITHOUT_TAG: &str =
    "add its file with its SHA-256 to `python.releases`, or remove `python.tag` to use a known release";

/// Why [`choose`](crate::choose) or [`provide`](crate::provide) gave no interpreter, with the release that was asked
/// for.
#[derive(Debug, thiserror::Error, Fault)]
#[error("no base interpreter Python {python} for {platform}")]
#[fault(transparent = kind, hint_with = Self::hint_text)]
pub struct BaseError {
    pub python: PythonVersion,
    pub platform: PlatformKey,
    #[source]
    pub kind: BaseErrorKind,
}

/// What went wrong. `asked` lists each source with its reason, in the order of the configuration; texts never hold
/// credentials.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum BaseErrorKind {
    #[error("no source has it{}", listed(asked))]
    #[fault("E_BASE_NO_SOURCE", another_machine)]
    NoSource { asked: Vec<(BaseSource, String)>, nearest: Option<PythonVersion> },
    #[error("only a stand-in is available, {offered} from `{}`, and the build requires the exact release{}", source_name.as_str(), listed(asked))]
    #[fault(
        "E_BASE_STAND_IN",
        hint(
            "make the exact release available (`--python-mirror`, `python.archives`), or accept the other one with \
             `--allow-stand-in`"
        ),
        another_machine
    )]
    OnlyStandIn { offered: PythonVersion, source_name: BaseSource, asked: Vec<(BaseSource, String)> },
    /// Another release would be another interpreter than the one that was asked for.
    #[error("no file of release `{tag}` of python-build-standalone is known for it{}", known_tags(known))]
    #[fault("E_BASE_TAG", Usage, hint("{WITHOUT_TAG}"))]
    Tag {
        tag: String,
        /// The releases that have the version for this platform.
        known: Vec<String>,
    },
    #[error("its file `{asset}` is not of the flavour `{flavor}`")]
    #[fault(
        "E_BASE_TAG",
        Usage,
        hint("add a file of this flavour with its SHA-256 to `python.releases`, or remove `python.flavor`")
    )]
    Flavor { flavor: String, asset: String },
    #[error("the list of releases `{url}` cannot be used: {reason}")]
    #[fault(
        "E_BASE_LIST",
        Usage,
        hint("`python.downloads` names a list in the format of uv's `--python-downloads-json-url`")
    )]
    List {
        /// Without credentials.
        url: String,
        reason: String,
    },
    #[error(transparent)]
    #[fault(transparent)]
    Download(Box<DownloadError>),
    #[error(transparent)]
    #[fault(transparent)]
    Extract(Box<ExtractError>),
    #[error("`{origin}` holds Python {found}")]
    #[fault("E_BASE_CONTENT", hint("correct the configured archive or its mirror"))]
    OtherVersion { origin: String, found: String },
    #[error("`{origin}` lacks `{path}`, so it is not a CPython for this platform")]
    #[fault("E_BASE_CONTENT")]
    NotCPython { origin: String, path: String },
    #[error("the export has no sound copy of `{origin}`")]
    #[fault("E_EXPORT_DAMAGED", Trust, hint("export again into the same folder, which mends it"))]
    NotExported { origin: String },
    #[error("the module's checksum is {actual}, the table says {expected}")]
    #[fault("E_BASE_MODULE", Trust, hint("{CLEAR_MODULES}"))]
    ModuleSum { expected: String, actual: String },
    #[error("`{file}` of the module does not match its description: {reason}")]
    #[fault("E_BASE_MODULE", Trust, hint("{CLEAR_MODULES}"))]
    ModuleFile { file: String, reason: String },
    #[error("`go {arguments}` failed: {reason}")]
    #[fault("E_BASE_GO", hint_with = Self::hint_of_go)]
    Go { arguments: String, reason: String, program_ran: bool },
    #[error(transparent)]
    #[fault(transparent)]
    Process(ProcessError),
    #[error("the pip that comes with it is damaged: `{file}` {reason}")]
    #[fault("E_BASE_PIP", Trust)]
    Pip { file: String, reason: String },
    #[error("`{file}` needs the shared library `{library}`, which this machine lacks")]
    #[fault("E_BASE_LIBRARY", hint("install the package that has it, or name another base interpreter source"))]
    MissingLibrary { file: String, library: String },
    #[error("`{file}` finds its libraries by {found}, and there is no room to write `{wanted}` there")]
    #[fault("E_BASE_ELF", hint("install `patchelf`, which can make room"))]
    NoRoomForRpath { file: String, found: String, wanted: String },
    #[error("the install name of `{file}` cannot be made relative: {reason}")]
    #[fault("E_BASE_MACH_O")]
    MachO { file: String, reason: String },
    #[error("cannot read `{file}` as ELF: {reason}")]
    #[fault("E_BASE_ELF")]
    Elf { file: String, reason: String },
    #[error("cannot {action} `{}`", path.display())]
    #[fault("E_DISK")]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    #[fault(transparent)]
    Store(#[from] StoreError),
    #[error("the build was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
}

fn known_tags(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; known: {}", known.join(", ")) }
}

fn listed(asked: &[(BaseSource, String)]) -> String {
    asked.iter().map(|(source, answer)| format!("\n  {}: {answer}", source.as_str())).collect()
}

const CLEAR_MODULES: &str = "clear Go's module cache with `go clean -modcache`; if it happens again, do not trust the \
                             module proxy";

impl BaseError {
    fn hint_text(&self) -> Option<String> {
        match &self.kind {
            BaseErrorKind::NoSource { nearest, .. } => Some(match nearest {
                Some(nearest) if *nearest == self.python => {
                    "make its release reachable (`--python-mirror`), or offer an archive under `python.archives`"
                        .to_owned()
                }
                Some(nearest) => format!(
                    "the nearest release with a build is {nearest}; use that one, or offer an archive of {} under \
                     `python.archives`",
                    self.python
                ),
                None => "offer an archive under `python.archives`, or a mirror with `--python-mirror`".to_owned(),
            }),
            BaseErrorKind::Extract(error) if matches!(error.kind, ExtractErrorKind::TopFolder { .. }) => {
                Some("repack it with everything below one folder, as python-build-standalone does".to_owned())
            }
            kind => kind.hint(),
        }
    }
}

impl BaseErrorKind {
    fn hint_of_go(&self) -> Option<String> {
        matches!(self, Self::Go { program_ran: false, .. })
            .then(|| "install Go, or leave `go-module` out of `python.sources`".to_owned())
    }
}
