//! Why a resolution failed.

use std::io;
use std::path::{Path, PathBuf};

use vocab::{DistributionName, Fault, PlatformKey, PythonVersion, TreePath};

use process::is_long;

use super::{AllUnavailable, MOST_ROUNDS, PylockError, Request, UvError};

/// Hint of every refusal because of `Requires-Python`.
pub const REQUIRES_PYTHON_HINT: &str =
    "ask for a version that is for this Python, or leave the version open; the newest that fits is taken";
/// Hint of every refusal because of `--no-build`.
pub const NO_BUILD_HINT: &str = "pin versions that have a wheel here, skip them, or build without --no-build";

/// Why a platform of a runtime could not be resolved.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot resolve {}{runtime} for {platform}", alone.as_ref().map(|it| format!("`{it}` of ")).unwrap_or_default())]
#[fault(transparent = kind, hint_with = Self::hint_text)]
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
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum ResolveErrorKind {
    #[error(transparent)]
    #[fault(transparent)]
    Uv(#[from] UvError),
    #[error(transparent)]
    #[fault(transparent)]
    Answer(#[from] PylockError),
    #[error("the store cannot be written")]
    #[fault("E_STORE")]
    Store(#[source] io::Error),
    /// And nothing allows that it is missing.
    #[error("no wheel of `{name}` fits, and {why}")]
    #[fault(
        "E_NO_WHEEL",
        hint(
            "allow its source with `packages.resolution.allowSourceList`, or skip `{name}` here; --allow-missing \
             builds without it"
        )
    )]
    StrictMissing { name: DistributionName, why: String },
    #[error("{0}")]
    #[fault(transparent)]
    Unavailable(AllUnavailable),
    #[error("the index provides no SHA-256 for `{file}`")]
    #[fault("E_NO_DIGEST", Trust, hint("pydist installs nothing that it cannot check"))]
    NoDigest { file: String },
    #[error("`{name}` has no local source at `{path}`")]
    #[fault("E_LOCAL_SOURCE", Usage)]
    NoPath { name: DistributionName, path: TreePath },
    #[error("the resolver still finds distributions without a wheel after {MOST_ROUNDS} rounds: {names}")]
    #[fault("E_RESOLVE")]
    Rounds { names: String },
    #[error("{name} {version} requires Python `{requires_python}`, and the runtime has {python}")]
    #[fault("E_REQUIRES_PYTHON", hint("{REQUIRES_PYTHON_HINT}"))]
    RequiresPython { name: DistributionName, version: String, requires_python: String, python: PythonVersion },
    #[error("`{parent}` requires `{name}` by the URL {url}, which is not supported")]
    #[fault(
        "E_LOCAL_SOURCE", Usage,
        hint(
            "put the file into the repository and list it yourself, as `./{}` in `dependencies`", url.rsplit('/').next().unwrap_or_default()
        )
    )]
    FileUrl { parent: DistributionName, name: DistributionName, url: String },
    #[error("--no-build: code of {names} would have to run")]
    #[fault("E_NO_BUILD", hint("{NO_BUILD_HINT}"))]
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
        // A log that cannot be written is not a second error.
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

impl ResolveError {
    fn hint_text(&self) -> Option<String> {
        match &self.log {
            Some(log) => Some(format!("the whole output of uv is in `{}`", log.display())),
            None => self.kind.hint(),
        }
    }
}
