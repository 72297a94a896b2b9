//! Reasons why there is no base interpreter.

use std::io;
use std::path::PathBuf;

use archive::{ExtractError, ExtractErrorKind};
use config_merger::BaseSource;
use vocab::{Exit, Fault, PlatformKey, PythonVersion};

use process::ProcessError;
use store::StoreError;
use store::download::DownloadError;

/// Why [`choose`](crate::choose) or [`provide`](crate::provide) gave no interpreter, with the release that was asked
/// for.
#[derive(Debug, thiserror::Error)]
#[error("no base interpreter Python {python} for {platform}")]
pub struct BaseError {
    pub python: PythonVersion,
    pub platform: PlatformKey,
    #[source]
    pub kind: BaseErrorKind,
}

/// What went wrong. `asked` lists each source with its reason, in the order of the configuration; texts never hold
/// credentials.
#[derive(Debug, thiserror::Error)]
pub enum BaseErrorKind {
    #[error("no source has it{}", listed(asked))]
    NoSource { asked: Vec<(BaseSource, String)>, nearest: Option<PythonVersion> },
    #[error("only a stand-in can be had, {offered} from `{}`, and the build asks for the exact release{}", source_name.as_str(), listed(asked))]
    OnlyStandIn { offered: PythonVersion, source_name: BaseSource, asked: Vec<(BaseSource, String)> },
    #[error(transparent)]
    Download(Box<DownloadError>),
    #[error(transparent)]
    Extract(Box<ExtractError>),
    #[error("`{origin}` holds Python {found}")]
    OtherVersion { origin: String, found: String },
    #[error("`{origin}` lacks `{path}`, so it is no CPython for this platform")]
    NotCPython { origin: String, path: String },
    #[error("the module's checksum is {actual}, the table says {expected}")]
    ModuleSum { expected: String, actual: String },
    #[error("`{file}` of the module does not match its description: {reason}")]
    ModuleFile { file: String, reason: String },
    #[error("`go {arguments}` failed: {reason}")]
    Go { arguments: String, reason: String, program_ran: bool },
    #[error(transparent)]
    Process(ProcessError),
    #[error("the pip that comes with it is damaged: `{file}` {reason}")]
    Pip { file: String, reason: String },
    #[error("`{file}` needs the shared library `{library}`, which is nowhere on this machine")]
    MissingLibrary { file: String, library: String },
    #[error("`{file}` finds its libraries by {found}, and there is no room to write `{wanted}` there")]
    NoRoomForRpath { file: String, found: String, wanted: String },
    #[error("the install name of `{file}` cannot be made relative: {reason}")]
    MachO { file: String, reason: String },
    #[error("cannot read `{file}` as ELF: {reason}")]
    Elf { file: String, reason: String },
    #[error("cannot {action} `{}`", path.display())]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the build was interrupted")]
    Cancelled,
}

impl Fault for BaseError {
    fn code(&self) -> &'static str {
        match &self.kind {
            BaseErrorKind::NoSource { .. } => "E_BASE_NO_SOURCE",
            BaseErrorKind::OnlyStandIn { .. } => "E_BASE_STAND_IN",
            BaseErrorKind::Download(error) => error.code(),
            BaseErrorKind::Extract(error) => error.code(),
            BaseErrorKind::OtherVersion { .. } | BaseErrorKind::NotCPython { .. } => "E_BASE_CONTENT",
            BaseErrorKind::ModuleSum { .. } | BaseErrorKind::ModuleFile { .. } => "E_BASE_MODULE",
            BaseErrorKind::Go { .. } => "E_BASE_GO",
            BaseErrorKind::Process(error) => error.code(),
            BaseErrorKind::Pip { .. } => "E_BASE_PIP",
            BaseErrorKind::MissingLibrary { .. } => "E_BASE_LIBRARY",
            BaseErrorKind::NoRoomForRpath { .. } | BaseErrorKind::Elf { .. } => "E_BASE_ELF",
            BaseErrorKind::MachO { .. } => "E_BASE_MACH_O",
            BaseErrorKind::Disk { .. } => "E_DISK",
            BaseErrorKind::Store(error) => error.code(),
            BaseErrorKind::Cancelled => "E_INTERRUPTED",
        }
    }

    fn exit(&self) -> Exit {
        match &self.kind {
            BaseErrorKind::Cancelled => Exit::Interrupted,
            BaseErrorKind::Download(error) => error.exit(),
            BaseErrorKind::Process(error) => error.exit(),
            BaseErrorKind::Extract(error) => error.exit(),
            BaseErrorKind::ModuleSum { .. } | BaseErrorKind::ModuleFile { .. } | BaseErrorKind::Pip { .. } => {
                Exit::Trust
            }
            _ => Exit::Build,
        }
    }

    fn is_for_another_machine(&self) -> bool {
        matches!(self.kind, BaseErrorKind::NoSource { .. } | BaseErrorKind::OnlyStandIn { .. })
    }

    fn hint(&self) -> Option<String> {
        match &self.kind {
            BaseErrorKind::NoSource { nearest, .. } => Some(match nearest {
                Some(nearest) if *nearest == self.python => {
                    "make its release reachable (`--python-mirror`), or offer an archive under `python.archives`".to_owned()
                }
                Some(nearest) => format!(
                    "the nearest release with a build is {nearest}; name that one, or offer an archive of {} under `python.archives`",
                    self.python
                ),
                None => "offer an archive under `python.archives`, or a mirror with `--python-mirror`".to_owned(),
            }),
            BaseErrorKind::OnlyStandIn { .. } => Some(
                "make the exact release available (`--python-mirror`, `python.archives`), or accept the other one with `--allow-stand-in`".to_owned(),
            ),
            BaseErrorKind::Download(error) => error.hint(),
            BaseErrorKind::Process(error) => error.hint(),
            BaseErrorKind::Store(error) => error.hint(),
            BaseErrorKind::Extract(error) => match &error.kind {
                ExtractErrorKind::TopFolder { .. } => {
                    Some("repack it with everything below one folder, as python-build-standalone does".to_owned())
                }
                _ => error.hint(),
            },
            BaseErrorKind::OtherVersion { .. } => Some("correct the configured archive or its mirror".to_owned()),
            BaseErrorKind::ModuleSum { .. } | BaseErrorKind::ModuleFile { .. } => {
                Some("clear Go's module cache with `go clean -modcache`; if it happens again, do not trust the module proxy".to_owned())
            }
            BaseErrorKind::Go { program_ran: false, .. } => {
                Some("install Go, or leave `go-module` out of `python.sources`".to_owned())
            }
            BaseErrorKind::MissingLibrary { .. } => {
                Some("install the package that has it, or name another base interpreter source".to_owned())
            }
            BaseErrorKind::NoRoomForRpath { .. } => Some("install `patchelf`, which can make room".to_owned()),
            _ => None,
        }
    }
}

fn listed(asked: &[(BaseSource, String)]) -> String {
    asked.iter().map(|(source, answer)| format!("\n  {}: {answer}", source.as_str())).collect()
}
