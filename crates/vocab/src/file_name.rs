//! File names chosen by others: an index, a lock, a manifest, a server.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A plain file name, safe to pass to any program and to write on any system: no separators, no drive, not hidden, not
/// readable as an option, and short enough for every file system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// Exactly the text that was parsed; nothing is normalised.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for FileName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The text is not a safe file name; `reason` names the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a plain file name: {reason}", text.escape_debug())]
pub struct FileNameError {
    pub text: String,
    pub reason: &'static str,
}

/// In bytes: the limit of the file systems in use.
const LONGEST: usize = 255;

impl FromStr for FileName {
    type Err = FileNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > LONGEST {
            "it is longer than 255 bytes"
        } else if text.starts_with('-') {
            "commands would take it for an option"
        } else if text.starts_with('.') {
            "it begins with a dot"
        } else if text.contains(['/', '\\', ':']) {
            "it holds a separator"
        } else if text.contains(char::is_control) {
            "it holds a control character"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(FileNameError { text: text.to_owned(), reason })
    }
}

impl TryFrom<String> for FileName {
    type Error = FileNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_13_only_plain_names_are_taken() {
        for text in ["demo-1.0-py3-none-any.whl", "a", "torch-2.7.0+cu126.tar.gz", "a b", "ü.tar", &"x".repeat(255)] {
            assert!(text.parse::<FileName>().is_ok(), "for {text:?}");
        }
        for text in ["", "-rf.tar", "../x", "a/b", "a\\b", "C:x", ".", "..", ".hidden", "a\nb", &"x".repeat(256)] {
            assert!(text.parse::<FileName>().is_err(), "for {text:?}");
        }
    }
}
