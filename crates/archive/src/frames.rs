//! Where a part's tar bytes are cut into frames, and the bytes of one frame.
//!
//! The cut depends on the entries alone: a frame holds whole entries up to [`FRAME`] bytes; an entry that is longer
//! than that has frames of its own, cut every [`FRAME`] bytes. So frames can be made and read side by side, none
//! needs more memory than two buffers of that size, and a change in one file moves few others.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use vocab::{Digest, DigestWriter};

use crate::tar_header::{header_of, padded};
use crate::turnstile::Turnstile;
use crate::zip_member::{MemberError, MemberFault, MemberReader, ZipMember};
use crate::{EntryKind, FileContent, PartSource, TreeEntry};

/// In bytes of tar. Half of the memory that one worker needs, and long enough that level 19 loses little.
pub(crate) const FRAME: u64 = 8 << 20;

/// A part ready to be compressed: its entries sorted, their sizes known.
pub(crate) struct PartLayout<'a> {
    /// Name of the part.
    part: &'a str,
    rows: Vec<LayoutRow<'a>>,
    pub frames: Vec<TarFrame>,
    mtime: u64,
}

struct LayoutRow<'a> {
    entry: &'a TreeEntry,
    /// Size of the content, in bytes.
    size: u64,
    /// For a file in a zip that has several frames: unpacked in their order, while they are compressed side by side.
    unpacking: Option<Turnstile<Option<UnpackingFile>>>,
    /// For a file with an expected digest that may have several frames: digested in their order.
    digesting: Option<Turnstile<DigestWriter<io::Sink>>>,
}

/// Lives from the first frame of its file to the last.
struct UnpackingFile {
    file: File,
    reader: MemberReader,
    left: u64,
}

/// `length` bytes of tar, `skip` bytes into the entries from `first` on.
pub(crate) struct TarFrame {
    first: usize,
    end: usize,
    skip: u64,
    pub length: u64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutError {
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` had {expected} bytes when packing began and has {actual} now", path.display())]
    Changed { path: PathBuf, expected: u64, actual: u64 },
    #[error("the file at byte {offset} of `{}` is damaged: {fault}", path.display())]
    Damaged { path: PathBuf, offset: u64, fault: MemberFault },
    #[error("`{path}` of `{part}` does not match its recorded digest")]
    Exchanged { part: String, path: String },
}

/// Compares a packed file with its expected digest, if it has one.
pub(crate) fn check_digest(
    part: &str,
    path: &str,
    known: Option<Digest>,
    actual: impl FnOnce() -> Digest,
) -> Result<(), LayoutError> {
    match known {
        Some(known) if actual() != known => {
            Err(LayoutError::Exchanged { part: part.to_owned(), path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

impl<'a> PartLayout<'a> {
    /// Reads the sizes of files from disk, nothing else.
    pub(crate) fn new(part: &'a PartSource, mtime: u64) -> Result<Self, LayoutError> {
        let mut rows = Vec::with_capacity(part.entries.len());
        for entry in &part.entries {
            rows.push(LayoutRow::new(entry)?);
        }
        rows.sort_by(|left, right| left.entry.path.cmp(&right.entry.path));
        let frames = cut(&rows, mtime);
        Ok(Self { part: &part.name, rows, frames, mtime })
    }

    /// The tar bytes of `frame`, appended to `buffer`.
    pub(crate) fn render(&self, frame: &TarFrame, buffer: &mut Vec<u8>) -> Result<(), LayoutError> {
        let mut window = ByteWindow { skip: frame.skip, left: frame.length, buffer };
        for row in &self.rows[frame.first..frame.end] {
            window.bytes(&header_of(row.entry, row.size, self.mtime));
            window.content(row, frame.skip / FRAME, self.part)?;
            window.bytes(&[0; 512][..(padded(row.size) - row.size) as usize]);
        }
        Ok(())
    }
}

impl<'a> LayoutRow<'a> {
    fn new(entry: &'a TreeEntry) -> Result<Self, LayoutError> {
        let EntryKind::File { content, .. } = &entry.kind else {
            return Ok(Self { entry, size: 0, unpacking: None, digesting: None });
        };
        let size = content_size(content)?;
        let is_long = size > FRAME / 2;
        let (unpacked, digested) = (matches!(content, FileContent::Zipped { .. }), entry.sha256.is_some());
        Ok(Self {
            entry,
            size,
            unpacking: (is_long && unpacked).then(|| Turnstile::new(None)),
            digesting: (is_long && digested).then(|| Turnstile::new(DigestWriter::new(io::sink()))),
        })
    }
}

pub(crate) fn content_size(content: &FileContent) -> Result<u64, LayoutError> {
    match content {
        FileContent::Bytes(bytes) => Ok(bytes.len() as u64),
        FileContent::Disk(path) => match fs::metadata(path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(source) => Err(LayoutError::Read { path: path.clone(), source }),
        },
        FileContent::Zipped { member, .. } => Ok(member.size),
    }
}

fn fill(
    open: &mut Option<UnpackingFile>,
    archive: &Path,
    member: ZipMember,
    out: &mut [u8],
) -> Result<(), MemberError> {
    let unpacking = match open {
        Some(unpacking) => unpacking,
        None => {
            let file = File::open(archive).map_err(MemberError::Read)?;
            open.insert(UnpackingFile { file, reader: MemberReader::new(member), left: member.size })
        }
    };
    unpacking.reader.fill(&unpacking.file, out)?;
    unpacking.left -= out.len() as u64;
    if unpacking.left == 0 {
        *open = None;
    }
    Ok(())
}

fn cut(rows: &[LayoutRow<'_>], mtime: u64) -> Vec<TarFrame> {
    let mut frames = Vec::new();
    let mut open = TarFrame { first: 0, end: 0, skip: 0, length: 0 };
    for (index, row) in rows.iter().enumerate() {
        let length = header_of(row.entry, row.size, mtime).len() as u64 + padded(row.size);
        if open.length + length > FRAME && open.length > 0 {
            frames.push(std::mem::replace(&mut open, TarFrame { first: index, end: index, skip: 0, length: 0 }));
        }
        if length > FRAME {
            for skip in (0..length).step_by(FRAME as usize) {
                frames.push(TarFrame { first: index, end: index + 1, skip, length: FRAME.min(length - skip) });
            }
            open = TarFrame { first: index + 1, end: index + 1, skip: 0, length: 0 };
        } else {
            open.end = index + 1;
            open.length += length;
        }
    }
    if open.length > 0 {
        frames.push(open);
    }
    frames
}

/// Passes `left` bytes to `buffer` after skipping `skip` bytes.
struct ByteWindow<'a> {
    skip: u64,
    left: u64,
    buffer: &'a mut Vec<u8>,
}

impl ByteWindow<'_> {
    /// Which of the next `size` bytes are wanted: their start and length.
    fn advance(&mut self, size: u64) -> (u64, u64) {
        let start = self.skip.min(size);
        let length = self.left.min(size - start);
        self.skip -= start;
        self.left -= length;
        (start, length)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (start, length) = self.advance(bytes.len() as u64);
        self.buffer.extend_from_slice(&bytes[start as usize..(start + length) as usize]);
    }

    /// Appends the wanted bytes of the file and checks its expected digest, if it has one.
    fn content(&mut self, row: &LayoutRow<'_>, ticket: u64, part: &str) -> Result<(), LayoutError> {
        let EntryKind::File { content, .. } = &row.entry.kind else { return Ok(()) };
        let (start, length) = self.advance(row.size);
        let before = self.buffer.len();
        let read = match content {
            FileContent::Bytes(bytes) => {
                self.buffer.extend_from_slice(&bytes[start as usize..(start + length) as usize]);
                Ok(())
            }
            FileContent::Disk(path) if length > 0 => read_disk(path, row.size, start, length, self.buffer),
            FileContent::Disk(_) => Ok(()),
            FileContent::Zipped { archive, member } => self.zipped(row, archive, *member, length, ticket),
        };
        let (read_now, path, known) = (&self.buffer[before..], row.entry.path.as_str(), row.entry.sha256);
        let Some(digesting) = &row.digesting else {
            return read.and_then(|()| check_digest(part, path, known, || Digest::of(read_now)));
        };
        if let Err(error) = read {
            // Others wait there for this frame.
            digesting.stop();
            return Err(error);
        }
        if length == 0 {
            return Ok(());
        }
        let digested = digesting.pass(ticket, |writer| {
            writer.write_all(read_now).expect("a sink takes everything");
            if start + length < row.size {
                return Ok(());
            }
            let whole = std::mem::replace(writer, DigestWriter::new(io::sink()));
            check_digest(part, path, known, || whole.finish().1)
        });
        digested.map(|_| ())
    }

    /// The next `length` bytes, which for a file with several frames must be asked for frame by frame.
    fn zipped(
        &mut self,
        row: &LayoutRow<'_>,
        archive: &Path,
        member: ZipMember,
        length: u64,
        ticket: u64,
    ) -> Result<(), LayoutError> {
        let start = self.buffer.len();
        self.buffer.resize(start + length as usize, 0);
        let out = &mut self.buffer[start..];
        let read = match &row.unpacking {
            // Padding alone: everything was unpacked, and checked, for the frame before.
            Some(_) if length == 0 => Ok(()),
            Some(unpacking) => unpacking.pass(ticket, |open| fill(open, archive, member, out)).map(|_| ()),
            None => fill(&mut None, archive, member, out),
        };
        read.map_err(|error| match error {
            MemberError::Read(source) => LayoutError::Read { path: archive.to_owned(), source },
            MemberError::Fault(fault) => {
                LayoutError::Damaged { path: archive.to_owned(), offset: member.offset, fault }
            }
        })
    }
}

/// Appends `length` bytes, from `start` on, of a file of `size` bytes.
pub(crate) fn read_disk(
    path: &Path,
    size: u64,
    start: u64,
    length: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), LayoutError> {
    let failed = |source| LayoutError::Read { path: path.to_owned(), source };
    let changed = |actual| LayoutError::Changed { path: path.to_owned(), expected: size, actual };
    let mut file = File::open(path).map_err(failed)?;
    if start > 0 {
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
    }
    // One byte more than wanted, at the end of the file, so that growth is noticed without asking for the size.
    let at_end = start + length == size;
    let read = (&mut file).take(length + u64::from(at_end)).read_to_end(buffer).map_err(failed)? as u64;
    if read == length { Ok(()) } else { Err(changed(file.metadata().map_err(failed)?.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar_header::BLOCK;

    fn file(path: &str, size: u64) -> TreeEntry {
        TreeEntry::bytes(path.parse().unwrap(), vec![7; size as usize])
    }

    #[test]
    fn a_long_entry_has_frames_of_its_own() {
        let entries = [file("a", 10), file("b", 2 * FRAME), file("c", 10), file("d", FRAME - 2048)];
        let part = PartSource::new("p", entries.to_vec());
        let layout = PartLayout::new(&part, 0).unwrap();
        let lengths: Vec<_> = layout.frames.iter().map(|frame| frame.length).collect();
        assert_eq!(lengths, [1024, FRAME, FRAME, 512, 1024 + FRAME - 2048 + 512]);

        let mut whole = Vec::new();
        for frame in &layout.frames {
            let before = whole.len();
            layout.render(frame, &mut whole).unwrap();
            assert_eq!((whole.len() - before) as u64, frame.length);
        }
        assert_eq!(whole.len() % BLOCK, 0);
        assert_eq!(whole.iter().filter(|byte| **byte == 7).count() as u64, 20 + 3 * FRAME - 2048);
    }

    #[test]
    fn a_file_that_grows_or_shrinks_meanwhile_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1234").unwrap();
        let entries = [TreeEntry::file("file".parse().unwrap(), FileContent::Disk(path.clone()), false)];
        let part = PartSource::new("p", entries.to_vec());
        let layout = PartLayout::new(&part, 0).unwrap();
        for text in ["123", "12345"] {
            fs::write(&path, text).unwrap();
            let error = layout.render(&layout.frames[0], &mut Vec::new()).unwrap_err();
            assert!(matches!(error, LayoutError::Changed { expected: 4, actual, .. } if actual == text.len() as u64));
        }
    }
}
