//! One thing to install: a requirement (PEP 508), a git URL, a URL or a path in the repository.
//!
//! `requirement_text.rs` parses it.

use std::path::Path;

use pep440_rs::VersionSpecifiers;
use pep508_rs::{ExtraName, MarkerTree};
use serde::{Serialize, Serializer};
use vocab::{DistributionName, PlatformKey, PythonVersion, SystemVersion, TreePath, VersionString};

use crate::TextPlace;
use crate::applies::{self, MarkerAnswer};

/// Serialised as its canonical text. Two are equal if their texts are.
#[derive(Clone, Debug)]
pub struct Requirement {
    pub name: DistributionName,
    /// Sorted, none twice.
    pub extras: Vec<ExtraName>,
    pub source: RequirementSource,
    /// True for every target if none is written.
    pub marker: MarkerTree,
    /// The whole in canonical form; a path in it is relative to the package folder.
    pub text: String,
    /// Where it was written. Not part of the canonical output.
    pub place: TextPlace,
    /// The specifier before `packages.overrides` replaced it, possibly empty. Not part of the canonical output.
    pub overridden: Option<String>,
}

/// Where the distribution comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequirementSource {
    /// From the indexes, by name.
    Index {
        /// Empty: any version.
        specifier: VersionSpecifiers,
    },
    Git {
        /// Without the leading `git+` and without the reference: `https://git.example.org/group/project.git`.
        url: String,
        /// A branch, tag or commit.
        reference: Option<String>,
        /// Folder in the repository, if the project is not at its top.
        subdirectory: Option<String>,
    },
    /// A file or folder of the repository.
    Path {
        /// Below the repository's root.
        path: TreePath,
        kind: PathKind,
    },
    /// An archive that is downloaded; its digest is locked.
    Url { url: String },
}

/// Decided by the name alone, so that merging needs no disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A wheel or a source archive.
    File,
    Folder,
}

impl PartialEq for Requirement {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Requirement {}

impl Serialize for Requirement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl Requirement {
    /// Updates the canonical text from the other fields.
    #[must_use]
    pub(crate) fn with_text(mut self, version: &VersionString) -> Self {
        let head = self.head();
        let body = match &self.source {
            RequirementSource::Index { specifier } => format!("{head}{}", compact(specifier)),
            RequirementSource::Path { path, .. } => format!("{head} @ {}", from_package_folder(path, version)),
            other => format!("{head} @ {}", other.reference_text().unwrap_or_default()),
        };
        self.text = match self.marker.try_to_string() {
            Some(marker) => format!("{body} ; {marker}"),
            None => body,
        };
        self
    }

    /// Whether it comes from a git repository; these need a rule that allows it.
    pub fn is_git(&self) -> bool {
        matches!(self.source, RequirementSource::Git { .. })
    }

    /// Whether the marker holds on the target, whatever machine this runs on. `system` is the oldest that the runtime
    /// must run on.
    pub fn applies(&self, platform: PlatformKey, python: PythonVersion, system: Option<SystemVersion>) -> MarkerAnswer {
        applies::applies(&self.marker, platform, python, system)
    }

    /// The line for a resolver. `repository` is the absolute path of the repository's root; it appears only in path
    /// sources. The marker is omitted: requirements that do not apply are not passed on.
    pub fn for_resolver(&self, repository: &Path) -> String {
        let head = self.head();
        match &self.source {
            RequirementSource::Index { specifier } => format!("{head}{}", compact(specifier)),
            RequirementSource::Path { path, .. } => {
                let place = path.below(repository);
                match url::Url::from_file_path(&place) {
                    Ok(url) => format!("{head} @ {url}"),
                    // Only if `repository` is not absolute.
                    Err(()) => format!("{head} @ {}", place.display()),
                }
            }
            RequirementSource::Git { .. } | RequirementSource::Url { .. } => {
                format!("{head} @ {}", self.source.reference_text().unwrap_or_default())
            }
        }
    }

    pub(crate) fn unite_extras(&mut self, other: &Self, version: &VersionString) {
        let before = self.extras.len();
        self.extras.extend(other.extras.iter().cloned());
        self.extras.sort();
        self.extras.dedup();
        if self.extras.len() > before {
            *self = self.clone().with_text(version);
        }
    }

    /// Name and extras.
    pub(crate) fn head(&self) -> String {
        if self.extras.is_empty() {
            return self.name.to_string();
        }
        let extras: Vec<&str> = self.extras.iter().map(AsRef::as_ref).collect();
        format!("{}[{}]", self.name, extras.join(","))
    }
}

impl RequirementSource {
    /// Whether a git requirement names no commit: a branch or a tag can move.
    pub fn is_loose_git(&self) -> bool {
        let Self::Git { reference, .. } = self else { return false };
        let commit = |text: &String| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        !reference.as_ref().is_some_and(commit)
    }

    /// The text after the `@`; `None` for an index, and for a path, which depends on where it is read.
    pub(crate) fn reference_text(&self) -> Option<String> {
        match self {
            Self::Index { .. } | Self::Path { .. } => None,
            Self::Url { url } => Some(url.clone()),
            Self::Git { url, reference, subdirectory } => {
                let reference = reference.as_ref().map(|reference| format!("@{reference}")).unwrap_or_default();
                let fragment = subdirectory.as_ref().map(|path| format!("#subdirectory={path}")).unwrap_or_default();
                Some(format!("git+{url}{reference}{fragment}"))
            }
        }
    }
}

fn from_package_folder(path: &TreePath, version: &VersionString) -> String {
    let folder = version.folder_name();
    match path.as_str().strip_prefix(&folder) {
        Some("") => "./".into(),
        Some(rest) if rest.starts_with('/') => format!(".{rest}"),
        _ => format!("../{path}"),
    }
}

/// `>=2,<3`: without the spaces of PEP 440's own display, as requirement files are written.
pub(crate) fn compact(specifier: &VersionSpecifiers) -> String {
    specifier.to_string().replace(' ', "")
}
