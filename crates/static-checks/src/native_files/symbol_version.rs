//! Versions that binaries name: `2.17` of `GLIBC_2.17`, `3.4.29` of `GLIBCXX_3.4.29`, `13.0` of macOS.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vocab::SystemVersion;

/// Numbers between dots, compared one by one: `2.9` is below `2.17`, and `3.4` below `3.4.1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SymbolVersion(Vec<u32>);

impl SymbolVersion {
    /// Numbers at the end that are zero say nothing and are left out, but for the second: `11.0`, `10.9.5`.
    pub fn of_system(numbers: &[u32]) -> Self {
        let length = numbers.iter().rposition(|number| *number != 0).map_or(0, |last| last + 1);
        Self(numbers[..length.max(2.min(numbers.len()))].to_vec())
    }
}

impl fmt::Display for SymbolVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        formatter.pad(&numbers.join("."))
    }
}

/// A text that is not numbers between dots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version; write numbers with dots between them, for example 2.28")]
pub struct SymbolVersionError {
    pub text: String,
}

impl FromStr for SymbolVersion {
    type Err = SymbolVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split('.')
            .map(|number| number.parse::<u32>().ok().filter(|_| !number.starts_with('+')))
            .collect::<Option<Vec<u32>>>()
            .map(Self)
            .ok_or_else(|| SymbolVersionError { text: text.to_owned() })
    }
}

impl From<SystemVersion> for SymbolVersion {
    fn from(version: SystemVersion) -> Self {
        Self(vec![version.major.into(), version.minor.into()])
    }
}

impl TryFrom<String> for SymbolVersion {
    type Error = SymbolVersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SymbolVersion> for String {
    fn from(version: SymbolVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<SymbolVersion>().unwrap();
        assert!(version("2.9") < version("2.17"));
        assert!(version("3.4") < version("3.4.1"));
        assert!(version("2.28") < version("2.28.1"));
        assert_eq!(version("13.0").to_string(), "13.0");
        for (numbers, text) in [([11, 0, 0], "11.0"), ([10, 9, 5], "10.9.5"), ([0, 0, 0], "0.0")] {
            assert_eq!(SymbolVersion::of_system(&numbers).to_string(), text);
        }
        for text in ["", "2.", "PRIVATE", "2.x", "+2", "99999999999"] {
            assert!(text.parse::<SymbolVersion>().is_err(), "for {text:?}");
        }
    }
}
