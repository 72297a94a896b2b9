//! Names of distributions, compared normalised (PEP 503).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Lower case, with each run of `-`, `_` and `.` written as one `-`; so `Foo__Bar` equals `foo.bar`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DistributionName(String);

impl DistributionName {
    /// The normalised spelling, whatever spelling was parsed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The spelling inside wheel file names and `.dist-info` folders: `-` becomes `_`.
    pub fn escaped(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for DistributionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The text breaks the rule of the core metadata specification for names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a distribution name: use ASCII letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
)]
pub struct DistributionNameError {
    pub text: String,
}

impl FromStr for DistributionName {
    type Err = DistributionNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at_both_ends = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric());
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !(at_both_ends && plain) {
            return Err(DistributionNameError { text: text.to_owned() });
        }
        let mut name = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '-' | '_' | '.' if name.ends_with('-') => {}
                '-' | '_' | '.' => name.push('-'),
                other => name.push(other.to_ascii_lowercase()),
            }
        }
        Ok(Self(name))
    }
}

impl TryFrom<String> for DistributionName {
    type Error = DistributionNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DistributionName> for String {
    fn from(name: DistributionName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_by_pep_503() {
        let cases = [
            // (text, normalised; `None` if it is not a name)
            ("Foo__Bar", Some("foo-bar")),
            ("foo.bar", Some("foo-bar")),
            ("scikit_learn", Some("scikit-learn")),
            ("a.-_b", Some("a-b")),
            ("PyYAML", Some("pyyaml")),
            ("-x", None),
            ("x_", None),
            ("", None),
            ("a b", None),
            ("naïve", None),
        ];
        for (text, normalised) in cases {
            let parsed = text.parse::<DistributionName>().ok();
            assert_eq!(parsed.as_ref().map(DistributionName::as_str), normalised, "for {text:?}");
        }
    }
}
