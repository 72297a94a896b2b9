//! A part of an artifact that is there, to be compressed again.

use std::fs::File;
use std::path::Path;

use vocab::ArtifactFormat;

use crate::pack_error::PackErrorKind;
use crate::seek_table::FrameSize;
use crate::source::FrameDecoder;

/// A part of an artifact that is there.
pub(crate) struct FinishedPart<'a> {
    pub(crate) archive: &'a Path,
    pub(crate) file: &'a File,
    pub(crate) format: ArtifactFormat,
    /// Where each begins in the file.
    pub(crate) frames: Vec<(u64, FrameSize)>,
}

impl FinishedPart<'_> {
    /// The tar bytes of a frame, in place of what `buffer` held.
    pub(crate) fn decode(
        &self,
        frame: usize,
        decoder: &mut FrameDecoder,
        buffer: &mut Vec<u8>,
    ) -> Result<(), PackErrorKind> {
        let (offset, size) = self.frames[frame];
        buffer.clear();
        let decoded = match self.format {
            ArtifactFormat::TarZst => decoder.frame(self.file, offset, size, buffer),
            _ => {
                buffer.resize(size.unpacked as usize, 0);
                crate::source::read_exact_at(self.file, buffer, offset)
            }
        };
        decoded.map_err(|source| PackErrorKind::Read { path: self.archive.to_owned(), source })
    }
}
