//! A compressed frame, as it is recorded beside the artifact or in the cache.

use vocab::ArtifactFormat;

use crate::deflate::crc_of;
use crate::seek_table::FrameSize;

/// What is recorded about a frame once its bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrittenFrame {
    pub size: FrameSize,
    /// CRC-32 of the uncompressed bytes; 0 in formats that do not need it.
    pub crc32: u32,
}

impl WrittenFrame {
    /// Describes `plain`, which was compressed to `packed`.
    pub(crate) fn of(format: ArtifactFormat, plain: &[u8], packed: &[u8]) -> Self {
        let size = FrameSize { packed: packed.len() as u32, unpacked: plain.len() as u32 };
        let crc32 = if format == ArtifactFormat::TarGz { crc_of(plain).sum() } else { 0 };
        Self { size, crc32 }
    }
}
