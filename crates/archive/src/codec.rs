//! One frame: a zstd frame, a gzip member, or the bytes themselves.

use std::io::{self, Write};

use vocab::ArtifactFormat;

/// Compresses frames on one thread; its working memory is kept from frame to frame.
pub(crate) enum Encoder {
    Zstd(zstd::bulk::Compressor<'static>),
    Gzip(flate2::Compression),
    Stored,
}

/// Part of every part's key: a change of compressor may change the bytes.
pub(crate) fn codec_name(format: ArtifactFormat) -> String {
    match format {
        ArtifactFormat::TarZst => format!("zstd {}", zstd::zstd_safe::version_number()),
        ArtifactFormat::TarGz => "gzip zlib-rs 1".to_owned(),
        ArtifactFormat::Tar => "stored".to_owned(),
        ArtifactFormat::Zip => "deflate zlib-rs 1".to_owned(),
    }
}

impl Encoder {
    /// `None` for a format that is no tar.
    pub(crate) fn new(format: ArtifactFormat, level: i32) -> io::Result<Option<Self>> {
        Ok(Some(match format {
            ArtifactFormat::TarZst => {
                // One call per frame, so the content size is always in its header.
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
                Self::Zstd(compressor)
            }
            ArtifactFormat::TarGz => Self::Gzip(flate2::Compression::new(level.clamp(0, 9) as u32)),
            ArtifactFormat::Tar => Self::Stored,
            ArtifactFormat::Zip => return Ok(None),
        }))
    }

    /// `packed` is emptied first.
    pub(crate) fn encode(&mut self, plain: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
        packed.clear();
        match self {
            Self::Zstd(compressor) => {
                packed.reserve(zstd::zstd_safe::compress_bound(plain.len()));
                compressor.compress_to_buffer(plain, packed)?;
            }
            Self::Gzip(level) => {
                // Neither a name nor a time goes into the member's header.
                let mut encoder = flate2::GzBuilder::new().write(packed, *level);
                encoder.write_all(plain)?;
                encoder.finish()?;
            }
            Self::Stored => packed.extend_from_slice(plain),
        }
        Ok(())
    }
}
