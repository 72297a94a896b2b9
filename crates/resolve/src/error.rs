//! Why a resolution failed.

use std::io;
use std::path::{Path, PathBuf};

use vocab::{DistributionName, Exit, Fault, PlatformKey, PythonVersion, TreePath};

use process::is_long;

use super::{AllUnavailable, MOST_ROUNDS, PylockError, Request, UvError};

/// Hint of every refusal because of `Requires-Python`.
pub const REQUIRES_PYTHON_HINT: &str =
    "ask for a version that is for this Python, or leave the version open; the newest that fits is taken";
/// Hint of every refusal because of `--no-build`.
pub const NO_BUILD_HINT: &str = "pin versions that have a wheel here, skip them, or build without --no-build";

/// Why a platform of a runtime could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve {}{runtime} for {platform}", alone.as_ref().map(|it| format!("`{it}` of ")).unwrap_or_default())]
pub struct ResolveError {
    pub runtime: vocab::VersionString,
    pub platform: PlatformKey,
    /// The requirement, where it is one of several that are resolved each for itself.
    pub alone: Option<String>,
    /// Holds all that the resolver said, where the message shows its beginning and end.
    pub log: Option<PathBuf>,
    #[source]
    pub kind: Box<ResolveErrorKind>,
}

/// What ended the resolution. Texts hold no credentials; uv's own words are shortened.
#[derive(Debug, thiserror::Error)]
pub enum ResolveErrorKind {
    #[error(transparent)]
    Uv(#[from] UvError),
    #[error(transparent)]
    Answer(#[from] PylockError),
    #[error("the store cannot be written")]
    Store(#[source] io::Error),
    /// And nothing allows that it is missing.
    #[error("no wheel of `{name}` fits, and {why}")]
    StrictMissing { name: DistributionName, why: String },
    #[error("{0}")]
    Unavailable(AllUnavailable),
    #[error("the index gives no SHA-256 for `{file}`")]
    NoDigest { file: String },
    #[error("`{name}` has no local source at `{path}`")]
    NoPath { name: DistributionName, path: TreePath },
    #[error("the resolver still finds distributions without a wheel after {MOST_ROUNDS} rounds: {names}")]
    Rounds { names: String },
    #[error("{name} {version} requires Python `{requires_python}`, and the runtime has {python}")]
    RequiresPython { name: DistributionName, version: String, requires_python: String, python: PythonVersion },
    #[error("`{parent}` requires `{name}` by the URL {url}, which is not supported")]
    FileUrl { parent: DistributionName, name: DistributionName, url: String },
    #[error("--no-build: code of {names} would have to be run")]
    NoBuild { names: String },
}

impl ResolveError {
    /// The error of this request, without a log.
    pub fn new(request: &Request, kind: ResolveErrorKind) -> Self {
        let alone = request.requirements.first().filter(|_| request.is_alone);
        Self {
            runtime: request.runtime.clone(),
            platform: request.target.platform,
            alone: alone.map(|requirement| requirement.text.clone()),
            log: None,
            kind: Box::new(kind),
        }
    }

    /// Keeps what the message has no room for in a log of this folder.
    pub(super) fn logged(mut self, logs: &Path) -> Self {
        let ResolveErrorKind::Uv(UvError::Refused { reason } | UvError::Unreachable { reason }) = self.kind.as_ref()
        else {
            return self;
        };
        // The name alone: a requirement may hold what no file name can.
        let own = self.alone.as_ref().map(|text| format!("-{}", file_name_of(text))).unwrap_or_default();
        let path = logs.join(format!("resolve-{}{own}.log", self.platform));
        // A log that cannot be written is no second error.
        let written = is_long(reason)
            && std::fs::create_dir_all(logs).and_then(|()| std::fs::write(&path, format!("{reason}\n"))).is_ok();
        self.log = written.then_some(path);
        self
    }

    /// The resolver answered, and says that nothing fits; rather than that it could not ask.
    pub fn is_refusal(&self) -> bool {
        let kind = self.kind.as_ref();
        matches!(
            kind,
            ResolveErrorKind::Uv(UvError::Refused { .. })
                | ResolveErrorKind::StrictMissing { .. }
                | ResolveErrorKind::Unavailable(_)
                | ResolveErrorKind::Rounds { .. }
                | ResolveErrorKind::RequiresPython { .. }
                | ResolveErrorKind::Answer(_)
        )
    }
}

fn file_name_of(requirement: &str) -> String {
    requirement.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect()
}

impl Fault for ResolveError {
    fn code(&self) -> &'static str {
        match self.kind.as_ref() {
            ResolveErrorKind::Uv(error) => error.code(),
            ResolveErrorKind::Answer(_) | ResolveErrorKind::Rounds { .. } => "E_RESOLVE",
            ResolveErrorKind::Store(_) => "E_STORE",
            ResolveErrorKind::StrictMissing { .. } => "E_NO_WHEEL",
            ResolveErrorKind::Unavailable(all) => all.code(),
            ResolveErrorKind::NoBuild { .. } => "E_NO_BUILD",
            ResolveErrorKind::NoDigest { .. } => "E_NO_DIGEST",
            ResolveErrorKind::NoPath { .. } | ResolveErrorKind::FileUrl { .. } => "E_LOCAL_SOURCE",
            ResolveErrorKind::RequiresPython { .. } => "E_REQUIRES_PYTHON",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind.as_ref() {
            ResolveErrorKind::Uv(error) => error.exit(),
            ResolveErrorKind::NoPath { .. } | ResolveErrorKind::FileUrl { .. } => Exit::Usage,
            ResolveErrorKind::NoDigest { .. } | ResolveErrorKind::Answer(PylockError::FileName { .. }) => Exit::Trust,
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        if let Some(log) = &self.log {
            return Some(format!("all that uv said is in `{}`", log.display()));
        }
        match self.kind.as_ref() {
            ResolveErrorKind::Uv(error) => error.hint(),
            ResolveErrorKind::StrictMissing { name, .. } => Some(format!(
                "allow its source with `packages.resolution.allowSourceList`, or skip `{name}` here; --allow-missing \
                     builds without it"
            )),
            ResolveErrorKind::Unavailable(all) => Some(all.hint()),
            ResolveErrorKind::NoDigest { .. } => Some("pydist installs nothing that it cannot check".into()),
            ResolveErrorKind::NoBuild { .. } => Some(NO_BUILD_HINT.into()),
            ResolveErrorKind::RequiresPython { .. } => Some(REQUIRES_PYTHON_HINT.into()),
            ResolveErrorKind::FileUrl { url, .. } => {
                let file = url.rsplit('/').next().unwrap_or_default();
                Some(format!("put the file into the repository and list it yourself, as `./{file}` in `dependencies`"))
            }
            _ => None,
        }
    }
}
