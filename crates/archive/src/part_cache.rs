//! Compressed parts kept from one pack to the next.
//!
//! A cached part is the part's own bytes and, after them, what is needed to use it again:
//!
//! ```text
//! part bytes | { packed u32, unpacked u32, CRC-32 u32 } per frame | key | check | frames u32 | "pydpart3"
//! ```
//! A part of a zip is followed by its rows of the central directory, with offsets from the part's first byte:
//!
//! ```text
//! part bytes | rows of the central directory | key | check | bytes of the rows u32 | "pydzip_2"
//! ```
//! All numbers are little-endian. The CRC-32 covers what the frame decompresses to in a `tar.gz`, whose last bytes are
//! the CRC-32 of the whole, and is 0 in other formats. The key is the one that the part is stored under. The check is
//! the SHA-256 of the key, the SHA-256 of the part's bytes, and the rows. A cached part is treated as absent if any
//! byte is damaged or it was stored under another key.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use vocab::Digest;

use crate::codec;
use crate::follower::digest_of_range;
use crate::pack_options::PackOptions;
use crate::seek_table::FrameSize;
use crate::written_frame::WrittenFrame;
use crate::zip_directory::{ZipDirectory, ZipEntry};
use crate::zip_header::ZipRecord;

/// Raised whenever equal inputs give other bytes than before (headers, order, frame cuts), or a cached part has another
/// trailer. Format 1 had deflate streams that differed from run to run, and a `tar.gz` of many gzip members; the
/// trailers of format 2 had no key.
pub const PART_FORMAT: u32 = 3;

/// Where compressed parts are kept between runs: the builder's store, or nowhere with [`NoCache`].
pub trait PartCache: Sync {
    /// The file that was stored for `key`. It is checked when it is used, so a damaged one does no harm.
    fn get(&self, key: &Digest) -> Option<PathBuf>;

    /// Stores `part`, which it reads to its end. Failures are silent: the pack itself has succeeded.
    fn put(&self, key: &Digest, part: &mut dyn Read);

    /// The digest that [`Self::put_digest`] stored for `key`.
    fn get_digest(&self, _key: &Digest) -> Option<Digest> {
        None
    }

    /// Stores the digest of a part that is as cheap to make again as to copy.
    fn put_digest(&self, _key: &Digest, _sha256: &Digest) {}
}

/// Stores nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCache;

impl PartCache for NoCache {
    fn get(&self, _: &Digest) -> Option<PathBuf> {
        None
    }

    fn put(&self, _: &Digest, _: &mut dyn Read) {}
}

/// The key of a part whose entries and content `identity` determines: the SHA-256 of these lines, each ended by `\n`:
/// `pydist part`, then [`PART_FORMAT`], the format's extension, the compressor with its version, the level, the mtime
/// in seconds, and `identity` in hexadecimal.
pub fn part_key(identity: &Digest, options: &PackOptions<'_>) -> Digest {
    Digest::of(format!(
        "pydist part\n{PART_FORMAT}\n{}\n{}\n{}\n{}\n{identity}\n",
        options.format.extension(),
        codec::codec_name(options.format),
        options.level,
        options.mtime,
    ))
}

/// The key of the digest of a part of a zip that is copied from another archive: the SHA-256 of the lines
/// `pydist digest`, [`part_key`] and the SHA-256 of that archive.
pub(crate) fn digest_key(part_key: &Digest, copied_from: &Digest) -> Digest {
    Digest::of(format!("pydist digest\n{part_key}\n{copied_from}\n"))
}

/// The number of part bytes in a file that was stored for `key`. `None` if any of it is damaged, or it is another part.
pub fn check_part(path: &Path, key: &Digest) -> Option<u64> {
    let open = |magic, row| CachedFile::open(path.to_owned(), key, magic, row);
    let part = open(MAGIC, ROW).or_else(|| open(ZIP_MAGIC, 1))?;
    part.is_sound().ok()?.then_some(part.size)
}

const MAGIC: &[u8; 8] = b"pydpart3";
/// Bytes of one frame's row in the trailer.
const ROW: u64 = 12;
const ZIP_MAGIC: &[u8; 8] = b"pydzip_2";
/// Key, check, number of frames, magic.
const FOOTER: u64 = 32 + 32 + 4 + 8;

/// A part taken from a cache. Whether it is undamaged is known when its bytes have been read: [`Self::holds`].
pub(crate) struct CachedPart {
    kept: CachedFile,
    pub frames: Vec<WrittenFrame>,
}

impl CachedPart {
    /// `None` when the file cannot be read or is not the part of this key.
    pub(crate) fn open(path: PathBuf, key: &Digest) -> Option<Self> {
        let kept = CachedFile::open(path, key, MAGIC, ROW)?;
        let number = |row: &[u8]| u32::from_le_bytes([row[0], row[1], row[2], row[3]]);
        let frame = |row: &[u8]| WrittenFrame {
            size: FrameSize { packed: number(&row[..4]), unpacked: number(&row[4..8]) },
            crc32: number(&row[8..]),
        };
        let frames: Vec<_> = kept.table.chunks_exact(ROW as usize).map(frame).collect();
        let adds_up = frames.iter().map(|frame| u64::from(frame.size.packed)).sum::<u64>() == kept.size;
        adds_up.then_some(Self { kept, frames })
    }

    pub(crate) fn file(&self) -> &File {
        &self.kept.file
    }

    pub(crate) fn size(&self) -> u64 {
        self.kept.size
    }

    /// Whether the part, whose digest is `sha256`, is what was stored.
    pub(crate) fn holds(&self, sha256: &Digest) -> bool {
        self.kept.holds(sha256)
    }
}

/// A part of a zip taken from a cache, found undamaged.
pub(crate) struct CachedZipPart {
    pub file: File,
    pub size: u64,
    pub records: Vec<ZipRecord>,
}

impl CachedZipPart {
    pub(crate) fn open(path: PathBuf, key: &Digest) -> Option<Self> {
        let kept = CachedFile::open(path, key, ZIP_MAGIC, 1)?;
        if !kept.is_sound().ok()? {
            return None;
        }
        let CachedFile { file, size, table, .. } = kept;
        let directory = ZipDirectory::parse(table, 0, 0).ok()?;
        let record = |entry: &ZipEntry| {
            let name = std::str::from_utf8(directory.name(entry)).ok()?.to_owned();
            let ZipEntry { mode, method, crc32, packed, size, offset, .. } = *entry;
            Some(ZipRecord { name, mode, method, crc32, packed, size, offset })
        };
        let records = directory.entries.iter().map(record).collect::<Option<_>>()?;
        Some(Self { file, size, records })
    }
}

/// A cached file with its trailer.
struct CachedFile {
    /// Positioned at its start.
    file: File,
    /// Size of the part, without the trailer.
    size: u64,
    table: Vec<u8>,
    key: Digest,
    check: Digest,
}

impl CachedFile {
    /// The table's size is a multiple of `row` bytes.
    fn open(path: PathBuf, key: &Digest, magic: &[u8; 8], row: u64) -> Option<Self> {
        Self::read(File::open(path).ok()?, magic, row).ok().flatten().filter(|kept| kept.key == *key)
    }

    fn read(mut file: File, expected: &[u8; 8], row: u64) -> io::Result<Option<Self>> {
        let length = file.seek(SeekFrom::End(0))?;
        let Some(footer_at) = length.checked_sub(FOOTER) else { return Ok(None) };
        let mut footer = [0; FOOTER as usize];
        file.seek(SeekFrom::Start(footer_at))?;
        file.read_exact(&mut footer)?;
        let (key, rest) = footer.split_at(32);
        let (check, rest) = rest.split_at(32);
        let (count, magic) = rest.split_at(4);
        if magic != expected {
            return Ok(None);
        }
        let length = u64::from(u32::from_le_bytes([count[0], count[1], count[2], count[3]])) * row;
        let Some(size) = footer_at.checked_sub(length) else { return Ok(None) };
        let mut table = vec![0; length as usize];
        file.seek(SeekFrom::Start(size))?;
        file.read_exact(&mut table)?;
        file.seek(SeekFrom::Start(0))?;
        let digest = |bytes: &[u8]| Digest::from_bytes(bytes.try_into().expect("the footer was split there"));
        Ok(Some(Self { file, size, table, key: digest(key), check: digest(check) }))
    }

    /// Whether the part, whose digest is `sha256`, is what was stored.
    fn holds(&self, sha256: &Digest) -> bool {
        check_of(&self.key, sha256, &self.table) == self.check
    }

    /// Like [`Self::holds`], reading the part for it.
    fn is_sound(&self) -> io::Result<bool> {
        Ok(self.holds(&digest_of_range(&self.file, 0, self.size)?))
    }
}

fn check_of(key: &Digest, sha256: &Digest, rows: &[u8]) -> Digest {
    Digest::of([key.as_bytes(), sha256.as_bytes(), rows].concat())
}

/// The trailer after the bytes of a cached part.
pub(crate) fn trailer(key: &Digest, frames: &[WrittenFrame], sha256: &Digest) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frames.len() * ROW as usize + FOOTER as usize);
    for frame in frames {
        bytes.extend(frame.size.packed.to_le_bytes());
        bytes.extend(frame.size.unpacked.to_le_bytes());
        bytes.extend(frame.crc32.to_le_bytes());
    }
    close(bytes, frames.len() as u32, (key, sha256), MAGIC)
}

/// The trailer for a part of a zip. `None` if its table is too long to be cached.
pub(crate) fn zip_trailer(key: &Digest, records: &[ZipRecord], mtime: u64, sha256: &Digest) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for record in records {
        record.write_central(0, mtime, &mut bytes);
    }
    let length = u32::try_from(bytes.len()).ok()?;
    Some(close(bytes, length, (key, sha256), ZIP_MAGIC))
}

fn close(mut table: Vec<u8>, count: u32, (key, sha256): (&Digest, &Digest), magic: &[u8; 8]) -> Vec<u8> {
    let check = check_of(key, sha256, &table);
    table.extend(key.as_bytes());
    table.extend(check.as_bytes());
    table.extend(count.to_le_bytes());
    table.extend(magic);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cached_part_damaged_in_any_byte_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("part"), Digest::of("key"));
        let frame = |packed, unpacked, crc32| WrittenFrame { size: FrameSize { packed, unpacked }, crc32 };
        let frames = [frame(2, 5, 7), frame(1, 1, 0)];
        let good = [b"abc".to_vec(), trailer(&key, &frames, &Digest::of("abc"))].concat();
        std::fs::write(&path, &good).unwrap();
        let sound = || {
            let part = CachedPart::open(path.clone(), &key)?;
            let (sha256, _) = Digest::of_reader(part.file().take(part.size())).ok()?;
            part.holds(&sha256).then_some(part)
        };
        let part = sound().unwrap();
        assert_eq!((part.size(), part.frames.as_slice()), (3, &frames[..]));
        // Sound in itself, and another one.
        assert!(CachedPart::open(path.clone(), &Digest::of("other")).is_none());
        assert_eq!((check_part(&path, &key), check_part(&path, &Digest::of("other"))), (Some(3), None));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(sound().is_none(), "byte {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(sound().is_none(), "cut to {at}");
        }
    }
}
