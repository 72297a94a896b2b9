//! `3.12.10` or `3.12.10-atls`: a Python version and, after the first `-`, a variant.

use std::path::Path;
use std::str::FromStr;
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};

/// A CPython release, all three numbers given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonVersion {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
}

impl PythonVersion {
    /// The minor version, `3.12`: the part in folder names and wheel tags.
    pub fn minor_version(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// Whether both have the same minor version; wheels and folders of one then serve the other.
    pub fn same_series(self, other: Self) -> bool {
        (self.major, self.minor) == (other.major, other.minor)
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}.{}.{}", self.major, self.minor, self.patch))
    }
}

impl FromStr for PythonVersion {
    type Err = VersionStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || VersionStringError { text: text.to_owned() };
        let mut numbers = text.split('.').map(release_number);
        let mut next = || numbers.next().flatten();
        match (next(), next(), next(), numbers.next()) {
            (Some(major), Some(minor), Some(patch), None) => Ok(Self { major, minor, patch }),
            _ => Err(malformed()),
        }
    }
}

impl TryFrom<String> for PythonVersion {
    type Error = VersionStringError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PythonVersion> for String {
    fn from(version: PythonVersion) -> Self {
        version.to_string()
    }
}

/// The name of a runtime and, after `python-`, of its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionString {
    python: PythonVersion,
    variant: Option<String>,
}

impl VersionString {
    pub(crate) fn new(python: PythonVersion, variant: Option<String>) -> Self {
        Self { python, variant }
    }

    /// Always a full release, `3.12.10`; the lock and the base interpreter depend on it.
    pub fn python(&self) -> PythonVersion {
        self.python
    }

    /// What follows the first `-`: lower or upper case letters, digits, `-`, `_` and `.`.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// `python-3.12.10-atls`.
    pub fn folder_name(&self) -> String {
        format!("python-{self}")
    }

    /// The versions that have a folder in the repository at `root`, in ascending order.
    pub fn folders_in(root: &Path) -> io::Result<Vec<Self>> {
        let folders = fs::read_dir(root)?.flatten().filter(|entry| entry.path().is_dir());
        let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_prefix("python-")?.parse().ok();
        let mut versions: Vec<Self> = folders.filter_map(name).collect();
        versions.sort();
        Ok(versions)
    }

    /// KEY in an artifact's name: the variant, or `python` for the plain runtime.
    pub fn artifact_key(&self) -> &str {
        self.variant().unwrap_or("python")
    }
}

impl fmt::Display for VersionString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variant {
            Some(variant) => formatter.pad(&format!("{}-{variant}", self.python)),
            None => formatter.pad(&self.python.to_string()),
        }
    }
}

/// The text is not `X.Y.Z` or `X.Y.Z-variant`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version string; write X.Y.Z or X.Y.Z-variant, for example 3.12.10 or 3.12.10-atls")]
pub struct VersionStringError {
    pub text: String,
}

impl FromStr for VersionString {
    type Err = VersionStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || VersionStringError { text: text.to_owned() };
        let (python, variant) = match text.split_once('-') {
            Some((python, variant)) => (python, Some(variant)),
            None => (text, None),
        };
        let python = python.parse().map_err(|_| malformed())?;
        if variant.is_some_and(|variant| !is_variant(variant)) {
            return Err(malformed());
        }
        Ok(Self { python, variant: variant.map(str::to_owned) })
    }
}

/// One number of a release, without leading zeros.
pub(crate) fn release_number(part: &str) -> Option<u16> {
    let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let padded = part.len() > 1 && part.starts_with('0');
    if plain && !padded { part.parse().ok() } else { None }
}

/// The variant becomes part of folder and file names on every platform.
pub(crate) fn is_variant(text: &str) -> bool {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    let ends_well = text.ends_with(|last: char| last.is_ascii_alphanumeric());
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    starts_well && ends_well && plain && text.len() <= 64
}

impl TryFrom<String> for VersionString {
    type Error = VersionStringError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VersionString> for String {
    fn from(version: VersionString) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b9_only_full_versions_with_a_plain_variant_are_accepted() {
        let cases = [
            // (text, accepted)
            ("3.12.10", true),
            ("3.12.10-atls", true),
            ("3.12.10-torch-cuda", true), // the variant is everything after the first `-`
            ("3.12", false),
            ("v3.12.10", false),
            ("3.12.10-", false),
            ("3.12.010", false),
            ("3.12.10-../x", false),
            ("../x", false),
            ("../etc", false),
            ("", false),
            ("3.12.+1", false),
            ("3.12.99999999", false),
        ];
        for (text, accepted) in cases {
            assert_eq!(text.parse::<VersionString>().is_ok(), accepted, "for {text:?}");
        }
    }

    #[test]
    fn a_version_string_names_its_folder_and_its_artifact() {
        let variant: VersionString = "3.12.10-torch-cuda".parse().unwrap();
        assert_eq!(variant.folder_name(), "python-3.12.10-torch-cuda");
        assert_eq!((variant.python().to_string().as_str(), variant.artifact_key()), ("3.12.10", "torch-cuda"));
        let plain: VersionString = "3.10.11".parse().unwrap();
        assert_eq!((plain.python().minor_version().as_str(), plain.artifact_key()), ("3.10", "python"));
    }
}
