//! Deflate streams as zips store them, and those of long files made of blocks.

use std::io;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// How many bytes of a file are deflated at once. Longer files are cut into blocks of this size that are compressed
/// independently and together form one stream, so they can be compressed in parallel. The cut is part of the format.
pub(crate) const BLOCK: u64 = 8 << 20;

/// Compresses on one thread; its working memory is kept from file to file.
pub(crate) struct Deflater {
    compress: Compress,
    room: Vec<u8>,
}

impl Deflater {
    /// Levels are 0 to 9; others count as the nearest.
    pub(crate) fn new(level: i32) -> Self {
        Self { compress: Compress::new(Compression::new(level.clamp(0, 9) as u32), false), room: Vec::new() }
    }

    /// Appends `plain`, deflated, to `packed`: to the end of its stream, or, for all blocks but the last, to the end of
    /// a byte. What is appended depends on `plain`, the level and `is_last` alone.
    ///
    /// The compressor sees all of its input and more room than it can fill, in one call. Its output depends on both:
    /// where a call ends for want of room, it forgets the match that it was considering, and finds another one when it
    /// goes on. So nothing that differs from run to run, such as what a buffer held before, may set the room.
    pub(crate) fn block(&mut self, plain: &[u8], is_last: bool, packed: &mut Vec<u8>) -> io::Result<()> {
        let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
        let mut room = room_for(plain.len());
        loop {
            if self.room.len() < room {
                self.room.resize(room, 0);
            }
            self.compress.reset();
            let out = &mut self.room[..room];
            let status = self.compress.compress(plain, out, flush).map_err(io::Error::other)?;
            let written = self.compress.total_out() as usize;
            let done = if is_last { status == Status::StreamEnd } else { written < room };
            if done && self.compress.total_in() == plain.len() as u64 {
                packed.extend_from_slice(&out[..written]);
                return Ok(());
            }
            // Not seen with any input; starts over, so that the bytes are still those of one call.
            room *= 2;
        }
    }
}

/// More than any level makes of `plain` bytes: level 1 takes up to 9 bits for a byte, and a flush some bytes more.
fn room_for(plain: usize) -> usize {
    plain + plain / 4 + 1024
}

pub(crate) fn crc_of(bytes: &[u8]) -> Crc {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use vocab::Digest;

    use super::*;

    /// Text-like bytes: many matches of many lengths, among which the compressor has to choose.
    fn text(size: usize, seed: u32) -> Vec<u8> {
        let words: Vec<String> =
            (0..300_u32).map(|word| format!("w{:x}", word.wrapping_mul(2_654_435_761) >> 12)).collect();
        let (mut state, mut text) = (seed, Vec::with_capacity(size + 16));
        while text.len() < size {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.extend_from_slice(words[(state >> 16) as usize % words.len()].as_bytes());
            text.push(b" \n,.("[(state >> 8) as usize % 5]);
        }
        text.truncate(size);
        text
    }

    /// case platform-zip-not-same-bytes
    #[test]
    fn the_bytes_depend_on_neither_the_room_nor_what_was_deflated_before() {
        for level in 0..=9 {
            let mut used = Deflater::new(level);
            // Levels 3 to 6, and 7 to 9, are one way of compressing each; they differ in how long they look for repetitions.
            let large: &[usize] = if [0, 1, 2, 6, 9].contains(&level) { &[300_000, 1 << 20] } else { &[] };
            for size in [0, 1, 5, 1000, 65_535, 70_000].iter().chain(large).copied() {
                for plain in [text(size, 7), vec![b'a'; size]] {
                    for is_last in [true, false] {
                        let mut expected = Vec::new();
                        Deflater::new(level).block(&plain, is_last, &mut expected).unwrap();
                        for room in [0, 1, 1023, 4096, 1 << 16, 3 << 20] {
                            // Room in the buffer, before and behind what is there already.
                            let mut packed = Vec::with_capacity(room);
                            packed.resize(room / 2, 0);
                            used.block(&plain, is_last, &mut packed).unwrap();
                            assert!(packed[room / 2..] == expected, "level {level}, {size} bytes, room {room}");
                            used.room = vec![0xFF; room];
                        }
                        // Other data in between.
                        used.block(&text(99_999, size as u32), true, &mut Vec::new()).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn the_first_room_is_always_enough() {
        let noise: Vec<u8> = (0..1_u64 << 20).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
        // High bytes, which level 1 writes as nine bits each.
        let high: Vec<u8> = noise.iter().map(|byte| byte | 0x90).collect();
        for level in 0..=9 {
            for plain in [&noise[..], &high[..], &high[..77], b""] {
                for is_last in [true, false] {
                    let mut deflater = Deflater::new(level);
                    deflater.block(plain, is_last, &mut Vec::new()).unwrap();
                    assert_eq!(deflater.room.len(), room_for(plain.len()), "level {level}");
                }
            }
        }
    }

    /// Whoever sees this fail after an update of the compressor raises the number in `codec::codec_name`.
    #[test]
    fn the_compressor_is_the_one_whose_number_is_in_the_keys() {
        let plain = text(1 << 20, 1);
        let digests: Vec<String> = [1, 6, 9]
            .into_iter()
            .map(|level| {
                let mut packed = Vec::new();
                Deflater::new(level).block(&plain, true, &mut packed).unwrap();
                format!("{level} {} {}", packed.len(), Digest::of(&packed).short())
            })
            .collect();
        assert_eq!(digests, ["1 528199 996d6d48de0b", "6 314646 ebd875818c5c", "9 317362 e1f5ff845588"]);
    }

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
