//! An archive file as a sequence of decoded chunks: frame by frame on several threads if there is a seek table, else
//! from front to back.

use std::borrow::Borrow;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use vocab::ArtifactFormat;

use crate::seek_table::{FrameSize, read_seek_table};

/// Decoded bytes held by one worker when there is no table.
const CHUNK: usize = 4 << 20;
/// Longer frames are not decoded at once; archives of ours have none.
const MAX_FRAME: u32 = 32 << 20;

/// The format of a file by its first bytes, whatever its name. `None` if it is not an archive.
pub fn format_of(path: &Path) -> io::Result<Option<ArtifactFormat>> {
    detect(&File::open(path)?)
}

/// The format, by the file's first bytes. `None` for anything else.
pub(crate) fn detect(file: &File) -> io::Result<Option<ArtifactFormat>> {
    let mut start = Vec::new();
    PositionedReader::new(file).take(512).read_to_end(&mut start)?;
    Ok(match start.as_slice() {
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(ArtifactFormat::TarZst),
        [0x1F, 0x8B, ..] => Some(ArtifactFormat::TarGz),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Some(ArtifactFormat::Zip),
        // An empty tar has no header, only the zeros of its end.
        tar if tar.len() == 512 && (&tar[257..262] == b"ustar" || tar.iter().all(|byte| *byte == 0)) => {
            Some(ArtifactFormat::Tar)
        }
        _ => None,
    })
}

/// Whether parts of a `tar.gz` are gzip members, as in part format 1. No deflate stream begins so: it would be a block of
/// the kind that is reserved.
pub(crate) fn begins_with_member(parts: &File) -> io::Result<bool> {
    let mut start = Vec::new();
    PositionedReader::new(parts).take(2).read_to_end(&mut start)?;
    Ok(start == [0x1F, 0x8B])
}

pub(crate) enum TarSource {
    Frames { file: File, frames: Vec<(u64, FrameSize)>, next: AtomicU64 },
    Stream(Mutex<DecodedStream>),
}

pub(crate) struct DecodedStream {
    reader: DecodingReader,
    /// Bytes of the file read so far.
    taken: Arc<AtomicU64>,
    told: u64,
    next: u64,
    ended: bool,
}

/// Bytes of tar, at a place in the row.
pub(crate) struct TarChunk {
    pub ticket: u64,
    /// How many bytes of the file it took. A stream reads ahead, so only the sum is exact.
    pub packed: u64,
    /// The decoder's failure is a chunk too, so that it is reported in its place and not before what precedes it.
    pub result: io::Result<()>,
}

/// What one worker keeps from chunk to chunk.
#[derive(Default)]
pub(crate) struct FrameDecoder {
    packed: Vec<u8>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl TarSource {
    /// `None` for a zip. The file's own position is left alone.
    pub(crate) fn open(file: File, format: ArtifactFormat) -> io::Result<Option<Self>> {
        if format == ArtifactFormat::TarZst
            && let Some(frames) = frames_of(&file)?
        {
            return Ok(Some(Self::Frames { file, frames, next: AtomicU64::new(0) }));
        }
        let stream = DecodedStream::of(file, |counted| {
            Ok(match format {
                ArtifactFormat::TarZst => Box::new(zstd::Decoder::with_buffer(counted)?),
                // One member, or many as in archives of part format 1.
                ArtifactFormat::TarGz => Box::new(flate2::bufread::MultiGzDecoder::new(counted)),
                ArtifactFormat::Tar | ArtifactFormat::Zip => Box::new(counted),
            })
        })?;
        Ok((format != ArtifactFormat::Zip).then_some(stream))
    }

    /// Parts of an artifact of ours, one after the other. For a `tar.gz` that is not a file that others read: deflated
    /// blocks without the header and the checksum of the whole.
    pub(crate) fn open_parts(file: File, format: ArtifactFormat) -> io::Result<Option<Self>> {
        if format != ArtifactFormat::TarGz || begins_with_member(&file)? {
            return Self::open(file, format);
        }
        DecodedStream::of(file, |counted| Ok(Box::new(flate2::bufread::DeflateDecoder::new(counted)))).map(Some)
    }

    /// The next chunk that no other worker has, with its bytes in `buffer`; `None` after the last.
    pub(crate) fn next(&self, decoder: &mut FrameDecoder, buffer: &mut Vec<u8>) -> Option<TarChunk> {
        buffer.clear();
        match self {
            Self::Frames { file, frames, next } => {
                let ticket = next.fetch_add(1, Ordering::Relaxed);
                let (offset, size) = frames.get(ticket as usize)?;
                let result = decoder.frame(file, *offset, *size, buffer);
                Some(TarChunk { ticket, packed: u64::from(size.packed), result })
            }
            Self::Stream(stream) => stream.lock().unwrap_or_else(PoisonError::into_inner).next(buffer),
        }
    }
}

type DecodingReader = Box<dyn Read + Send>;

impl DecodedStream {
    fn of(
        file: File,
        decode: impl FnOnce(BufReader<CountedReader<PositionedReader<File>>>) -> io::Result<DecodingReader>,
    ) -> io::Result<TarSource> {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = CountedReader { inner: PositionedReader::new(file), taken: Arc::clone(&taken) };
        let reader = decode(BufReader::with_capacity(1 << 18, counted))?;
        Ok(TarSource::Stream(Mutex::new(Self { reader, taken, told: 0, next: 0, ended: false })))
    }

    fn next(&mut self, buffer: &mut Vec<u8>) -> Option<TarChunk> {
        if self.ended {
            return None;
        }
        let result = (&mut self.reader).take(CHUNK as u64).read_to_end(buffer);
        self.ended = result.as_ref().map_or(true, |read| *read == 0);
        let taken = self.taken.load(Ordering::Relaxed);
        let chunk = TarChunk { ticket: self.next, packed: taken - self.told, result: result.map(|_| ()) };
        self.told = taken;
        self.next += 1;
        Some(chunk)
    }
}

impl FrameDecoder {
    pub(crate) fn frame(&mut self, file: &File, offset: u64, size: FrameSize, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.packed.resize(size.packed as usize, 0);
        read_exact_at(file, &mut self.packed, offset)?;
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            None => self.zstd.insert(zstd::bulk::Decompressor::new()?),
        };
        buffer.reserve(size.unpacked as usize);
        let written = zstd.decompress_to_buffer(&self.packed, buffer)?;
        // All frames of this length, one after the other, are then exactly what an ordinary decoder makes of the file.
        if written != size.unpacked as usize {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is not as long as the seek table says"));
        }
        Ok(())
    }
}

/// Where each frame begins. `None` without a table, or with one that needs too much memory.
pub(crate) fn frames_of(file: &File) -> io::Result<Option<Vec<(u64, FrameSize)>>> {
    let Some(sizes) = read_seek_table(&mut PositionedReader::new(file))? else { return Ok(None) };
    let bounded = |size: &FrameSize| size.unpacked <= MAX_FRAME && size.packed <= MAX_FRAME + (MAX_FRAME >> 6);
    if !sizes.iter().all(bounded) {
        return Ok(None);
    }
    let mut offset = 0;
    let place = |size: FrameSize| {
        let at = offset;
        offset += u64::from(size.packed);
        (at, size)
    };
    Ok(Some(sizes.into_iter().map(place).collect()))
}

/// Reads a file with a position of its own. All handles of a file share its position: another thread that reads would
/// move it, and on Windows reading at an offset does, too.
pub(crate) struct PositionedReader<F> {
    file: F,
    position: u64,
}

impl<F: Borrow<File>> PositionedReader<F> {
    pub(crate) fn new(file: F) -> Self {
        Self { file, position: 0 }
    }
}

impl<F: Borrow<File>> Read for PositionedReader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = read_at(self.file.borrow(), buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl<F: Borrow<File>> Seek for PositionedReader<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::Current(offset) => (self.position, offset),
            SeekFrom::End(offset) => (self.file.borrow().metadata()?.len(), offset),
        };
        self.position = base.checked_add_signed(offset).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// Fills `buffer` from `offset` on; a file that ends before is an error. On Windows this moves the file's position.
pub fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The file's own position stays as it is.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Moves the position of the file and of its clones. Nothing relies on it: see [`PositionedReader`], and writers open
/// the file anew.
#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

struct CountedReader<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for CountedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
