//! The seek table of zstd's seekable format: a skippable frame after the last frame, which ordinary decoders ignore.
//!
//! ```text
//! 5E 2A 4D 18 | length u32 | { packed u32, unpacked u32 } per frame | frames u32 | descriptor u8 | B1 EA 92 8F
//! ```
//! All numbers are little-endian. The descriptor is 0: no checksums here, since each frame carries its own.

use std::io::{self, Read, Seek, SeekFrom};

const SKIPPABLE: u32 = 0x184D_2A5E;
const SEEKABLE: u32 = 0x8F92_EAB1;
const FOOTER: usize = 9;
const ROW: usize = 8;
/// The table is kept in memory; one with more rows than this, 8 TiB in frames of 8 MiB, is not believed.
const MAX_ROWS: u32 = 1 << 20;
/// The descriptor's bit for a checksum of four more bytes in each row.
const CHECKSUMS: u8 = 0x80;

/// The sizes of one frame in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSize {
    /// Compressed, as in the archive.
    pub packed: u32,
    /// Uncompressed bytes of tar.
    pub unpacked: u32,
}

/// The whole skippable frame.
pub(crate) fn write_seek_table(frames: &[FrameSize]) -> Vec<u8> {
    let length = frames.len() * ROW + FOOTER;
    let mut bytes = Vec::with_capacity(length + 8);
    bytes.extend(SKIPPABLE.to_le_bytes());
    bytes.extend((length as u32).to_le_bytes());
    for frame in frames {
        bytes.extend(frame.packed.to_le_bytes());
        bytes.extend(frame.unpacked.to_le_bytes());
    }
    bytes.extend((frames.len() as u32).to_le_bytes());
    bytes.push(0);
    bytes.extend(SEEKABLE.to_le_bytes());
    bytes
}

/// The frames of an archive in order, or `None` if it has no seek table, or one that does not account for every byte
/// before it. Such an archive can still be read from front to back.
pub fn read_seek_table(file: &mut (impl Read + Seek)) -> io::Result<Option<Vec<FrameSize>>> {
    let size = file.seek(SeekFrom::End(0))?;
    if size < (FOOTER + 8) as u64 {
        return Ok(None);
    }
    let mut footer = [0; FOOTER];
    file.seek(SeekFrom::Start(size - FOOTER as u64))?;
    file.read_exact(&mut footer)?;
    let descriptor = footer[4];
    if number(&footer, 5) != SEEKABLE || descriptor & !CHECKSUMS != 0 {
        return Ok(None);
    }
    let row = if descriptor & CHECKSUMS == 0 { ROW } else { ROW + 4 };
    let rows = number(&footer, 0);
    if rows > MAX_ROWS {
        return Ok(None);
    }
    let length = u64::from(rows) * row as u64 + FOOTER as u64;
    let Some(start) = size.checked_sub(length + 8) else { return Ok(None) };
    let mut table = vec![0; (length + 8) as usize];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut table)?;
    if number(&table, 0) != SKIPPABLE || u64::from(number(&table, 4)) != length {
        return Ok(None);
    }
    let rows = table[8..table.len() - FOOTER].chunks_exact(row);
    let frames: Vec<_> = rows.map(|row| FrameSize { packed: number(row, 0), unpacked: number(row, 4) }).collect();
    let packed: u64 = frames.iter().map(|frame| u64::from(frame.packed)).sum();
    Ok((packed == start).then_some(frames))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<FrameSize>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read_seek_table(&mut file).unwrap()
    }

    #[test]
    fn a_table_is_read_back_and_a_wrong_one_is_not_believed() {
        let frames = vec![FrameSize { packed: 2, unpacked: 9 }, FrameSize { packed: 1, unpacked: 0 }];
        let good = [b"abc".to_vec(), write_seek_table(&frames)].concat();
        assert_eq!(read(&good), Some(frames));
        assert_eq!(read(&good[1..]), None, "it must account for every byte before it");
        for length in 0..good.len() {
            assert_eq!(read(&good[..length]), None, "cut to {length}");
        }
        let mut huge = good.clone();
        let at = huge.len() - FOOTER;
        huge[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read(&huge), None, "more rows than the file has bytes");
    }
}
