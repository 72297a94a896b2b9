//! A tar in the containers it comes in. Checksums are made right, so that a mutated entry gets past the door.

use std::io::Write as _;

/// What a tar is wrapped in.
#[derive(Clone, Copy, Debug)]
pub enum Wrapping {
    /// The bytes as they are, whatever they are.
    Raw,
    Gzip,
    Zstd,
    /// Frames of 512 bytes with a seek table.
    Seekable,
}

impl Wrapping {
    pub fn of(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Raw,
            1 => Self::Gzip,
            2 => Self::Zstd,
            _ => Self::Seekable,
        }
    }

    pub fn wrap(self, tar: &[u8]) -> Vec<u8> {
        match self {
            Self::Raw => tar.to_vec(),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(tar).and_then(|()| encoder.finish()).expect("memory can be written")
            }
            Self::Zstd => zstd_frame(tar),
            Self::Seekable => {
                let frames: Vec<_> = tar.chunks(512).map(|chunk| (zstd_frame(chunk), chunk.len() as u32)).collect();
                let sizes: Vec<_> = frames.iter().map(|(frame, unpacked)| (frame.len() as u32, *unpacked)).collect();
                with_seek_table(frames.into_iter().flat_map(|(frame, _)| frame).collect(), &sizes)
            }
        }
    }
}

fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).expect("memory can be compressed")
}

/// Appends the table of frames of (packed, unpacked) bytes.
pub fn with_seek_table(mut archive: Vec<u8>, frames: &[(u32, u32)]) -> Vec<u8> {
    archive.extend(0x184D_2A5E_u32.to_le_bytes());
    archive.extend((frames.len() as u32 * 8 + 9).to_le_bytes());
    for (packed, unpacked) in frames {
        archive.extend(packed.to_le_bytes());
        archive.extend(unpacked.to_le_bytes());
    }
    archive.extend((frames.len() as u32).to_le_bytes());
    archive.push(0);
    archive.extend(0x8F92_EAB1_u32.to_le_bytes());
    archive
}

/// In every block that says `ustar`.
pub fn repair_checksums(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
