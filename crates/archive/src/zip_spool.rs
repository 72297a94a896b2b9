//! Long files, compressed before anything is written: a local header states their compressed size and their CRC-32, and
//! precedes them.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Crc;
use vocab::{Digest, side_by_side};

use crate::FileContent;
use crate::deflate::{BLOCK, Deflater, crc_of};
use crate::frames::{check_digest, read_disk};
use crate::pack_error::PackErrorKind;
use crate::zip_member::ZipMethod;

/// Compressed bytes, ready to be copied.
pub(crate) struct CompressedContent<'a> {
    pub method: ZipMethod,
    pub crc32: u32,
    pub packed: u64,
    pub stretches: Vec<CompressedStretch<'a>>,
}

/// A piece of compressed bytes.
pub(crate) enum CompressedStretch<'a> {
    Disk { path: &'a Path, offset: u64, length: u64 },
    Bytes(&'a [u8]),
    Spooled { file: Arc<File>, offset: u64, length: u64 },
}

impl CompressedStretch<'_> {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Disk { length, .. } | Self::Spooled { length, .. } => *length,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// Identifies content by its address: two links to one file share it.
pub(crate) fn address(content: &FileContent) -> usize {
    std::ptr::from_ref(content).addr()
}

/// A file that is compressed before anything is written.
pub(crate) struct LongFile<'a, 'p> {
    pub part: &'a str,
    pub path: &'p str,
    pub content: &'a FileContent,
    pub size: u64,
    /// Absent if unknown.
    pub sha256: Option<Digest>,
}

struct SpooledFile<'a> {
    content: &'a FileContent,
    size: u64,
    blocks: Vec<Option<SpooledBlock>>,
}

struct SpooledBlock {
    /// Its position in the spool.
    offset: u64,
    length: u64,
    crc: Crc,
}

/// Deflates files, each longer than a block, into an unnamed file in `folder`; keyed by [`address`].
pub(crate) fn spool<'a>(
    files: &[LongFile<'a, '_>],
    folder: &Path,
    level: i32,
    threads: usize,
) -> Result<HashMap<usize, CompressedContent<'a>>, PackErrorKind> {
    if files.is_empty() {
        return Ok(HashMap::new());
    }
    // Digesting cannot be shared out in blocks, so it comes first.
    let mut jobs: Vec<_> = (0..files.len()).map(SpoolJob::Digest).collect();
    let mut long = Vec::new();
    for (index, LongFile { content, size, .. }) in files.iter().enumerate() {
        let blocks = size.div_ceil(BLOCK) as usize;
        jobs.extend((0..blocks).map(|block| SpoolJob::Block(index, block)));
        long.push(SpooledFile { content, size: *size, blocks: std::iter::repeat_with(|| None).take(blocks).collect() });
    }
    let file = tempfile::tempfile_in(folder).map_err(|source| PackErrorKind::Write { source })?;
    let spool = Mutex::new((&file, 0_u64, long));
    let state = || (Deflater::new(level), Vec::new(), Vec::new());
    side_by_side(threads, jobs.len(), state, |(deflater, plain, packed), job| {
        let (index, block) = match jobs[job] {
            SpoolJob::Digest(index) => return files[index].check(),
            SpoolJob::Block(index, block) => (index, block),
        };
        let LongFile { content, size, .. } = files[index];
        let start = block as u64 * BLOCK;
        let length = BLOCK.min(size - start);
        plain.clear();
        packed.clear();
        match content {
            FileContent::Bytes(bytes) => plain.extend_from_slice(&bytes[start as usize..(start + length) as usize]),
            FileContent::Disk(path) => read_disk(path, size, start, length, plain)?,
            FileContent::Zipped { .. } => return Ok(()),
        }
        let crc = crc_of(plain);
        let compress = |source| PackErrorKind::Compress { source };
        deflater.block(plain, start + length == size, packed).map_err(compress)?;
        let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, end, long) = &mut *spool;
        file.write_all(packed).map_err(|source| PackErrorKind::Write { source })?;
        long[index].blocks[block] = Some(SpooledBlock { offset: *end, length: packed.len() as u64, crc });
        *end += packed.len() as u64;
        Ok::<_, PackErrorKind>(())
    })?;
    let (_, _, long) = spool.into_inner().unwrap_or_else(PoisonError::into_inner);
    let file = Arc::new(file);
    Ok(long.into_iter().map(|long| (address(long.content), ready(long, &file))).collect())
}

/// Work on the file with that index.
#[derive(Clone, Copy)]
enum SpoolJob {
    Digest(usize),
    Block(usize, usize),
}

impl LongFile<'_, '_> {
    fn check(&self) -> Result<(), PackErrorKind> {
        if self.sha256.is_none() {
            return Ok(());
        }
        let path = match self.content {
            FileContent::Disk(path) => path.clone(),
            FileContent::Bytes(_) | FileContent::Zipped { .. } => PathBuf::new(),
        };
        let actual = self.content.digest().map_err(|source| PackErrorKind::Read { path, source })?;
        Ok(check_digest(self.part, self.path, self.sha256, || actual)?)
    }
}

fn ready<'a>(long: SpooledFile<'a>, file: &Arc<File>) -> CompressedContent<'a> {
    let mut crc = Crc::new();
    let mut stretches = Vec::new();
    let mut packed = 0;
    for block in long.blocks.into_iter().flatten() {
        crc.combine(&block.crc);
        packed += block.length;
        stretches.push(CompressedStretch::Spooled {
            file: Arc::clone(file),
            offset: block.offset,
            length: block.length,
        });
    }
    let crc32 = crc.sum();
    if packed < long.size {
        return CompressedContent { method: ZipMethod::Deflated, crc32, packed, stretches };
    }
    let whole = match long.content {
        FileContent::Bytes(bytes) => CompressedStretch::Bytes(bytes),
        FileContent::Disk(path) => CompressedStretch::Disk { path, offset: 0, length: long.size },
        FileContent::Zipped { archive, member } => {
            CompressedStretch::Disk { path: archive, offset: member.offset, length: member.packed }
        }
    };
    CompressedContent { method: ZipMethod::Stored, crc32, packed: long.size, stretches: vec![whole] }
}
