//! The records of a zip as they are written, the same bytes on every machine.

use crate::dos_time::dos_of_seconds;
use crate::zip_local::LOCAL;

/// Values too large for four or two bytes go into zip64 fields, and these numbers in their place.
const FULL_32: u64 = u32::MAX as u64;
const FULL_16: u64 = u16::MAX as u64;
/// Versions of the format that a reader must know: for folders and deflated files, and for zip64.
const PLAIN: u16 = 20;
const ZIP64: u16 = 45;
/// The system whose modes are written, in the upper byte.
const UNIX: u16 = 3 << 8;
const UTF_8: u16 = 1 << 11;

/// An entry of a zip that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ZipRecord {
    /// Folders end in `/`.
    pub name: String,
    /// With the file type.
    pub mode: u32,
    pub method: u16,
    pub crc32: u32,
    pub packed: u64,
    pub size: u64,
    /// Position of the local header, counted from the part's first byte.
    pub offset: u64,
}

impl ZipRecord {
    fn is_large(&self) -> bool {
        self.size >= FULL_32 || self.packed >= FULL_32
    }

    /// Appends the local header. It depends on nothing but the entry, so a part is the same bytes wherever it stands.
    pub(crate) fn write_local(&self, mtime: u64, out: &mut Vec<u8>) {
        out.extend(b"PK\x03\x04");
        self.write_common(if self.is_large() { ZIP64 } else { PLAIN }, mtime, out);
        push_16(out, if self.is_large() { 20 } else { 0 });
        out.extend(self.name.as_bytes());
        if self.is_large() {
            push_16(out, 1);
            push_16(out, 16);
            out.extend(self.size.to_le_bytes());
            out.extend(self.packed.to_le_bytes());
        }
    }

    pub(crate) fn local_length(&self) -> u64 {
        (LOCAL + self.name.len() + if self.is_large() { 20 } else { 0 }) as u64
    }

    /// Appends the row of the central directory; the part begins at `base`.
    pub(crate) fn write_central(&self, base: u64, mtime: u64, out: &mut Vec<u8>) {
        let offset = base + self.offset;
        let far = offset >= FULL_32;
        let zip64 = u16::from(self.is_large()) * 16 + u16::from(far) * 8;
        let version = if zip64 > 0 { ZIP64 } else { PLAIN };
        out.extend(b"PK\x01\x02");
        push_16(out, UNIX | version);
        self.write_common(version, mtime, out);
        push_16(out, if zip64 > 0 { zip64 + 4 } else { 0 });
        push_16(out, 0); // comment
        push_16(out, 0); // disk
        push_16(out, 0); // internal attributes
        let is_folder = self.name.ends_with('/');
        push_32(out, u64::from(self.mode) << 16 | u64::from(is_folder) << 4);
        push_32(out, offset);
        out.extend(self.name.as_bytes());
        if zip64 > 0 {
            push_16(out, 1);
            push_16(out, zip64);
        }
        if self.is_large() {
            out.extend(self.size.to_le_bytes());
            out.extend(self.packed.to_le_bytes());
        }
        if far {
            out.extend(offset.to_le_bytes());
        }
    }

    /// From the version needed to the length of the name, where the two headers are alike.
    fn write_common(&self, version: u16, mtime: u64, out: &mut Vec<u8>) {
        let (date, time) = dos_of_seconds(mtime);
        let large = |value| if self.is_large() { FULL_32 } else { value };
        push_16(out, version);
        push_16(out, if self.name.is_ascii() { 0 } else { UTF_8 });
        push_16(out, self.method);
        push_16(out, time);
        push_16(out, date);
        push_32(out, self.crc32.into());
        push_32(out, large(self.packed));
        push_32(out, large(self.size));
        push_16(out, self.name.len() as u16);
    }
}

/// Appends what follows the central directory.
pub(crate) fn write_end(entries: u64, start: u64, length: u64, out: &mut Vec<u8>) {
    if entries >= FULL_16 || start >= FULL_32 || length >= FULL_32 {
        out.extend(b"PK\x06\x06");
        out.extend(44_u64.to_le_bytes()); // the rest of this record
        push_16(out, UNIX | ZIP64);
        push_16(out, ZIP64);
        push_32(out, 0); // this disk
        push_32(out, 0); // the directory's
        for number in [entries, entries, length, start] {
            out.extend(number.to_le_bytes());
        }
        out.extend(b"PK\x06\x07");
        push_32(out, 0);
        out.extend((start + length).to_le_bytes());
        push_32(out, 1); // disks
    }
    out.extend(b"PK\x05\x06");
    push_32(out, 0); // both disks
    push_16(out, entries.min(FULL_16) as u16);
    push_16(out, entries.min(FULL_16) as u16);
    push_32(out, length);
    push_32(out, start);
    push_16(out, 0); // comment
}

fn push_16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_le_bytes());
}

/// The largest number that fits, if `value` does not.
fn push_32(out: &mut Vec<u8>, value: u64) {
    out.extend((value.min(FULL_32) as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, size: u64, packed: u64, offset: u64) -> ZipRecord {
        ZipRecord { name: name.to_owned(), mode: 0o100_644, method: 8, crc32: 7, packed, size, offset }
    }

    /// With holes where the data would be; Windows would write gigabytes of zeros.
    #[test]
    #[cfg(unix)]
    fn what_does_not_fit_four_bytes_is_read_back() {
        use std::os::unix::fs::FileExt;

        use crate::source::read_exact_at;
        use crate::zip_directory::ZipDirectory;
        use crate::zip_local::check_local;

        const GIB: u64 = 1 << 30;
        let records = [
            record("small", 9, 5, 0),
            record("long once packed", 5 * GIB, 5, 100),
            record("long", 6 * GIB, 5 * GIB, 300),
            record("far", 9, 5, 5 * GIB + 1000),
            record("on the border", u64::from(u32::MAX), 5, 5 * GIB + 2000),
            record("before the border", u64::from(u32::MAX) - 1, 5, 5 * GIB + 3000),
        ];
        let file = tempfile::tempfile().unwrap();
        for record in &records {
            let mut local = Vec::new();
            record.write_local(0, &mut local);
            assert_eq!(local.len() as u64, record.local_length());
            file.write_all_at(&local, record.offset).unwrap();
        }
        let (start, mut end) = (5 * GIB + 4000, Vec::new());
        for record in &records {
            record.write_central(0, 0, &mut end);
        }
        let length = end.len() as u64;
        write_end(records.len() as u64, start, length, &mut end);
        file.write_all_at(&end, start).unwrap();

        let directory = ZipDirectory::read(&file, start + end.len() as u64, 6).unwrap();
        let ends = directory.ends();
        for ((entry, record), end) in directory.entries.iter().zip(&records).zip(ends) {
            assert_eq!((entry.size, entry.packed, entry.offset), (record.size, record.packed, record.offset));
            let read = &mut |offset, out: &mut [u8]| read_exact_at(&file, out, offset);
            let member = check_local(entry, directory.name(entry), end, read).unwrap();
            assert_eq!((member.offset, member.size), (record.offset + record.local_length(), record.size));
        }
    }

    #[test]
    fn zip64_stands_only_where_it_is_needed() {
        let end_of = |entries, start, length| {
            let mut bytes = Vec::new();
            write_end(entries, start, length, &mut bytes);
            bytes.len()
        };
        let cases = [
            // (entries, start, length, bytes)
            (0xFFFE, 0xFFFF_FFFE, 0xFFFF_FFFE, 22),
            (0xFFFF, 0, 0, 22 + 20 + 56),
            (0, 0xFFFF_FFFF, 0, 22 + 20 + 56),
            (0, 0, 0xFFFF_FFFF, 22 + 20 + 56),
        ];
        for (entries, start, length, bytes) in cases {
            assert_eq!(end_of(entries, start, length), bytes, "{entries} at {start}");
        }
        let length_of = |record: &ZipRecord, base| {
            let mut bytes = Vec::new();
            record.write_central(base, 0, &mut bytes);
            bytes.len()
        };
        assert_eq!(length_of(&record("a", 1, 1, 0), 0xFFFF_FFFE), 47);
        assert_eq!(length_of(&record("a", 1, 1, 1), 0xFFFF_FFFE), 47 + 12);
        assert_eq!(length_of(&record("a", 1 << 32, 1, 1), 0xFFFF_FFFE), 47 + 28);
    }
}
