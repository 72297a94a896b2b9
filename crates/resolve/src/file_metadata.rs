//! What the metadata of a chosen file says that uv does not look at: the newest Python it is for, requirements that
//! depend on the kernel, which uv knows of no target, and who requires what is left out.
//!
//! A file's metadata never changes, so it is asked for once and then kept in the store under the file's digest.

use std::path::Path;
use std::time::{Duration, SystemTime};

use config_merger::RequirementSource;
use serde::{Deserialize, Serialize};
use vocab::Digest;

use super::ResolutionSearch;
use super::pylock::{AnswerSource, AnsweredDistribution};
use crate::registries::{IndexStanding, Registry};
use store::Context;
use store::download::{self, without_credentials};
use vocab::few_at_once;
use wheel::WheelMetadata;

const FACT: &str = "metadata-of-file";

/// As long as `store prune` keeps a fact of a kind that nothing else is said of.
const REMEMBERED: Duration = Duration::from_secs(365 * 24 * 3600);

/// Requests that wait for a server at the same time.
const AT_ONCE: usize = 8;

/// The lines of a file's `METADATA` that decide whether it fits, and what it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileMetadata {
    pub requires_python: Option<String>,
    /// The lines of `Requires-Dist`. Empty where only an index's page is known, which has none.
    pub requires: Vec<String>,
}

impl FileMetadata {
    fn of(metadata: WheelMetadata) -> Self {
        Self { requires_python: metadata.requires_python, requires: metadata.requires }
    }

    /// The lines that depend on the kernel or name a URL, which uv does not evaluate for the target.
    pub fn particular(&self) -> impl Iterator<Item = &String> {
        self.requires.iter().filter(|line| {
            let (head, marker) = line.split_once(';').unwrap_or((line, ""));
            head.contains('@')
                || ["platform_release", "platform_version", "platform.version"].iter().any(|key| marker.contains(key))
        })
    }

    /// Metadata of a wheel on this machine. `None` if it cannot be read: its own step says why.
    pub(crate) fn of_wheel(path: &Path) -> Option<Self> {
        WheelMetadata::of_file(path).map(Self::of)
    }
}

impl ResolutionSearch<'_> {
    /// In the order of the answers; `None` where nobody tells before the file itself is here, and then its own
    /// metadata is looked at.
    pub(super) fn metadata_of(&self, answers: &[AnsweredDistribution]) -> Vec<Option<FileMetadata>> {
        few_at_once(AT_ONCE, answers, |answer| self.metadata_of_one(answer))
    }

    fn metadata_of_one(&self, answer: &AnsweredDistribution) -> Option<FileMetadata> {
        let file = match &answer.source {
            AnswerSource::Wheel(file) | AnswerSource::Sdist(file) => file,
            AnswerSource::Git { .. } => return None,
            AnswerSource::Local => {
                let requirement = self.request.requirements.iter().find(|it| it.name == answer.name)?;
                let RequirementSource::Path { path, .. } = &requirement.source else { return None };
                return FileMetadata::of_wheel(&path.below(self.settings.repository));
            }
        };
        let digest = file.sha256?;
        if let Some(known) = recall(self.context, &digest) {
            return Some(known);
        }
        let is_wheel = matches!(answer.source, AnswerSource::Wheel(_));
        let own = if is_wheel { beside(self.context, &file.url) } else { None };
        let found = own.or_else(|| {
            // A folder's page tells nothing of its files, and they are here to be looked at.
            let is_told = !self.context.offline && !file.url.starts_with("file:");
            let standing = is_told.then(|| self.standing(&answer.name))?;
            let listed = standing.page()?.files.iter().find(|listed| *listed.file_name == *file.file_name)?;
            Some(FileMetadata { requires_python: listed.requires_python.clone(), requires: Vec::new() })
        })?;
        // Not remembered, it is asked for again.
        if let Ok(value) = serde_json::to_value(&found) {
            let _ = self.context.store.remember(FACT, &digest.to_string(), &value, SystemTime::now());
        }
        Some(found)
    }

    /// What the registry that a distribution is taken from has of it.
    pub(super) fn standing(&self, name: &vocab::DistributionName) -> IndexStanding {
        let registry = self.shelf.place_of(name).map_or(Registry::Default, Registry::Additional);
        self.settings.pages.of(registry, name)
    }
}

pub(crate) fn recall(context: &Context, digest: &Digest) -> Option<FileMetadata> {
    let known = context.store.recall(FACT, &digest.to_string(), REMEMBERED, SystemTime::now())?;
    serde_json::from_value(known).ok()
}

/// The file that an index offers beside a wheel (PEP 658).
fn beside(context: &Context, url: &str) -> Option<FileMetadata> {
    let mut place = url::Url::parse(url).ok()?;
    let path = format!("{}.metadata", place.path());
    place.set_path(&path);
    place.set_fragment(None);
    let bytes = download::fetch_bytes(context, place.as_str(), wheel::LARGEST_METADATA).ok()?;
    WheelMetadata::parse(&bytes).map(FileMetadata::of)
}

/// A URL in a requirement of `metadata`, with what it requires.
pub(crate) fn urls(metadata: &FileMetadata) -> impl Iterator<Item = (&str, String)> {
    metadata.particular().filter_map(|line| {
        let head = line.split(" ;").next().unwrap_or(line);
        let (name, url) = head.split_once('@')?;
        Some((name.split('[').next().unwrap_or(name).trim(), without_credentials(url.trim())))
    })
}

#[cfg(test)]
mod tests {
    use testkit::WheelBuilder;

    use super::*;

    #[test]
    fn what_the_resolver_does_not_answer_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = WheelBuilder::new("demo", "1.0")
            .requires_python(">=3.8,<3.12")
            .requires("six")
            .requires("idna; platform_release >= \"3.10\"")
            .requires("hdep @ file:///somewhere/hdep-1.0-py3-none-any.whl")
            .build();
        let found = FileMetadata::of_wheel(&wheel.write_to(folder.path())).unwrap();
        assert_eq!(found.requires_python.as_deref(), Some(">=3.8,<3.12"));
        assert_eq!((found.requires.len(), found.particular().count()), (3, 2), "{found:?}");
        let urls: Vec<_> = urls(&found).collect();
        assert_eq!(urls, [("hdep", "file:///somewhere/hdep-1.0-py3-none-any.whl".to_owned())]);
    }
}
