//! What a place gives of an artifact: a range, all of it, or a manifest of bounded size.

use std::io::{self, Read};
use std::ops::Range;

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

pub(super) struct ContentRange {
    start: u64,
    /// The position after the last byte.
    pub end: u64,
    /// Absent for `*`.
    total: Option<u64>,
}

impl ContentRange {
    /// Whether it begins where it was asked for, in a file of `size` bytes; it may end earlier.
    pub(super) fn is_of(&self, range: &Range<u64>, size: u64) -> bool {
        self.start == range.start && self.end <= range.end && self.total.is_none_or(|total| total == size)
    }
}

/// `bytes 100-199/200`
pub(super) fn content_range(text: &str) -> Option<ContentRange> {
    let (range, total) = text.strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let (start, last): (u64, u64) = (start.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    let end = last.checked_add(1).filter(|end| *end > start)?;
    Some(ContentRange { start, end, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_strictly() {
        let cases = [
            ("bytes 0-9/10", Some((0, 10, Some(10)))),
            ("bytes 5-9/*", Some((5, 10, None))),
            ("bytes 9-5/10", None),
            ("bytes */10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("items 0-9/10", None),
            ("bytes 0-9", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = content_range(text).map(|range| (range.start, range.end, range.total));
            assert_eq!(read, expected, "for {text:?}");
        }
    }
}
