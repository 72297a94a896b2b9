//! What a user writes to name a runtime without knowing its last number: `3.12`, `3.12-atls`, `3.12.10`, `latest`.
//!
//! One rule for what is installed and for what is offered: the numbers that are given must be equal, the newest of
//! those wins, and the variant must be the one that is asked for. A request without a variant means the plain runtime,
//! so `3.12` and `latest` never take another flavour or a pre-release, which is published as a variant.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::version_string::{is_variant, release_number};
use crate::{PythonVersion, VersionString};

/// Asks for the newest runtime of a variant whose version begins with the numbers given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuntimeRequest {
    /// None to three: `latest`, `3`, `3.12`, `3.12.10`.
    numbers: Vec<u16>,
    variant: Option<String>,
}

impl RuntimeRequest {
    /// `latest`: the newest of all, without a variant.
    pub fn latest() -> Self {
        Self { numbers: Vec::new(), variant: None }
    }

    /// `None` if it leaves numbers open.
    pub fn exact(&self) -> Option<VersionString> {
        let [major, minor, patch] = self.numbers[..] else { return None };
        Some(VersionString::new(PythonVersion { major, minor, patch }, self.variant.clone()))
    }

    /// Whether `version` is one of those that are asked for.
    pub fn matches(&self, version: &VersionString) -> bool {
        version.variant() == self.variant.as_deref() && numbers_of(version).starts_with(&self.numbers)
    }

    /// The version that is meant among those there are.
    pub fn newest<'a>(&self, versions: impl IntoIterator<Item = &'a VersionString>) -> Option<&'a VersionString> {
        versions.into_iter().filter(|version| self.matches(version)).max()
    }

    /// For a message where nothing matches: all of them, those first that a user may have meant.
    pub fn nearest<'a>(&self, versions: impl IntoIterator<Item = &'a VersionString>) -> Vec<&'a VersionString> {
        let mut sorted: Vec<_> = versions.into_iter().collect();
        sorted.sort_by_cached_key(|version| {
            let numbers = numbers_of(version);
            let away = |index: usize| self.numbers.get(index).map_or(0, |asked| asked.abs_diff(numbers[index]));
            let other_variant = version.variant() != self.variant.as_deref();
            (away(0), away(1), other_variant, away(2), Reverse((*version).clone()))
        });
        sorted.dedup();
        sorted
    }
}

fn numbers_of(version: &VersionString) -> [u16; 3] {
    let PythonVersion { major, minor, patch } = version.python();
    [major, minor, patch]
}

/// Where no number is given.
const LATEST: &str = "latest";

impl fmt::Display for RuntimeRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.numbers.iter().map(u16::to_string).collect();
        let numbers = if numbers.is_empty() { LATEST.to_owned() } else { numbers.join(".") };
        match &self.variant {
            Some(variant) => formatter.pad(&format!("{numbers}-{variant}")),
            None => formatter.pad(&numbers),
        }
    }
}

/// The text does not name a runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` does not name a runtime; write 3.12, 3.12.10, either with a variant as in 3.12-atls, or latest")]
pub struct RuntimeRequestError {
    pub text: String,
}

impl FromStr for RuntimeRequest {
    type Err = RuntimeRequestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || RuntimeRequestError { text: text.to_owned() };
        let (numbers, variant) = match text.split_once('-') {
            Some((numbers, variant)) => (numbers, Some(variant)),
            None => (text, None),
        };
        let numbers: Vec<u16> = match numbers {
            LATEST => Vec::new(),
            numbers => numbers.split('.').map(release_number).collect::<Option<_>>().ok_or_else(malformed)?,
        };
        if numbers.len() > 3 || variant.is_some_and(|variant| !is_variant(variant)) {
            return Err(malformed());
        }
        Ok(Self { numbers, variant: variant.map(str::to_owned) })
    }
}

impl TryFrom<String> for RuntimeRequest {
    type Error = RuntimeRequestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RuntimeRequest> for String {
    fn from(request: RuntimeRequest) -> Self {
        request.to_string()
    }
}

impl From<VersionString> for RuntimeRequest {
    fn from(version: VersionString) -> Self {
        Self { numbers: numbers_of(&version).to_vec(), variant: version.variant().map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions() -> Vec<VersionString> {
        let texts = [
            "3.9.20",
            "3.12.9",
            "3.12.10",
            "3.12.10-atls",
            "3.12.11-atls",
            "3.12.12-rc1",
            "3.13.2-torch-cuda",
            "3.14.0-rc1",
        ];
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_newest_of_the_numbers_given_is_meant_and_never_another_variant() {
        let cases = [
            // (request, chosen)
            ("latest", Some("3.12.10")), // neither a variant nor a pre-release
            ("3", Some("3.12.10")),
            ("3.12", Some("3.12.10")),
            ("3.12.9", Some("3.12.9")),
            ("3.9", Some("3.9.20")), // 9 is not newer than 12
            ("3.1", None),           // not a prefix of the text
            ("3.14", None),
            ("3.13", None),
            ("3.14.0-rc1", Some("3.14.0-rc1")),
            ("latest-atls", Some("3.12.11-atls")),
            ("3.12-atls", Some("3.12.11-atls")),
            ("3.12.10-atls", Some("3.12.10-atls")),
            ("3-torch-cuda", Some("3.13.2-torch-cuda")),
            ("3-torch", None),
            ("4", None),
        ];
        let versions = versions();
        for (text, expected) in cases {
            let request: RuntimeRequest = text.parse().unwrap();
            let chosen = request.newest(&versions).map(ToString::to_string);
            assert_eq!(chosen.as_deref(), expected, "for {text:?}");
            assert_eq!(request.to_string(), text);
        }
    }

    #[test]
    fn only_numbers_latest_and_a_variant_are_accepted() {
        let cases = [
            // (text, exact)
            ("3.12.10", Some("3.12.10")),
            ("3.14.6-x", Some("3.14.6-x")),
            ("3.12-x", None),
            ("latest", None),
        ];
        for (text, exact) in cases {
            let request: RuntimeRequest = text.parse().unwrap();
            assert_eq!(request.exact().map(|version| version.to_string()).as_deref(), exact, "for {text:?}");
        }
        let refused = [
            "",
            "-",
            "-x",
            "3.",
            ".12",
            "3..12",
            "3.012",
            "3.12.10.1",
            "3.12-",
            "3.12-../x",
            "v3.12",
            "python3.12",
            "Latest",
            "3.x",
            "3.*",
            ">=3.12",
            "3.99999999",
            " 3.12",
            "latest.1",
            "../x",
        ];
        for text in refused {
            assert!(text.parse::<RuntimeRequest>().is_err(), "for {text:?}");
        }
    }

    #[test]
    fn what_a_user_may_have_meant_comes_first() {
        let versions = versions();
        let nearest = |text: &str| {
            let request: RuntimeRequest = text.parse().unwrap();
            request.nearest(&versions)[..3].iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(nearest("3.12-atsl"), ["3.12.12-rc1", "3.12.11-atls", "3.12.10-atls"]);
        assert_eq!(nearest("3.12.8-atls"), ["3.12.10-atls", "3.12.11-atls", "3.12.9"]);
        assert_eq!(nearest("3.13"), ["3.13.2-torch-cuda", "3.12.10", "3.12.9"]);
    }
}
