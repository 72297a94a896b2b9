//! The bytes of an archive in order: parts, end-of-archive blocks, seek table or checksum. Their digest is computed in
//! parallel, see [`crate::follower`].

use std::fs::File;
use std::io::{self, Read, Write};

use vocab::ArtifactFormat;

use crate::PackOptions;
use crate::codec::{self, END, FrameEncoder};
use crate::follower::Follower;
use crate::part_cache::CachedPart;
use crate::seek_table::{FrameSize, write_seek_table};
use crate::written_frame::WrittenFrame;

/// The archive as it grows.
pub(crate) struct ArtifactWriter<'a> {
    file: File,
    written: u64,
    parts: Vec<WrittenPart>,
    /// The end-of-archive blocks.
    end: Vec<FrameSize>,
    /// CRC-32 of everything packed so far, if the format ends with it.
    checksum: crc32fast::Hasher,
    follower: &'a Follower,
    progress: &'a (dyn Fn(u64) + Sync),
}

/// Where a part was written. A part without entries has no bytes; its position is that of the next one.
#[derive(Clone, Default)]
pub(crate) struct WrittenPart {
    pub offset: u64,
    pub size: u64,
    pub unpacked: u64,
    pub frames: Vec<WrittenFrame>,
}

impl<'a> ArtifactWriter<'a> {
    /// Writes what precedes the first part.
    pub(crate) fn new(
        mut file: File,
        parts: usize,
        options: &'a PackOptions<'_>,
        follower: &'a Follower,
    ) -> io::Result<Self> {
        let head = codec::head(options.format);
        file.write_all(head)?;
        let mut writer = Self {
            file,
            written: 0,
            parts: vec![WrittenPart::default(); parts],
            end: Vec::new(),
            checksum: crc32fast::Hasher::new(),
            follower,
            progress: options.progress,
        };
        writer.advance(head.len() as u64);
        Ok(writer)
    }

    /// `part` is absent for what belongs to the archive and to no part.
    pub(crate) fn frame(&mut self, part: Option<usize>, packed: &[u8], frame: WrittenFrame) -> io::Result<()> {
        let unpacked = u64::from(frame.size.unpacked);
        match part {
            None => self.end.push(frame.size),
            Some(index) => {
                let part = &mut self.parts[index];
                if part.frames.is_empty() {
                    part.offset = self.written;
                }
                part.frames.push(frame);
                part.size += packed.len() as u64;
                part.unpacked += unpacked;
            }
        }
        self.file.write_all(packed)?;
        self.check(&frame);
        self.advance(packed.len() as u64);
        (self.progress)(unpacked);
        Ok(())
    }

    /// Copies from file to file; where it can, the system does so without passing the bytes through this process.
    pub(crate) fn copy(&mut self, part: usize, cached: &CachedPart) -> io::Result<()> {
        let unpacked = cached.frames.iter().map(|frame| u64::from(frame.size.unpacked)).sum();
        self.parts[part] =
            WrittenPart { offset: self.written, size: cached.size(), unpacked, frames: cached.frames.clone() };
        let copied = io::copy(&mut cached.file().take(cached.size()), &mut self.file)?;
        if copied != cached.size() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a cached part became shorter while it was read"));
        }
        for frame in &cached.frames {
            self.check(frame);
        }
        self.advance(copied);
        (self.progress)(unpacked);
        Ok(())
    }

    fn check(&mut self, frame: &WrittenFrame) {
        let length = u64::from(frame.size.unpacked);
        self.checksum.combine(&crc32fast::Hasher::new_with_initial_len(frame.crc32, length));
    }

    fn advance(&mut self, length: u64) {
        self.written += length;
        self.follower.advance(self.written);
    }

    /// Writes what follows the last part. Returns the parts and the size of the whole.
    pub(crate) fn finish(mut self, options: &PackOptions<'_>) -> io::Result<(Vec<WrittenPart>, u64)> {
        let mut next = self.written;
        for part in self.parts.iter_mut().rev() {
            if part.size == 0 {
                part.offset = next;
            }
            next = part.offset;
        }
        let mut packed = Vec::new();
        let mut encoder = FrameEncoder::new(options.format, options.level)?.unwrap_or(FrameEncoder::Stored);
        encoder.encode_last(&END, &mut packed)?;
        self.frame(None, &packed, WrittenFrame::of(options.format, &END, &packed))?;
        let sizes = self.parts.iter().flat_map(|part| &part.frames).map(|frame| frame.size);
        let frames: Vec<FrameSize> = sizes.chain(self.end.iter().copied()).collect();
        let tail = match options.format {
            ArtifactFormat::TarZst => write_seek_table(&frames),
            ArtifactFormat::TarGz => {
                let unpacked = frames.iter().map(|size| u64::from(size.unpacked)).sum();
                codec::gzip_end(self.checksum.clone().finalize(), unpacked).to_vec()
            }
            ArtifactFormat::Tar | ArtifactFormat::Zip => Vec::new(),
        };
        self.file.write_all(&tail)?;
        self.advance(tail.len() as u64);
        self.file.flush()?;
        Ok((self.parts, self.written))
    }
}
