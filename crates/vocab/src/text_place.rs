//! Positions in text files.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::quoted;

/// A place in a text file that people write.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TextPlace {
    /// Relative to the repository, `/`-separated.
    pub file: Arc<str>,
    /// Counted from 1. 0 where the file as a whole is meant.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// JSON pointer (RFC 6901), in the spelling of the file. Empty for the whole document.
    pub pointer: String,
    /// Where the text of the value begins in the file, in bytes, and how many there are.
    #[serde(skip)]
    pub span: (usize, usize),
}

impl fmt::Display for TextPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}:{}", self.line, self.column)?;
        }
        if self.pointer.is_empty() { Ok(()) } else { write!(formatter, " {}", quoted::escaped(&self.pointer)) }
    }
}

impl TextPlace {
    /// The file as a whole.
    pub fn of_file(file: &str) -> Self {
        Self { file: file.into(), ..Self::default() }
    }

    /// Line and column of the byte `offset`; of the end, if the offset lies beyond it.
    pub fn at_offset(file: &str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: file.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            pointer: String::new(),
            span: (before.len(), 0),
        }
    }
}
