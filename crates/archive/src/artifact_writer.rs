//! The bytes of an archive in order: parts, end-of-archive blocks, seek table; digested on the way.

use std::fs::File;
use std::io::{self, Read, Write};

use vocab::{ArtifactFormat, Digest, DigestWriter, Part};

use crate::codec::Encoder;
use crate::part_cache::CachedPart;
use crate::seek_table::{FrameSize, write_seek_table};
use crate::{PackOptions, Packed, PartSource};

/// The archive as it grows.
pub(crate) struct ArtifactWriter<'a> {
    file: DigestWriter<File>,
    parts: Vec<Growing>,
    /// The end-of-archive blocks.
    end: Vec<FrameSize>,
    progress: &'a (dyn Fn(u64) + Sync),
}

struct Growing {
    name: String,
    identity: Option<Digest>,
    offset: u64,
    unpacked: u64,
    bytes: DigestWriter<io::Sink>,
    frames: Vec<FrameSize>,
}

impl<'a> ArtifactWriter<'a> {
    pub(crate) fn new(file: File, parts: &[PartSource], progress: &'a (dyn Fn(u64) + Sync)) -> Self {
        let growing = |part: &PartSource| Growing {
            name: part.name.clone(),
            identity: part.identity,
            offset: 0,
            unpacked: 0,
            bytes: DigestWriter::new(io::sink()),
            frames: Vec::new(),
        };
        Self { file: DigestWriter::new(file), parts: parts.iter().map(growing).collect(), end: Vec::new(), progress }
    }

    /// `part` is absent for what belongs to the archive and to no part.
    pub(crate) fn frame(&mut self, part: Option<usize>, packed: &[u8], unpacked: usize) -> io::Result<()> {
        let size = FrameSize { packed: packed.len() as u32, unpacked: unpacked as u32 };
        match part {
            None => self.end.push(size),
            Some(index) => {
                let part = &mut self.parts[index];
                if part.frames.is_empty() {
                    part.offset = self.file.size();
                }
                part.frames.push(size);
                part.unpacked += unpacked as u64;
                part.bytes.write_all(packed)?;
            }
        }
        self.file.write_all(packed)?;
        (self.progress)(unpacked as u64);
        Ok(())
    }

    pub(crate) fn copy(&mut self, part: usize, cached: &CachedPart) -> io::Result<()> {
        let part = &mut self.parts[part];
        part.offset = self.file.size();
        part.frames.clone_from(&cached.frames);
        part.unpacked = cached.frames.iter().map(|frame| u64::from(frame.unpacked)).sum();
        // Digested again: should the file have changed since it was checked, the manifest must not say otherwise.
        let mut both = Both(&mut self.file, &mut part.bytes);
        let copied = io::copy(&mut (&cached.file).take(cached.size), &mut both)?;
        if copied != cached.size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a cached part became shorter while it was read"));
        }
        (self.progress)(part.unpacked);
        Ok(())
    }

    /// Writes what follows the last part. The frames of each part come with the result.
    pub(crate) fn finish(mut self, options: &PackOptions<'_>) -> io::Result<(Packed, Vec<Vec<FrameSize>>)> {
        let end = [0; 1024];
        let mut packed = Vec::new();
        let mut encoder = Encoder::new(options.format, options.level)?.unwrap_or(Encoder::Stored);
        encoder.encode(&end, &mut packed)?;
        self.frame(None, &packed, end.len())?;
        let end_at = self.file.size() - packed.len() as u64;
        if options.format == ArtifactFormat::TarZst {
            let parts = self.parts.iter().flat_map(|part| &part.frames);
            let frames: Vec<_> = parts.chain(&self.end).copied().collect();
            self.file.write_all(&write_seek_table(&frames))?;
        }
        self.file.flush()?;
        let size = self.file.size();
        let mut parts = Vec::new();
        let mut tables = Vec::new();
        let mut next = end_at;
        for part in self.parts.into_iter().rev() {
            let part_size = part.bytes.size();
            // A part without entries has no bytes; it stands where the next one begins.
            let offset = if part_size == 0 { next } else { part.offset };
            next = offset;
            tables.push(part.frames);
            parts.push(Part {
                content: part.name,
                offset,
                size: part_size,
                uncompressed_size: part.unpacked,
                sha256: part.bytes.finish().1,
                identity: part.identity,
            });
        }
        parts.reverse();
        tables.reverse();
        Ok((Packed { sha256: self.file.finish().1, size, parts, reused: 0 }, tables))
    }
}

struct Both<'a, A, B>(&'a mut A, &'a mut B);

impl<A: Write, B: Write> Write for Both<'_, A, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
