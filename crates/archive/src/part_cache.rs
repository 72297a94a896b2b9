//! Compressed parts kept from one pack to the next.
//!
//! A cached part is the part's own bytes and, after them, what is needed to use it again:
//!
//! ```text
//! part bytes | { packed u32, unpacked u32 } per frame | check | frames u32 | "pydpart1"
//! ```
//! All numbers are little-endian. The check is the SHA-256 of the part bytes' SHA-256 followed by the rows. A cached part that is damaged in any byte is treated as absent.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use vocab::Digest;

use crate::seek_table::FrameSize;
use crate::{PackOptions, codec};

/// Raised whenever equal inputs give other bytes than before: headers, order, frame cuts.
pub const PART_FORMAT: u32 = 1;

/// Where parts are kept. The builder's store is one; [`NoCache`] is none.
pub trait PartCache: Sync {
    /// The file that `put` was given for `key`.
    fn get(&self, key: &Digest) -> Option<PathBuf>;

    /// Keeps `part`, to be read to its end. A cache that cannot keep it lets it go: the pack itself has succeeded.
    fn put(&self, key: &Digest, part: &mut dyn Read);
}

/// Keeps nothing.
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

/// The bytes of the part in a file that a cache was given. `None` when any of it is damaged.
pub fn check_part(path: &Path) -> Option<u64> {
    CachedPart::open(path.to_owned()).map(|part| part.size)
}

const MAGIC: &[u8; 8] = b"pydpart1";
/// Check, number of frames, magic.
const FOOTER: u64 = 32 + 4 + 8;

/// A part taken from a cache, found undamaged.
pub(crate) struct CachedPart {
    pub file: File,
    pub size: u64,
    pub frames: Vec<FrameSize>,
}

impl CachedPart {
    /// `None` when the file cannot be read or is not what was once put there.
    pub(crate) fn open(path: PathBuf) -> Option<Self> {
        Self::read(File::open(path).ok()?).ok().flatten()
    }

    fn read(mut file: File) -> io::Result<Option<Self>> {
        let length = file.seek(SeekFrom::End(0))?;
        let Some(footer_at) = length.checked_sub(FOOTER) else { return Ok(None) };
        let mut footer = [0; FOOTER as usize];
        file.seek(SeekFrom::Start(footer_at))?;
        file.read_exact(&mut footer)?;
        let (check, rest) = footer.split_at(32);
        let (count, magic) = rest.split_at(4);
        if magic != MAGIC {
            return Ok(None);
        }
        let table = u64::from(u32::from_le_bytes([count[0], count[1], count[2], count[3]])) * 8;
        let Some(size) = footer_at.checked_sub(table) else { return Ok(None) };
        let mut rows = vec![0; table as usize];
        file.seek(SeekFrom::Start(size))?;
        file.read_exact(&mut rows)?;
        let number = |row: &[u8]| u32::from_le_bytes([row[0], row[1], row[2], row[3]]);
        let frames: Vec<_> = rows
            .chunks_exact(8)
            .map(|row| FrameSize { packed: number(&row[..4]), unpacked: number(&row[4..]) })
            .collect();
        file.seek(SeekFrom::Start(0))?;
        let (sha256, _) = Digest::of_reader((&mut file).take(size))?;
        file.seek(SeekFrom::Start(0))?;
        let adds_up = frames.iter().map(|frame| u64::from(frame.packed)).sum::<u64>() == size;
        let undamaged = adds_up && check_of(&sha256, &rows).as_bytes() == check;
        Ok(undamaged.then_some(Self { file, size, frames }))
    }
}

fn check_of(sha256: &Digest, rows: &[u8]) -> Digest {
    Digest::of([sha256.as_bytes(), rows].concat())
}

/// What follows the part's bytes in a cached part.
pub(crate) fn trailer(frames: &[FrameSize], sha256: &Digest) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frames.len() * 8 + FOOTER as usize);
    for frame in frames {
        bytes.extend(frame.packed.to_le_bytes());
        bytes.extend(frame.unpacked.to_le_bytes());
    }
    bytes.extend(check_of(sha256, &bytes).as_bytes());
    bytes.extend((frames.len() as u32).to_le_bytes());
    bytes.extend(MAGIC);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cached_part_damaged_in_any_byte_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        let frames = [FrameSize { packed: 2, unpacked: 5 }, FrameSize { packed: 1, unpacked: 1 }];
        let good = [b"abc".to_vec(), trailer(&frames, &Digest::of("abc"))].concat();
        std::fs::write(&path, &good).unwrap();
        let part = CachedPart::open(path.clone()).unwrap();
        assert_eq!((part.size, part.frames.as_slice()), (3, &frames[..]));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(CachedPart::open(path.clone()).is_none(), "byte {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(CachedPart::open(path.clone()).is_none(), "cut to {at}");
        }
    }
}
