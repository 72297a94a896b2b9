//! The record of a delta: what it was made for, and its wheels.

use std::collections::BTreeMap;

use config_merger::Requirement;
use serde::{Deserialize, Serialize};
use vocab::{Digest, DistributionName, FileName, PlatformKey};

use super::DeltaError;
use crate::runtime_facts::RuntimeFacts;

/// Raised when a reader of the former format would go wrong.
pub const DELTA_FORMAT: u32 = 2;

/// Older records are refused.
const OLDEST_FORMAT: u32 = 1;

/// Goes into the names of deltas, which stayed the same when the format changed.
const NAMING: u32 = 1;

/// The record of a delta, a JSON file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaRecord {
    /// [`DELTA_FORMAT`], or what an older program wrote.
    pub format: u32,
    /// A minor version, `3.12`.
    pub python: String,
    pub platform: PlatformKey,
    /// As [`requirement_line`] writes them; sorted, none twice.
    pub requirements: Vec<String>,
    /// What the wheels require and the runtime had, by its version. A runtime that has another one is another runtime.
    pub relies_on: BTreeMap<DistributionName, String>,
    /// The wheels, sorted by name.
    pub files: Vec<DeltaFile>,
}

/// One wheel of a delta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaFile {
    pub name: FileName,
    /// In bytes.
    pub size: u64,
    pub sha256: Digest,
    /// Of its modules; absent if it has none, or if they were left uncompiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_code: Option<ByteCodeFile>,
}

impl DeltaFile {
    /// What a pod fetches for it, in bytes.
    pub fn bytes(&self) -> u64 {
        self.size + self.byte_code.as_ref().map_or(0, |byte_code| byte_code.size)
    }
}

/// An archive with the byte code of one wheel's modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByteCodeFile {
    /// In bytes.
    pub size: u64,
    pub sha256: Digest,
}

/// One object that pods fetch for a delta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeltaBlob {
    /// For messages.
    pub name: String,
    pub size: u64,
    pub sha256: Digest,
}

/// The wheels and their byte code.
pub(super) fn blobs(files: &[DeltaFile]) -> Vec<DeltaBlob> {
    let mut blobs = Vec::new();
    for file in files {
        blobs.push(DeltaBlob { name: file.name.to_string(), size: file.size, sha256: file.sha256 });
        if let Some(ByteCodeFile { size, sha256 }) = file.byte_code {
            blobs.push(DeltaBlob { name: format!("byte code of {}", file.name), size, sha256 });
        }
    }
    blobs
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
    Digest::of(format!("delta {NAMING}\n{python}\n{platform}\n{}\n", lines.join("\n")))
}

impl DeltaRecord {
    /// Its text in the place, by which it has its digest.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data with text keys") + "\n"
    }

    /// Why it is not a record.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let format = serde_json::from_slice::<serde_json::Value>(bytes)
            .ok()
            .and_then(|value| value.get("format").and_then(serde_json::Value::as_u64));
        match format {
            Some(found) if !(u64::from(OLDEST_FORMAT)..=u64::from(DELTA_FORMAT)).contains(&found) => {
                Err(format!("it has format {found}, this program reads formats {OLDEST_FORMAT} to {DELTA_FORMAT}"))
            }
            _ => vocab::typed_json::read(bytes).map_err(|error| error.to_string()),
        }
    }

    /// Refuses what was made for another Python, platform or runtime, or lacks one of these requirements.
    pub fn check(&self, requirements: &[Requirement], runtime: &RuntimeFacts) -> Result<(), DeltaError> {
        let (python, platform) = (runtime.minor_version(), runtime.layout.platform);
        if (&self.python, self.platform) != (&python, platform) {
            let shown = |python: &str, platform: PlatformKey| format!("Python {python} on {platform}");
            return Err(DeltaError::Other {
                baked: shown(&self.python, self.platform),
                here: shown(&python, platform),
            });
        }
        for (name, version) in &self.relies_on {
            let here = runtime.installed.get(name).map(|installed| installed.version.to_string());
            if here.as_ref() != Some(version) {
                let here = here.map_or_else(|| format!("no {name}"), |here| format!("{name} {here}"));
                return Err(DeltaError::Other { baked: format!("a runtime with {name} {version}"), here });
            }
        }
        let lines = requirements.iter().map(requirement_line);
        let names: Vec<String> = lines.filter(|line| !self.requirements.contains(line)).collect();
        if names.is_empty() { Ok(()) } else { Err(DeltaError::Lacks { names }) }
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
