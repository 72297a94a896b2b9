//! `KEY`, `KEY:VERSION` or `dep::NAMESPACE`: the distribution that an extension asks for.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use vocab::{Fault, refused_by_windows};

/// KEY is at most this long, in characters.
const MAX_KEY: usize = 100;
/// VERSION is at most this long, in characters.
const MAX_VERSION: usize = 64;

/// What the member `environment` of a descriptor says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvironmentId {
    Own(DistributionId),
    /// The distribution of the extension with this namespace.
    Dependency(String),
}

/// A distribution by its key and, unless the latest is meant, its version. Both are fit for names of files on all systems.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DistributionId {
    key: String,
    version: Option<String>,
}

impl DistributionId {
    /// The id that an extension without `environment` has.
    pub fn derived(namespace: &str, version: &str) -> Result<Self, EnvironmentIdError> {
        format!("{namespace}:{version}").parse()
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// `None`: the latest.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The same key with this version.
    pub(crate) fn at(&self, version: &str) -> Result<Self, EnvironmentIdError> {
        format!("{}:{version}", self.key).parse()
    }

    /// The name of its folder: `KEY-VERSION` or `KEY`.
    ///
    /// ```
    /// let id: extension::DistributionId = "other:1.0.0".parse()?;
    /// assert_eq!(id.folder_name(), "other-1.0.0");
    /// # Ok::<(), extension::EnvironmentIdError>(())
    /// ```
    pub fn folder_name(&self) -> String {
        match &self.version {
            Some(version) => format!("{}-{version}", self.key),
            None => self.key.clone(),
        }
    }
}

impl fmt::Display for DistributionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "{}:{version}", self.key),
            None => formatter.write_str(&self.key),
        }
    }
}

impl fmt::Display for EnvironmentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(id) => id.fmt(formatter),
            Self::Dependency(namespace) => write!(formatter, "dep::{namespace}"),
        }
    }
}

impl Serialize for DistributionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for EnvironmentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not an environment id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("`{}` is not an environment id: {reason}", shown(text))]
#[fault("E_ENV_ID", Usage, hint("write KEY, KEY:VERSION or dep::NAMESPACE, such as `custom:1.0.0`"))]
pub struct EnvironmentIdError {
    pub text: String,
    pub reason: &'static str,
}

fn shown(text: &str) -> String {
    let start: String = text.chars().take(MAX_KEY).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}

impl FromStr for DistributionId {
    type Err = EnvironmentIdError;

    fn from_str(text: &str) -> Result<Self, EnvironmentIdError> {
        let wrong = |reason| EnvironmentIdError { text: text.to_owned(), reason };
        let (key, version) = match text.split_once(':') {
            Some((key, version)) => (key, Some(version)),
            None => (text, None),
        };
        if let Some(reason) = fault_of(key, MAX_KEY, "._-") {
            return Err(wrong(reason));
        }
        if let Some(reason) = version.and_then(|version| fault_of(version, MAX_VERSION, "._+-")) {
            return Err(wrong(reason));
        }
        let id = Self { key: key.to_owned(), version: version.map(str::to_owned) };
        let is_name = |name: &str| name.parse().is_ok_and(|path| refused_by_windows(&path).is_none());
        match is_name(&id.key) && is_name(&id.folder_name()) {
            true => Ok(id),
            false => Err(wrong("it is not a file name on Windows")),
        }
    }
}

fn fault_of(part: &str, most: usize, others: &str) -> Option<&'static str> {
    if part.is_empty() {
        Some("a part is empty")
    } else if part.chars().count() > most {
        Some("it is too long")
    } else if !part.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        Some("each part begins with a letter or a digit")
    } else if !part.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character)) {
        Some("only letters, digits and a few signs are allowed")
    } else if part.contains("..") || part.ends_with('.') {
        Some("`..` and a dot at the end are not allowed")
    } else {
        None
    }
}

impl FromStr for EnvironmentId {
    type Err = EnvironmentIdError;

    fn from_str(text: &str) -> Result<Self, EnvironmentIdError> {
        let Some(namespace) = text.strip_prefix("dep::") else { return text.parse().map(Self::Own) };
        match fault_of(namespace, MAX_KEY, "._-") {
            None => Ok(Self::Dependency(namespace.to_owned())),
            Some(reason) => Err(EnvironmentIdError { text: text.to_owned(), reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PEL 46
    #[test]
    fn pel_46_what_is_not_fit_for_a_name_is_not_an_id() {
        let long = "k".repeat(200);
        for text in
            ["../x", "a/b", "", "a:", ":1", &long, "con", "nul:1.0", "a..b", "a.", "a:1.", "-a", "a:b:c", "dep::", "ä"]
        {
            let error = text.parse::<EnvironmentId>().expect_err(text);
            assert_eq!(error.code(), "E_ENV_ID", "for {text:?}");
        }
    }

    #[test]
    fn ids_are_shown_as_they_are_written() {
        for text in ["custom", "custom:1.0.0", "3.12.10-atls", "dep::base", "a-1", "k:2.0rc1+local", "nul-1"] {
            assert_eq!(text.parse::<EnvironmentId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
    }
}
