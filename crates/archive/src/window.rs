//! Reads a file at mostly ascending, close positions, with few calls to the system.

use std::fs::File;
use std::io;

use crate::source::read_exact_at;

pub(crate) struct ReadWindow {
    start: u64,
    bytes: Vec<u8>,
    length: usize,
    /// Where the last read ended.
    next: u64,
}

impl ReadWindow {
    /// `length` is how many bytes are read ahead where it looks useful.
    pub(crate) fn new(length: usize) -> Self {
        Self { start: 0, bytes: Vec::new(), length, next: u64::MAX }
    }

    /// Must be called before another file is read.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.next = u64::MAX;
    }

    /// Reads from a file of `size` bytes; reading beyond that is an unexpected end of file.
    pub(crate) fn read(&mut self, file: &File, size: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let length = out.len() as u64;
        let end = offset.checked_add(length).filter(|end| *end <= size).ok_or(io::ErrorKind::UnexpectedEof)?;
        let follows = offset >= self.next && offset - self.next < self.length as u64;
        self.next = end;
        let inside = offset >= self.start && end <= self.start + self.bytes.len() as u64;
        if !inside {
            // Reading ahead pays only if the next position is near, as the last one was.
            if !follows || length >= self.length as u64 / 2 {
                return read_exact_at(file, out, offset);
            }
            let ahead = (self.length as u64).min(size - offset);
            self.bytes.clear();
            self.bytes.resize(ahead as usize, 0);
            self.start = offset;
            if let Err(error) = read_exact_at(file, &mut self.bytes, offset) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let at = (offset - self.start) as usize;
        out.copy_from_slice(&self.bytes[at..at + out.len()]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_read_does_not_depend_on_the_order_of_reading() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|number| (number % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut window = ReadWindow::new(256);
        let places =
            [(0, 10), (10, 10), (20, 200), (230, 300), (530, 1), (540, 9), (500, 100), (9_990, 10), (9_995, 5)];
        for (offset, length) in places {
            let mut out = vec![0; length];
            window.read(&file, 10_000, offset as u64, &mut out).unwrap();
            assert_eq!(out, bytes[offset..offset + length], "at {offset}");
        }
        for (offset, length) in [(10_000, 1), (9_999, 2), (u64::MAX, 2)] {
            assert!(window.read(&file, 10_000, offset, &mut vec![0; length]).is_err(), "at {offset}");
        }
    }
}
