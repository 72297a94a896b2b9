//! A zip's end records and its central directory, uninterpreted. Judges no names and opens no entry.
//!
//! Zips can be made so that two programs see two different trees: one that starts at the end and one that starts at
//! the front, one that believes the first end record that it meets and one that believes the last. Here a zip is read
//! only if all of them must agree: the directory ends where the end records begin, there is one set of these, and they
//! are the last bytes of the file but for a comment.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;

use crate::dos_time::seconds_of_dos;
use crate::source::read_exact_at;
use crate::zip_member::MemberFault;

/// The directory is held in memory. 500,000 entries of usual names take half of this.
const MAX_DIRECTORY: u64 = 128 << 20;
const END: usize = 22;
const END_64: usize = 56;
const LOCATOR_64: usize = 20;
const CENTRAL: usize = 46;
const MAX_COMMENT: usize = 0xFFFF;

/// Why a file is not accepted as a zip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZipFault {
    #[error("it does not end in a zip's end record: it is cut off, or something was appended")]
    NoEnd,
    #[error("it holds a second end record, so programs would not agree on what it holds")]
    TwoEnds,
    #[error("it is one disk of several")]
    MultiDisk,
    #[error("its central directory does not lie between its entries and its end records")]
    Place,
    #[error("its central directory has {size} bytes; at most {} are read", MAX_DIRECTORY)]
    TooLong { size: u64 },
    #[error("its central directory is malformed at byte {at}")]
    Directory { at: u64 },
    #[error("its central directory has {actual} entries, its end record says {stated}")]
    Count { stated: u64, actual: u64 },
    #[error("its zip64 end record disagrees with its end record")]
    Zip64,
}

#[derive(Debug)]
pub(crate) enum DirectoryError {
    Read(io::Error),
    Fault(ZipFault),
    Entry { name: String, fault: MemberFault },
    TooMany,
}

impl From<io::Error> for DirectoryError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<ZipFault> for DirectoryError {
    fn from(fault: ZipFault) -> Self {
        Self::Fault(fault)
    }
}

pub(crate) struct ZipDirectory {
    pub entries: Vec<ZipEntry>,
    /// Where the directory begins, which is where the entries end.
    pub start: u64,
    bytes: Vec<u8>,
    /// Whether backslashes separate components: some names have them, and none has a slash.
    backslashes: bool,
}

/// One row of the central directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ZipEntry {
    name: Range<usize>,
    pub flags: u16,
    pub method: u16,
    pub crc32: u32,
    pub packed: u64,
    pub size: u64,
    /// Position of the local header.
    pub offset: u64,
    /// Unix mode with the file type; 0 if the zip does not state it.
    pub mode: u32,
    /// In seconds since 1970. A DOS time, which has no time zone, counts as UTC.
    pub mtime: u64,
}

impl ZipEntry {
    pub(crate) fn is_encrypted(&self) -> bool {
        // Encrypted at all, strongly, or with a masked local header.
        self.flags & (1 | 1 << 6 | 1 << 13) != 0
    }

    /// The sizes in the local header may be zero; they follow the data.
    pub(crate) fn has_descriptor(&self) -> bool {
        self.flags & (1 << 3) != 0
    }
}

impl ZipDirectory {
    /// Reads the directory of a file of `size` bytes; more than `limit` entries are an error.
    pub(crate) fn read(file: &File, size: u64, limit: u64) -> Result<Self, DirectoryError> {
        let end = find_end(file, size)?;
        if end.entries > limit {
            return Err(DirectoryError::TooMany);
        }
        if end.length > MAX_DIRECTORY {
            return Err(ZipFault::TooLong { size: end.length }.into());
        }
        let mut bytes = vec![0; end.length as usize];
        read_exact_at(file, &mut bytes, end.start)?;
        let directory = Self::parse(bytes, end.start, end.entries.min(end.length / CENTRAL as u64))?;
        let actual = directory.entries.len() as u64;
        if actual != end.entries {
            return Err(ZipFault::Count { stated: end.entries, actual }.into());
        }
        Ok(directory)
    }

    /// Rows one after the other, to the last byte; `start` is where they were found.
    pub(crate) fn parse(bytes: Vec<u8>, start: u64, expected: u64) -> Result<Self, DirectoryError> {
        let mut entries = Vec::with_capacity(expected as usize);
        let mut at = 0;
        while at < bytes.len() {
            let (entry, next) = row(&bytes, at).ok_or(ZipFault::Directory { at: start + at as u64 })?;
            let extra = &bytes[entry.name.end..];
            let extra = &extra[..u16_at(&bytes, at + 30) as usize];
            let name = &bytes[entry.name.clone()];
            let entry = with_extras(entry.clone(), name, extra)
                .map_err(|fault| DirectoryError::Entry { name: String::from_utf8_lossy(name).into_owned(), fault })?;
            entries.push(entry);
            at = next;
        }
        let any = |separator: u8| entries.iter().any(|entry: &ZipEntry| bytes[entry.name.clone()].contains(&separator));
        let backslashes = any(b'\\') && !any(b'/');
        Ok(Self { entries, start, bytes, backslashes })
    }

    pub(crate) fn name(&self, entry: &ZipEntry) -> &[u8] {
        &self.bytes[entry.name.clone()]
    }

    /// With `/` between its components. Zips made by Windows programs against the format have backslashes; they are
    /// converted if no name has a slash, so that the meaning is unambiguous.
    pub(crate) fn unix_name(&self, entry: &ZipEntry) -> Cow<'_, [u8]> {
        let name = self.name(entry);
        if !self.backslashes {
            return Cow::Borrowed(name);
        }
        Cow::Owned(name.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect())
    }

    /// For error messages.
    pub(crate) fn shown_name(&self, entry: &ZipEntry) -> String {
        String::from_utf8_lossy(self.name(entry)).into_owned()
    }

    /// Where each entry must end at the latest, in the order of the entries: where the next one begins.
    pub(crate) fn ends(&self) -> Vec<u64> {
        let mut by_offset: Vec<usize> = (0..self.entries.len()).collect();
        by_offset.sort_unstable_by_key(|index| self.entries[*index].offset);
        let mut ends = vec![0; self.entries.len()];
        let mut end = self.start;
        for index in by_offset.into_iter().rev() {
            ends[index] = end;
            end = self.entries[index].offset;
        }
        ends
    }
}

struct DirectoryEnd {
    entries: u64,
    start: u64,
    length: u64,
}

fn find_end(file: &File, size: u64) -> Result<DirectoryEnd, DirectoryError> {
    let length = size.min((LOCATOR_64 + END + MAX_COMMENT) as u64) as usize;
    let base = size - length as u64;
    let mut tail = vec![0; length];
    read_exact_at(file, &mut tail, base)?;
    let signed = |at: &usize| tail[*at..].starts_with(b"PK\x05\x06");
    let fits = |at: &usize| u16_at(&tail, at + 20) as usize == tail.len() - at - END;
    let mut candidates = (0..(length + 1).saturating_sub(END)).rev().filter(signed);
    // Programs that start at the end use the last one, whether its comment fits or not.
    let at = candidates.next().filter(fits).ok_or(ZipFault::NoEnd)?;
    if tail[at + 4..].windows(4).any(|bytes| bytes == b"PK\x05\x06") || candidates.any(|at| fits(&at)) {
        return Err(ZipFault::TwoEnds.into());
    }
    let record = &tail[at..];
    let (disk, first_disk) = (u16_at(record, 4), u16_at(record, 6));
    let (here, entries) = (u16_at(record, 8), u16_at(record, 10));
    let (length, start) = (u32_at(record, 12), u32_at(record, 16));

    let locator = at.checked_sub(LOCATOR_64).map(|at| &tail[at..]).filter(|bytes| bytes.starts_with(b"PK\x06\x07"));
    let Some(locator) = locator else {
        if disk != 0 || first_disk != 0 || here != entries {
            return Err(ZipFault::MultiDisk.into());
        }
        let end = DirectoryEnd { entries: entries.into(), start: start.into(), length: length.into() };
        return in_its_place(end, base + at as u64);
    };
    if u32_at(locator, 4) != 0 || u32_at(locator, 16) > 1 {
        return Err(ZipFault::MultiDisk.into());
    }
    let (place, locator_place) = (u64_at(locator, 8), base + (at - LOCATOR_64) as u64);
    let mut large = [0; END_64];
    if place.checked_add(END_64 as u64).is_none_or(|end| end > locator_place) {
        return Err(ZipFault::Place.into());
    }
    read_exact_at(file, &mut large, place)?;
    let ends_there = u64_at(&large, 4).checked_add(12).and_then(|length| length.checked_add(place));
    if !large.starts_with(b"PK\x06\x06") || ends_there != Some(locator_place) {
        return Err(ZipFault::Place.into());
    }
    let end = DirectoryEnd { entries: u64_at(&large, 32), length: u64_at(&large, 40), start: u64_at(&large, 48) };
    if u32_at(&large, 16) != 0 || u32_at(&large, 20) != 0 || u64_at(&large, 24) != end.entries {
        return Err(ZipFault::MultiDisk.into());
    }
    let agree_16 = |small: u16, large: u64| small == u16::MAX || u64::from(small) == large;
    let agree_32 = |small: u32, large: u64| small == u32::MAX || u64::from(small) == large;
    if !(agree_16(disk, 0)
        && agree_16(first_disk, 0)
        && agree_16(here, end.entries)
        && agree_16(entries, end.entries)
        && agree_32(length, end.length)
        && agree_32(start, end.start))
    {
        return Err(ZipFault::Zip64.into());
    }
    in_its_place(end, place)
}

fn in_its_place(end: DirectoryEnd, records: u64) -> Result<DirectoryEnd, DirectoryError> {
    if end.start.checked_add(end.length) == Some(records) { Ok(end) } else { Err(ZipFault::Place.into()) }
}

/// The row at `at`, without what its extra fields say, and where the next one is.
fn row(bytes: &[u8], at: usize) -> Option<(ZipEntry, usize)> {
    let fixed = bytes.get(at..at + CENTRAL)?;
    if !fixed.starts_with(b"PK\x01\x02") {
        return None;
    }
    let (name, extra, comment) = (u16_at(fixed, 28), u16_at(fixed, 30), u16_at(fixed, 32));
    let name = at + CENTRAL..at + CENTRAL + name as usize;
    let next = name.end + extra as usize + comment as usize;
    // No disk but the first.
    if next > bytes.len() || u16_at(fixed, 34) != 0 {
        return None;
    }
    let entry = ZipEntry {
        name,
        flags: u16_at(fixed, 8),
        method: u16_at(fixed, 10),
        crc32: u32_at(fixed, 16),
        packed: u32_at(fixed, 20).into(),
        size: u32_at(fixed, 24).into(),
        offset: u32_at(fixed, 42).into(),
        mode: u32_at(fixed, 38) >> 16,
        mtime: seconds_of_dos(u16_at(fixed, 14), u16_at(fixed, 12)),
    };
    Some((entry, next))
}

fn with_extras(mut entry: ZipEntry, name: &[u8], extra: &[u8]) -> Result<ZipEntry, MemberFault> {
    let mut has_zip64 = false;
    for field in extra_fields(extra) {
        match field? {
            (0x0001, body) => {
                if std::mem::replace(&mut has_zip64, true) {
                    return Err(MemberFault::Field { field: "zip64 field" });
                }
                let mut large = [&mut entry.size, &mut entry.packed, &mut entry.offset].into_iter();
                read_zip64(body, &mut large)?;
            }
            // Seconds since 1970, if the flag says that they are there.
            (0x5455, [flags, time @ ..]) if flags & 1 != 0 && time.len() >= 4 => {
                entry.mtime = u64::try_from(u32_at(time, 0).cast_signed()).unwrap_or(0);
            }
            // The name again, in UTF-8: programs that use it must see the same one.
            (0x7075, body) if body.get(5..).is_some_and(|unicode| unicode != name) => {
                return Err(MemberFault::Disagrees { field: "Unicode name" });
            }
            _ => {}
        }
    }
    Ok(entry)
}

/// The values that did not fit, in the order of `values`; each that fits stays as it is.
pub(crate) fn read_zip64(mut body: &[u8], values: &mut dyn Iterator<Item = &mut u64>) -> Result<(), MemberFault> {
    for value in values.filter(|value| **value == u64::from(u32::MAX)) {
        let (number, rest) = body.split_at_checked(8).ok_or(MemberFault::Field { field: "zip64 field" })?;
        *value = u64_at(number, 0);
        body = rest;
    }
    Ok(())
}

/// Number and content of each extra field.
pub(crate) fn extra_fields(mut extra: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), MemberFault>> {
    std::iter::from_fn(move || {
        // Some writers pad with a few zeros.
        if extra.len() < 4 && extra.iter().all(|byte| *byte == 0) {
            return None;
        }
        let malformed = MemberFault::Field { field: "extra fields" };
        let fields = (extra.len() >= 4).then(|| (u16_at(extra, 0), extra.get(4..4 + u16_at(extra, 2) as usize)));
        let Some((id, Some(body))) = fields else {
            extra = &[];
            return Some(Err(malformed));
        };
        extra = &extra[4 + body.len()..];
        Some(Ok((id, body)))
    })
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
