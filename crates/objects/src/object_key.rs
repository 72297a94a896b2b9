//! The name of an object at a destination, relative to its prefix.

use std::fmt;
use std::str::FromStr;

/// `/`-separated on every platform; each component is of ASCII letters, digits and `. _ - + !`, and does not begin with
/// a dot. So a key is the same in a folder, in a bucket and in a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// A text that is not an [`ObjectKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an object name: letters, digits, `.`, `_`, `-`, `+`, `!` between `/`, no component beginning with a dot"
)]
pub struct ObjectKeyError {
    pub text: String,
}

impl ObjectKey {
    /// The key with `/` between its components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The object beside this one whose name is this one's and `suffix`.
    pub fn beside(&self, suffix: &str) -> Result<Self, ObjectKeyError> {
        format!("{}{suffix}", self.0).parse()
    }
}

impl FromStr for ObjectKey {
    type Err = ObjectKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |component: &str| {
            !component.is_empty()
                && !component.starts_with('.')
                && component.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+!".contains(&byte))
        };
        if text.len() <= 900 && text.split('/').all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(ObjectKeyError { text: text.to_owned() })
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_row_of_plain_components() {
        let cases = [
            // (text, accepted)
            ("catalogue.json", true),
            ("artifacts/ab/pydist-python-3.12.10-linux-x86_64.tar.zst", true),
            ("entries/3.12.10-torch.1+cu/linux-x64/1.json", true),
            ("", false),
            ("/catalogue.json", false),
            ("entries//x", false),
            ("entries/", false),
            ("../x", false),
            ("a/.hidden", false),
            ("a b", false),
            ("a\\b", false),
            ("a:b", false),
        ];
        for (text, accepted) in cases {
            assert_eq!(text.parse::<ObjectKey>().is_ok(), accepted, "for {text:?}");
        }
    }
}
