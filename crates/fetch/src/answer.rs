//! What a place gives of an artifact: a range, all of it, or a manifest of bounded size.

use std::io::{self, Read};

/// Manifests of real runtimes have a few hundred kilobytes.
pub(super) const MAX_MANIFEST: u64 = 64 << 20;

/// The answer to the request for a range.
pub(super) enum RangeAnswer {
    /// From the range's start, to `end` at most.
    Range { body: Box<dyn Read + Send>, end: u64, tag: Option<String> },
    /// Everything, from the first byte; `why` says why it is not a range.
    Whole { body: Box<dyn Read + Send>, size: Option<u64>, why: &'static str },
    /// Neither: the whole must be requested.
    NoRange { why: &'static str },
}

/// `None` if there is too much.
pub(super) fn read_bounded(reader: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    reader.take(MAX_MANIFEST + 1).read_to_end(&mut text)?;
    Ok((text.len() as u64 <= MAX_MANIFEST).then_some(text))
}
