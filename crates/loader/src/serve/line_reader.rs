//! Lines of a host that may send anything.

use std::io::{self, BufRead};

/// In bytes.
pub const LONGEST_LINE: usize = 16 << 20;

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum HostLine {
    Whole(Vec<u8>),
    /// It was read to its end and dropped.
    TooLong,
}

/// The next line that is not blank; `None` at the end of the input. A last line without an end is a line.
pub fn next_line(input: &mut dyn BufRead, longest: usize) -> io::Result<Option<HostLine>> {
    loop {
        let mut line = Vec::new();
        let mut is_too_long = false;
        let ended = loop {
            let piece = match input.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = piece.iter().position(|byte| *byte == b'\n');
            let length = end.unwrap_or(piece.len());
            if line.len() + length > longest {
                is_too_long = true;
                line = Vec::new();
            } else if !is_too_long {
                line.extend_from_slice(&piece[..length]);
            }
            let is_last = piece.is_empty();
            input.consume(length + usize::from(end.is_some()));
            if end.is_some() || is_last {
                break is_last;
            }
        };
        if is_too_long {
            return Ok(Some(HostLine::TooLong));
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(HostLine::Whole(line)));
        }
        if ended {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_long_ones_dropped_to_their_end() {
        let whole = |text: &str| Some(HostLine::Whole(text.into()));
        let mut input: io::BufReader<&[u8]> =
            io::BufReader::with_capacity(4, b"a\n\n  \r\nlonger than ten\nb\r\n1234567890\n12345678901\nlast");
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input, 10).unwrap() {
            lines.push(Some(line));
        }
        let too_long = || Some(HostLine::TooLong);
        assert_eq!(lines, [whole("a"), too_long(), whole("b\r"), whole("1234567890"), too_long(), whole("last")]);
    }
}
