//! The folder that holds `shared-config.json` and a folder `python-<version string>` for each runtime.

use std::path::{Path, PathBuf};

use vocab::{Fault, VersionString, VersionStringError};

/// The file with the defaults of every runtime.
pub(crate) const SHARED_CONFIG: &str = "shared-config.json";

/// More names would make a message longer, not clearer.
const MAX_SUGGESTIONS: usize = 8;

/// A folder that is taken as a repository. It may be moved or edited at any time, so nothing is kept of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The nearest folder, `start` or above it, with a `shared-config.json`. If there is none, the nearest with a
    /// `python-<version string>` folder, so that the missing `shared-config.json` can be reported.
    pub fn find(start: &Path) -> Result<Self, RepositoryError> {
        let absolute = std::path::absolute(start);
        let start = absolute.map_err(|_| RepositoryError::NotFound { start: start.to_owned() })?;
        let nearest = |holds: &dyn Fn(&Self) -> bool| start.ancestors().map(Self::at).find(holds);
        nearest(&|folder| folder.root.join(SHARED_CONFIG).is_file())
            .or_else(|| nearest(&|folder| !folder.versions().is_empty()))
            .ok_or_else(|| RepositoryError::NotFound { start: start.clone() })
    }

    /// The folder that the user named, which must be there.
    pub fn named(root: impl Into<PathBuf>) -> Result<Self, RepositoryError> {
        let root = root.into();
        if root.is_dir() { Ok(Self { root }) } else { Err(RepositoryError::NoRoot { root }) }
    }

    /// Checks nothing; a missing folder is reported by whatever reads from it.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// As given or found; relative if `start` was.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The versions of all folders `python-<version string>`, in ascending order. Empty if the root cannot be read.
    pub fn versions(&self) -> Vec<VersionString> {
        VersionString::folders_in(&self.root).unwrap_or_default()
    }

    /// Parses the user's text; the folder of the version must exist.
    pub fn version(&self, text: &str) -> Result<VersionString, RepositoryError> {
        let known = || self.versions();
        let version: VersionString = match text.parse() {
            Ok(version) => version,
            Err(error) => {
                return Err(RepositoryError::Malformed { error, nearest: nearest_first(known(), text) });
            }
        };
        let known = known();
        // Compared with the list rather than the disk, because some file systems treat `ATLS` as `atls`.
        if known.contains(&version) {
            return Ok(version);
        }
        let text = version.to_string();
        Err(RepositoryError::NoFolder { root: self.root.clone(), version, nearest: nearest_first(known, &text) })
    }
}

/// The same Python first, whatever the variant; then by edit distance.
fn nearest_first(mut known: Vec<VersionString>, text: &str) -> Vec<VersionString> {
    let python = text.split('-').next().unwrap_or_default();
    known.sort_by_cached_key(|version| {
        let other = version.to_string();
        (version.python().to_string() != python, strsim::damerau_levenshtein(&other, text), version.clone())
    });
    known
}

/// No repository, or not with this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[fault(Usage, hint_with = Self::hint_text)]
pub enum RepositoryError {
    #[error("no repository here: neither `{}` nor a folder above it holds `shared-config.json`", start.display())]
    #[fault("E_REPOSITORY")]
    NotFound { start: PathBuf },
    #[error("there is no folder `{}`", root.display())]
    #[fault("E_REPOSITORY")]
    NoRoot { root: PathBuf },
    #[error("{error}")]
    #[fault("E_VERSION_MALFORMED")]
    Malformed { error: VersionStringError, nearest: Vec<VersionString> },
    #[error("the folder `{}` is missing in `{}`", version.folder_name(), root.display())]
    #[fault("E_VERSION_UNKNOWN")]
    NoFolder {
        root: PathBuf,
        version: VersionString,
        /// All that exist, nearest first.
        nearest: Vec<VersionString>,
    },
}

fn listed(versions: &[VersionString]) -> String {
    let names: Vec<String> = versions.iter().take(MAX_SUGGESTIONS).map(ToString::to_string).collect();
    match versions.len().saturating_sub(MAX_SUGGESTIONS) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

impl RepositoryError {
    fn hint_text(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some("change to the repository's folder, or name it with --repository".into()),
            Self::NoRoot { .. } => Some("name the repository's folder with --repository".into()),
            Self::Malformed { nearest, .. } if nearest.is_empty() => None,
            Self::Malformed { nearest, .. } => Some(format!("existing versions: {}", listed(nearest))),
            Self::NoFolder { version, nearest, .. } if nearest.is_empty() => {
                Some(format!("create the folder `{}`; there is no version yet", version.folder_name()))
            }
            Self::NoFolder { nearest, .. } => Some(format!("existing versions, nearest first: {}", listed(nearest))),
        }
    }
}
