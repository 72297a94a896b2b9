//! The version of what a system provides: glibc's on Linux, macOS's own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `2.28` or `13.0`; ordered as versions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemVersion {
    pub major: u16,
    pub minor: u16,
}

impl SystemVersion {
    /// For constants; text is parsed with `FromStr`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for SystemVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// The text is not one or two numbers separated by a dot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version of two numbers, such as `2.28`")]
pub struct SystemVersionError {
    pub text: String,
}

impl FromStr for SystemVersion {
    type Err = SystemVersionError;

    /// A single number counts as its `.0`: `13` is `13.0`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        match (number(major), number(minor)) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(SystemVersionError { text: text.to_owned() }),
        }
    }
}

impl Serialize for SystemVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SystemVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_two_numbers_and_compare_as_such() {
        let cases = [
            // (text, as it is shown)
            ("2.28", Some("2.28")),
            ("13", Some("13.0")),
            ("10.9", Some("10.9")),
            ("", None),
            ("2.", None),
            (".5", None),
            ("2.28.1", None),
            ("+2.8", None),
            ("99999.1", None),
            ("manylinux_2_28", None),
        ];
        for (text, shown) in cases {
            let parsed = text.parse::<SystemVersion>().ok().map(|version| version.to_string());
            assert_eq!(parsed.as_deref(), shown, "for {text:?}");
        }
        assert!(
            SystemVersion::new(10, 9) < SystemVersion::new(10, 15)
                && SystemVersion::new(2, 5) < SystemVersion::new(2, 17)
        );
    }
}
