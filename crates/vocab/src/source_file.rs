//! The text of a file that people write, and its name.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::{TextPlace, open_regular};

/// Files that people write have a few kilobytes. The limit bounds time and memory whatever the file holds.
pub const MAX_SOURCE_BYTES: usize = 1024 * 1024;

/// The text of a file and the name that messages give it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As messages show it: relative to the repository, `/`-separated.
    pub name: Arc<str>,
    /// Without a byte order mark.
    pub text: Arc<str>,
}

/// Why the text of a file cannot be used, and where.
#[derive(Debug)]
pub struct SourceFault {
    pub place: TextPlace,
    pub kind: SourceFaultKind,
}

/// What is wrong with a file before its syntax matters.
#[derive(Debug, thiserror::Error)]
pub enum SourceFaultKind {
    #[error("the file is larger than {} KiB", MAX_SOURCE_BYTES / 1024)]
    TooLarge,
    #[error("the file is not UTF-8 from here on")]
    NotUtf8,
    #[error("not a regular file")]
    NotRegular,
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
}

impl SourceFile {
    /// Removes a byte order mark. The text may be longer than [`MAX_SOURCE_BYTES`]; the other constructors refuse that.
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.strip_prefix('\u{feff}').unwrap_or(text).into() }
    }

    /// Reads a file that people write; `None` if there is none. `name` is for messages.
    pub fn read(path: &Path, name: &str) -> Result<Option<Self>, SourceFault> {
        let kind = match open_regular(path) {
            Ok(file) => return Self::from_reader(name, file).map(Some),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return Ok(None),
                io::ErrorKind::InvalidInput => SourceFaultKind::NotRegular,
                _ => SourceFaultKind::Unreadable(error),
            },
        };
        Err(SourceFault { place: TextPlace::of_file(name), kind })
    }

    /// Reads at most one byte more than [`MAX_SOURCE_BYTES`], whatever `reader` holds.
    pub fn from_reader(name: &str, reader: impl Read) -> Result<Self, SourceFault> {
        let mut bytes = Vec::new();
        match reader.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes) {
            Ok(_) => Self::from_bytes(name, &bytes),
            Err(error) => {
                Err(SourceFault { place: TextPlace::of_file(name), kind: SourceFaultKind::Unreadable(error) })
            }
        }
    }

    /// Refuses what is too large or not UTF-8. Of a file that is too large, `bytes` may be just the beginning.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, SourceFault> {
        if bytes.len() > MAX_SOURCE_BYTES {
            let place = TextPlace { line: 1, column: 1, ..TextPlace::of_file(name) };
            return Err(SourceFault { place, kind: SourceFaultKind::TooLarge });
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let valid = valid.strip_prefix('\u{feff}').unwrap_or(&valid);
                let place = TextPlace::at_offset(name, valid, valid.len());
                Err(SourceFault { place, kind: SourceFaultKind::NotUtf8 })
            }
        }
    }
}
