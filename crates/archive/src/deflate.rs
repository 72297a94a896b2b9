//! Deflate streams as they stand in zips, and those of long files made of blocks.

use std::io;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Bytes of a file that are deflated in one go. What is longer is cut every so many bytes into blocks that know
/// nothing of each other and together are one stream, so they can be made side by side. The cut is part of the format.
pub(crate) const BLOCK: u64 = 8 << 20;

/// Compresses on one thread; its working memory is kept from file to file.
pub(crate) struct Deflater {
    compress: Compress,
}

impl Deflater {
    /// 0 to 9; what is beyond is taken for the nearest.
    pub(crate) fn new(level: i32) -> Self {
        Self { compress: Compress::new(Compression::new(level.clamp(0, 9) as u32), false) }
    }

    /// Appends `plain`, deflated, to `packed`: to the end of its stream, or, for all blocks but the last, to the end of
    /// a byte.
    pub(crate) fn block(&mut self, plain: &[u8], is_last: bool, packed: &mut Vec<u8>) -> io::Result<()> {
        self.compress.reset();
        let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
        loop {
            packed.reserve((plain.len() / 2).max(1024));
            let taken = self.compress.total_in() as usize;
            let status = self.compress.compress_vec(&plain[taken..], packed, flush).map_err(io::Error::other)?;
            let done = match status {
                Status::StreamEnd => true,
                // With room left over, everything has been written.
                _ => !is_last && packed.len() < packed.capacity() && self.compress.total_in() == plain.len() as u64,
            };
            if done {
                return Ok(());
            }
        }
    }
}

pub(crate) fn crc_of(bytes: &[u8]) -> Crc {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn blocks_together_are_one_stream() {
        let plain: Vec<u8> = (0..300_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        for level in [-1, 0, 1, 6, 9, 22] {
            for cut in [1000, 4096, 99_999, 300_000] {
                let (mut deflater, mut packed) = (Deflater::new(level), Vec::new());
                let blocks: Vec<_> = plain.chunks(cut).collect();
                for (index, block) in blocks.iter().enumerate() {
                    deflater.block(block, index + 1 == blocks.len(), &mut packed).unwrap();
                }
                let mut again = Vec::new();
                flate2::read::DeflateDecoder::new(&*packed).read_to_end(&mut again).unwrap();
                assert!(again == plain, "level {level}, cut every {cut}");
            }
        }
        let mut packed = Vec::new();
        Deflater::new(6).block(b"", true, &mut packed).unwrap();
        assert_eq!(packed, [3, 0]);
    }
}
