//! A delta: what a runtime lacks for some requirements, made beforehand, so that a pod needs no index.
//!
//! Its record says what it was made for. It serves no other Python or platform: wheels are chosen for both.

use config_merger::Requirement;
use serde::{Deserialize, Serialize};
use vocab::{Digest, FileName, PlatformKey};

use crate::runtime_facts::RuntimeFacts;

/// Raised when a reader of the former format would go wrong.
pub const DELTA_FORMAT: u32 = 1;

/// The record of a delta, a JSON file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaRecord {
    /// [`DELTA_FORMAT`].
    pub format: u32,
    /// A minor version, `3.12`.
    pub python: String,
    pub platform: PlatformKey,
    /// As [`requirement_line`] writes them; sorted, none twice.
    pub requirements: Vec<String>,
    /// The wheels, sorted by name.
    pub files: Vec<DeltaFile>,
}

/// One wheel of a delta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaFile {
    pub name: FileName,
    /// In bytes.
    pub size: u64,
    pub sha256: Digest,
}

/// Name, extras and specifiers in one spelling, without marker.
pub fn requirement_line(requirement: &Requirement) -> String {
    requirement.for_resolver(std::path::Path::new(""))
}

/// What a delta is named by: the same requirements for the same Python and platform, in any order and spelling.
pub fn delta_name(python: &str, platform: PlatformKey, requirements: &[Requirement]) -> Digest {
    let mut lines: Vec<String> = requirements.iter().map(requirement_line).collect();
    lines.sort();
    lines.dedup();
    Digest::of(format!("delta {DELTA_FORMAT}\n{python}\n{platform}\n{}\n", lines.join("\n")))
}

impl DeltaRecord {
    /// Whether it was made for this Python and platform and has every one of these requirements.
    pub fn satisfies(&self, requirements: &[Requirement], runtime: &RuntimeFacts) -> bool {
        self.format == DELTA_FORMAT
            && self.python == runtime.minor_version()
            && self.platform == runtime.layout.platform
            && requirements.iter().all(|requirement| self.requirements.contains(&requirement_line(requirement)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_is_named_by_what_was_asked_for_and_not_by_how() {
        let requirements = |text: &str| crate::package_list::parse(text).unwrap();
        let name = |python: &str, text: &str| delta_name(python, PlatformKey::LinuxX64, &requirements(text));
        let one = name("3.12", "Foo.Bar[b,a]<2,>=1, six");
        assert_eq!(one, name("3.12", "six,foo-bar[a,b]>=1,<2,six"));
        assert_ne!(one, name("3.11", "six,foo-bar[a,b]>=1,<2"));
        assert_ne!(one, name("3.12", "six,foo-bar[a]>=1,<2"));
    }
}
