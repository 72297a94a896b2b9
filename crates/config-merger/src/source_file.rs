//! The text of one configuration file and its name.

use std::sync::Arc;

use crate::document::place_at;
use crate::{Finding, FindingCode, Place};

/// A configuration that a person writes has a few kilobytes. The limit keeps time and memory bounded whatever
/// the file holds.
pub const MAX_CONFIG_BYTES: usize = 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As findings show it: relative to the repository, `/`-separated.
    pub name: Arc<str>,
    /// Without a byte order mark.
    pub text: Arc<str>,
}

impl SourceFile {
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.strip_prefix('\u{feff}').unwrap_or(text).into() }
    }

    /// Refuses what is too large and what is not UTF-8. The content of a file that is too large need not be whole.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, Box<Finding>> {
        if bytes.len() > MAX_CONFIG_BYTES {
            return Err(Box::new(Finding {
                code: FindingCode::File,
                place: Some(Place { file: name.into(), line: 1, column: 1, ..Place::default() }),
                text: format!("the file is larger than {} KiB", MAX_CONFIG_BYTES / 1024),
                hint: Some(
                    "is it a configuration? Data belongs into a file of its own, brought in by `copyFiles`".into(),
                ),
            }));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let valid = valid.strip_prefix('\u{feff}').unwrap_or(&valid);
                Err(Box::new(Finding {
                    code: FindingCode::Syntax,
                    place: Some(place_at(name, valid, valid.len())),
                    text: "the file is not UTF-8 from here on".into(),
                    hint: Some("save it as UTF-8".into()),
                }))
            }
        }
    }
}
