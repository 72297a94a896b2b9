//! The bytes of an archive in order: parts, end-of-archive blocks, seek table. What they digest to is found out beside
//! it, see [`crate::follower`].

use std::fs::File;
use std::io::{self, Read, Write};

use vocab::ArtifactFormat;

use crate::PackOptions;
use crate::codec::Encoder;
use crate::follower::Follower;
use crate::part_cache::CachedPart;
use crate::seek_table::{FrameSize, write_seek_table};

/// The archive as it grows.
pub(crate) struct ArtifactWriter<'a> {
    file: File,
    written: u64,
    parts: Vec<WrittenPart>,
    /// The end-of-archive blocks.
    end: Vec<FrameSize>,
    follower: &'a Follower,
    progress: &'a (dyn Fn(u64) + Sync),
}

/// Where a part came to stand. A part without entries has no bytes; it stands where the next one begins.
#[derive(Clone, Default)]
pub(crate) struct WrittenPart {
    pub offset: u64,
    pub size: u64,
    pub unpacked: u64,
    pub frames: Vec<FrameSize>,
}

impl<'a> ArtifactWriter<'a> {
    pub(crate) fn new(file: File, parts: usize, follower: &'a Follower, progress: &'a (dyn Fn(u64) + Sync)) -> Self {
        Self { file, written: 0, parts: vec![WrittenPart::default(); parts], end: Vec::new(), follower, progress }
    }

    /// `part` is absent for what belongs to the archive and to no part.
    pub(crate) fn frame(&mut self, part: Option<usize>, packed: &[u8], unpacked: usize) -> io::Result<()> {
        let size = FrameSize { packed: packed.len() as u32, unpacked: unpacked as u32 };
        match part {
            None => self.end.push(size),
            Some(index) => {
                let part = &mut self.parts[index];
                if part.frames.is_empty() {
                    part.offset = self.written;
                }
                part.frames.push(size);
                part.size += packed.len() as u64;
                part.unpacked += unpacked as u64;
            }
        }
        self.file.write_all(packed)?;
        self.advance(packed.len() as u64);
        (self.progress)(unpacked as u64);
        Ok(())
    }

    /// From file to file, which the system does without handing us the bytes where it can.
    pub(crate) fn copy(&mut self, part: usize, cached: &CachedPart) -> io::Result<()> {
        let unpacked = cached.frames.iter().map(|frame| u64::from(frame.unpacked)).sum();
        self.parts[part] =
            WrittenPart { offset: self.written, size: cached.size(), unpacked, frames: cached.frames.clone() };
        let copied = io::copy(&mut cached.file().take(cached.size()), &mut self.file)?;
        if copied != cached.size() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a cached part became shorter while it was read"));
        }
        self.advance(copied);
        (self.progress)(unpacked);
        Ok(())
    }

    fn advance(&mut self, length: u64) {
        self.written += length;
        self.follower.advance(self.written);
    }

    /// Writes what follows the last part. Gives the parts and the size of the whole.
    pub(crate) fn finish(mut self, options: &PackOptions<'_>) -> io::Result<(Vec<WrittenPart>, u64)> {
        let mut next = self.written;
        for part in self.parts.iter_mut().rev() {
            if part.size == 0 {
                part.offset = next;
            }
            next = part.offset;
        }
        let end = [0; 1024];
        let mut packed = Vec::new();
        let mut encoder = Encoder::new(options.format, options.level)?.unwrap_or(Encoder::Stored);
        encoder.encode(&end, &mut packed)?;
        self.frame(None, &packed, end.len())?;
        if options.format == ArtifactFormat::TarZst {
            let parts = self.parts.iter().flat_map(|part| &part.frames);
            let frames: Vec<_> = parts.chain(&self.end).copied().collect();
            let table = write_seek_table(&frames);
            self.file.write_all(&table)?;
            self.advance(table.len() as u64);
        }
        self.file.flush()?;
        Ok((self.parts, self.written))
    }
}
