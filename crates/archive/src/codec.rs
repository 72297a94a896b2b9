//! One frame: a zstd frame, deflated blocks, or the bytes themselves; and what surrounds all frames of an archive.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use vocab::ArtifactFormat;

use crate::deflate::Deflater;
use crate::source::begins_with_member;

/// The end-of-archive mark of a tar.
pub(crate) const END: [u8; 1024] = [0; 1024];

/// Compresses frames on one thread; its working memory is kept from frame to frame.
pub(crate) enum FrameEncoder {
    Zstd(zstd::bulk::Compressor<'static>),
    Deflate(Deflater),
    Stored,
}

/// Part of every part's key: a change of compressor may change the bytes.
pub(crate) fn codec_name(format: ArtifactFormat) -> String {
    match format {
        ArtifactFormat::TarZst => format!("zstd {}", zstd::zstd_safe::version_number()),
        ArtifactFormat::Tar => "stored".to_owned(),
        // 1 had other bytes from run to run.
        ArtifactFormat::TarGz | ArtifactFormat::Zip => "deflate zlib-rs 2".to_owned(),
    }
}

impl FrameEncoder {
    /// `None` for a format that is not a tar.
    pub(crate) fn new(format: ArtifactFormat, level: i32) -> io::Result<Option<Self>> {
        Ok(Some(match format {
            ArtifactFormat::TarZst => {
                // One call per frame, so the content size is always in its header.
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
                Self::Zstd(compressor)
            }
            ArtifactFormat::TarGz => Self::Deflate(Deflater::new(level)),
            ArtifactFormat::Tar => Self::Stored,
            ArtifactFormat::Zip => return Ok(None),
        }))
    }

    /// A frame that others follow. `packed` is emptied first.
    pub(crate) fn encode(&mut self, plain: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
        self.frame(plain, false, packed)
    }

    /// The frame that ends the archive.
    pub(crate) fn encode_last(&mut self, plain: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
        self.frame(plain, true, packed)
    }

    fn frame(&mut self, plain: &[u8], is_last: bool, packed: &mut Vec<u8>) -> io::Result<()> {
        packed.clear();
        match self {
            Self::Zstd(compressor) => {
                packed.reserve(zstd::zstd_safe::compress_bound(plain.len()));
                compressor.compress_to_buffer(plain, packed)?;
            }
            Self::Deflate(deflater) => deflater.block(plain, is_last, packed)?,
            Self::Stored => packed.extend_from_slice(plain),
        }
        Ok(())
    }
}

/// The bytes before the first part.
pub(crate) fn head(format: ArtifactFormat) -> &'static [u8] {
    match format {
        ArtifactFormat::TarGz => &GZIP_HEADER,
        _ => &[],
    }
}

/// Header of the one member: deflate, no flags, no time, compression level not stated, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];

/// The end of the one member: CRC-32 and length of everything it decompresses to, the length modulo 2^32.
pub(crate) fn gzip_end(crc32: u32, unpacked: u64) -> [u8; 8] {
    let (mut end, length) = ([0; 8], unpacked as u32);
    end[..4].copy_from_slice(&crc32.to_le_bytes());
    end[4..].copy_from_slice(&length.to_le_bytes());
    end
}

/// Completes an artifact whose parts already fill the first `size` bytes of `file`, one after the other, by writing the
/// end of the archive. It is generated rather than fetched, since no digest covers it alone.
/// [`crate::extract::extract_parts`] reads the result.
pub fn end_parts(file: &mut File, format: ArtifactFormat, size: u64) -> io::Result<()> {
    let mut packed = Vec::new();
    if format == ArtifactFormat::TarGz && begins_with_member(file)? {
        let mut member = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
        member.write_all(&END)?;
        member.finish()?;
    } else {
        FrameEncoder::new(format, 1)?.unwrap_or(FrameEncoder::Stored).encode_last(&END, &mut packed)?;
    }
    file.seek(SeekFrom::Start(size))?;
    file.write_all(&packed)
}
