//! A zip part cut into pieces of work, and the bytes of one piece.
//!
//! Every file is compressed on its own, so the pieces have no effect on the bytes; their length is chosen for memory
//! and processor caches.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use flate2::Crc;
use vocab::Digest;

use crate::FileContent;
use crate::deflate::{BLOCK, Deflater, crc_of};
use crate::frames::{check_digest, content_size, read_disk};
use crate::pack_error::PackErrorKind;
use crate::source::read_exact_at;
use crate::window::ReadWindow;
use crate::zip_header::ZipRecord;
use crate::zip_links::{ZipFile, ZipPart};
use crate::zip_member::ZipMethod;
use crate::zip_spool::{CompressedContent, CompressedStretch, LongFile, address};

/// In bytes, unless one file that is to be deflated is longer.
const PIECE: u64 = 1 << 20;
/// Consecutive members of a wheel that are shorter than this are read together.
const AHEAD: usize = 128 << 10;

const FOLDER: u32 = 0o40_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

pub(crate) struct ZipLayout<'a> {
    /// Name of the part.
    part: &'a str,
    rows: Vec<ZipLayoutRow<'a>>,
    pub pieces: Vec<ZipPiece>,
    mtime: u64,
}

struct ZipLayoutRow<'a> {
    /// The name of a folder ends in a slash.
    name: String,
    mode: u32,
    size: u64,
    data: ZipRowData<'a>,
}

enum ZipRowData<'a> {
    None,
    /// With its digest, if known.
    Plain(&'a FileContent, Option<Digest>),
    Copied(CompressedContent<'a>),
    Spooled(Arc<CompressedContent<'a>>),
}

/// `length` bytes, `skip` bytes into the rows from `first` on. Where one is longer than a piece, it stands alone.
pub(crate) struct ZipPiece {
    first: usize,
    end: usize,
    skip: u64,
    length: u64,
}

/// The long files of `parts`, which are to be spooled first.
pub(crate) fn long_files<'a, 'p>(parts: &[&'p ZipPart<'a>]) -> Result<Vec<LongFile<'a, 'p>>, PackErrorKind> {
    let mut found = HashMap::new();
    for (part, row) in parts.iter().flat_map(|part| part.rows.iter().map(|row| (part.name, row))) {
        if let Some(ZipFile { content, sha256, .. }) = row.file
            && !matches!(content, FileContent::Zipped { .. })
        {
            let size = content_size(content)?;
            if size > BLOCK {
                found.insert(address(content), LongFile { part, path: row.path.as_str(), content, size, sha256 });
            }
        }
    }
    Ok(found.into_values().collect())
}

impl<'a> ZipLayout<'a> {
    pub(crate) fn new(
        part: ZipPart<'a>,
        spooled: &HashMap<usize, Arc<CompressedContent<'a>>>,
        mtime: u64,
    ) -> Result<Self, PackErrorKind> {
        let mut rows = Vec::with_capacity(part.rows.len());
        for row in part.rows {
            rows.push(match row.file {
                None => ZipLayoutRow { name: format!("{}/", row.path), mode: FOLDER, size: 0, data: ZipRowData::None },
                Some(ZipFile { content, executable, sha256 }) => ZipLayoutRow {
                    name: row.path.into(),
                    mode: if executable { PROGRAM } else { FILE },
                    size: content_size(content)?,
                    data: data_of(content, sha256, spooled),
                },
            });
        }
        let pieces = cut(&rows);
        Ok(Self { part: part.name, rows, pieces, mtime })
    }

    /// Appends the bytes of `piece` to `buffer`, and the entries that begin in it to `records`, with their places in
    /// the piece.
    pub(crate) fn render(
        &self,
        piece: &ZipPiece,
        tools: &mut ZipPackTools,
        buffer: &mut Vec<u8>,
        records: &mut Vec<ZipRecord>,
    ) -> Result<(), PackErrorKind> {
        for row in &self.rows[piece.first..piece.end] {
            let mut record = row.record(buffer.len() as u64);
            match &row.data {
                ZipRowData::None => record.write_local(self.mtime, buffer),
                ZipRowData::Plain(content, known) => {
                    let plain = tools.plain(content, &mut record, self.mtime, buffer)?;
                    check_digest(self.part, &row.name, *known, || Digest::of(plain))?;
                }
                ZipRowData::Copied(ready) => self.copied(piece, ready, &record, tools, buffer)?,
                ZipRowData::Spooled(ready) => self.copied(piece, ready, &record, tools, buffer)?,
            }
            if piece.skip == 0 {
                records.push(record);
            }
        }
        Ok(())
    }

    fn copied(
        &self,
        piece: &ZipPiece,
        ready: &CompressedContent<'_>,
        record: &ZipRecord,
        tools: &mut ZipPackTools,
        buffer: &mut Vec<u8>,
    ) -> Result<(), PackErrorKind> {
        let start = buffer.len();
        record.write_local(self.mtime, buffer);
        let header = (buffer.len() - start) as u64;
        // Range of the compressed bytes: start and length. Pieces with several rows contain them completely.
        let (skip, length) = if piece.end - piece.first > 1 {
            (0, ready.packed)
        } else if piece.skip == 0 {
            (0, piece.length - header)
        } else {
            buffer.truncate(start);
            (piece.skip - header, piece.length)
        };
        let (mut at, end) = (0, skip + length);
        for stretch in &ready.stretches {
            let (from, to) = (at.max(skip), (at + stretch.length()).min(end));
            if from < to {
                tools.stretch(stretch, from - at, to - from, buffer)?;
            }
            at += stretch.length();
        }
        Ok(())
    }
}

fn data_of<'a>(
    content: &'a FileContent,
    sha256: Option<Digest>,
    spooled: &HashMap<usize, Arc<CompressedContent<'a>>>,
) -> ZipRowData<'a> {
    match content {
        FileContent::Zipped { archive, member } => ZipRowData::Copied(CompressedContent {
            method: member.method,
            crc32: member.crc32,
            packed: member.packed,
            stretches: vec![CompressedStretch::Disk { path: archive, offset: member.offset, length: member.packed }],
        }),
        _ => match spooled.get(&address(content)) {
            Some(ready) => ZipRowData::Spooled(Arc::clone(ready)),
            None => ZipRowData::Plain(content, sha256),
        },
    }
}

impl ZipLayoutRow<'_> {
    /// For a plain file, only what is known before it is read.
    fn record(&self, offset: u64) -> ZipRecord {
        let (method, crc32, packed) = match &self.data {
            ZipRowData::None | ZipRowData::Plain(..) => (ZipMethod::Stored, 0, 0),
            ZipRowData::Copied(ready) => (ready.method, ready.crc32, ready.packed),
            ZipRowData::Spooled(ready) => (ready.method, ready.crc32, ready.packed),
        };
        let (name, mode, size) = (self.name.clone(), self.mode, self.size);
        ZipRecord { name, mode, method: method.code(), crc32, packed, size, offset }
    }

    /// Length in a piece, which for a plain file is an estimate.
    fn length(&self) -> u64 {
        let record = self.record(0);
        let packed = if matches!(self.data, ZipRowData::Plain(..)) { self.size } else { record.packed };
        record.local_length() + packed
    }
}

fn cut(rows: &[ZipLayoutRow<'_>]) -> Vec<ZipPiece> {
    let mut pieces = Vec::new();
    let mut open = ZipPiece { first: 0, end: 0, skip: 0, length: 0 };
    for (index, row) in rows.iter().enumerate() {
        let length = row.length();
        if open.length + length > PIECE && open.length > 0 {
            pieces.push(std::mem::replace(&mut open, ZipPiece { first: index, end: index, skip: 0, length: 0 }));
        }
        if length > PIECE && !matches!(row.data, ZipRowData::Plain(..)) {
            for skip in (0..length).step_by(PIECE as usize) {
                pieces.push(ZipPiece { first: index, end: index + 1, skip, length: PIECE.min(length - skip) });
            }
            open = ZipPiece { first: index + 1, end: index + 1, skip: 0, length: 0 };
        } else {
            open.end = index + 1;
            open.length += length;
        }
    }
    if open.length > 0 {
        pieces.push(open);
    }
    pieces
}

/// What one worker keeps from piece to piece.
pub(crate) struct ZipPackTools {
    deflater: Deflater,
    plain: Vec<u8>,
    packed: Vec<u8>,
    window: ReadWindow,
    /// The zip that was copied from last, and its size.
    open: Option<(Arc<Path>, File, u64)>,
}

impl ZipPackTools {
    pub(crate) fn new(level: i32) -> Self {
        let deflater = Deflater::new(level);
        Self { deflater, plain: Vec::new(), packed: Vec::new(), window: ReadWindow::new(AHEAD), open: None }
    }

    /// Header and data of a file that is not compressed yet; fills in `record` and returns the compressed bytes.
    fn plain<'t>(
        &'t mut self,
        content: &'t FileContent,
        record: &mut ZipRecord,
        mtime: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<&'t [u8], PackErrorKind> {
        self.plain.clear();
        let plain: &[u8] = match content {
            FileContent::Bytes(bytes) => bytes,
            FileContent::Disk(path) => {
                read_disk(path, record.size, 0, record.size, &mut self.plain)?;
                &self.plain
            }
            // Copied, never packed.
            // Copied, never compressed.
            FileContent::Zipped { .. } => &self.plain,
        };
        self.packed.clear();
        self.deflater.block(plain, true, &mut self.packed).map_err(|source| PackErrorKind::Compress { source })?;
        let crc: Crc = crc_of(plain);
        record.crc32 = crc.sum();
        let (method, data) = if self.packed.len() < plain.len() {
            (ZipMethod::Deflated, &self.packed[..])
        } else {
            (ZipMethod::Stored, plain)
        };
        (record.method, record.packed) = (method.code(), data.len() as u64);
        record.write_local(mtime, buffer);
        buffer.extend_from_slice(data);
        Ok(plain)
    }

    fn stretch(
        &mut self,
        stretch: &CompressedStretch<'_>,
        skip: u64,
        length: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<(), PackErrorKind> {
        let start = buffer.len();
        match stretch {
            CompressedStretch::Bytes(bytes) => {
                buffer.extend_from_slice(&bytes[skip as usize..(skip + length) as usize]);
            }
            CompressedStretch::Spooled { file, offset, .. } => {
                buffer.resize(start + length as usize, 0);
                let read = read_exact_at(file, &mut buffer[start..], offset + skip);
                read.map_err(|source| PackErrorKind::Write { source })?;
            }
            CompressedStretch::Disk { path, offset, .. } => {
                buffer.resize(start + length as usize, 0);
                let read = self.disk(path, offset + skip, &mut buffer[start..]);
                read.map_err(|source| PackErrorKind::Read { path: path.to_path_buf(), source })?;
            }
        }
        Ok(())
    }

    fn disk(&mut self, path: &Path, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(last, ..)| **last != *path) {
            self.open = None;
        }
        let (_, file, size) = match &mut self.open {
            Some(open) => open,
            None => {
                self.window.clear();
                let file = File::open(path)?;
                let size = file.metadata()?.len();
                self.open.insert((path.into(), file, size))
            }
        };
        self.window.read(file, *size, offset, out)
    }
}
