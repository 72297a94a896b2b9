//! The bytes of a zip in order: parts, central directory, end records. Digested while written, on two threads of their
//! own: one for the whole, one for the parts.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use vocab::{Digest, DigestWriter, Part};

use crate::PartSource;
use crate::zip_header::{ZipRecord, write_end};

/// Buffers that may wait to be digested.
const WAITING: usize = 8;

/// Used buffers, for reuse: allocating new memory costs more than copying into it.
#[derive(Default)]
pub(crate) struct BufferPool {
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl BufferPool {
    pub(crate) fn take(&self) -> Vec<u8> {
        self.lock().pop().unwrap_or_default()
    }

    /// The last owner of a buffer returns it to the pool.
    fn give_back(&self, buffer: Arc<Vec<u8>>) {
        if let Some(mut buffer) = Arc::into_inner(buffer) {
            buffer.clear();
            self.lock().push(buffer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part while it is written.
#[derive(Default)]
pub(crate) struct GrowingPart {
    pub records: Vec<ZipRecord>,
    size: u64,
    unpacked: u64,
    /// Where it need not be taken.
    known: Option<Digest>,
}

pub(crate) struct ZipOutput {
    file: File,
    at: u64,
    pub parts: Vec<GrowingPart>,
    whole: SyncSender<Arc<Vec<u8>>>,
    by_part: SyncSender<(usize, Arc<Vec<u8>>)>,
}

/// The threads that compute digests.
pub(crate) struct DigestThreads<'scope> {
    whole: ScopedJoinHandle<'scope, Digest>,
    by_part: ScopedJoinHandle<'scope, Vec<(usize, Digest)>>,
}

impl ZipOutput {
    pub(crate) fn new<'scope>(
        file: File,
        known: &[Option<Digest>],
        pool: &'scope BufferPool,
        scope: &'scope Scope<'scope, '_>,
    ) -> (Self, DigestThreads<'scope>) {
        let (whole, to_whole) = sync_channel(WAITING);
        let (by_part, to_parts) = sync_channel(WAITING);
        let digesting = DigestThreads {
            whole: scope.spawn(|| digest_whole(to_whole, pool)),
            by_part: scope.spawn(|| digest_parts(to_parts, pool)),
        };
        let parts = known.iter().map(|known| GrowingPart { known: *known, ..GrowingPart::default() }).collect();
        (Self { file, at: 0, parts, whole, by_part }, digesting)
    }

    /// The next bytes of `part`, with the entries that begin in them. `unpacked` is the size of their files.
    pub(crate) fn piece(
        &mut self,
        part: usize,
        bytes: Vec<u8>,
        records: Vec<ZipRecord>,
        from: OffsetBase,
    ) -> io::Result<()> {
        self.file.write_all(&bytes)?;
        let growing = &mut self.parts[part];
        let base = if from == OffsetBase::Piece { growing.size } else { 0 };
        growing.unpacked += records.iter().map(|record| record.size).sum::<u64>();
        growing.records.extend(records.into_iter().map(|record| ZipRecord { offset: base + record.offset, ..record }));
        growing.size += bytes.len() as u64;
        self.at += bytes.len() as u64;
        let bytes = Arc::new(bytes);
        let is_known = growing.known.is_some();
        let sent = is_known || self.by_part.send((part, Arc::clone(&bytes))).is_ok();
        let sent = sent && self.whole.send(bytes).is_ok();
        if sent { Ok(()) } else { Err(io::Error::other("digesting ended early")) }
    }

    /// Writes what follows the last part.
    pub(crate) fn finish(mut self, mtime: u64) -> io::Result<(u64, Vec<GrowingPart>)> {
        let (start, mut bytes, mut base, mut entries) = (self.at, Vec::new(), 0, 0);
        for part in &self.parts {
            for record in &part.records {
                record.write_central(base, mtime, &mut bytes);
            }
            base += part.size;
            entries += part.records.len() as u64;
        }
        let length = bytes.len() as u64;
        write_end(entries, start, length, &mut bytes);
        self.file.write_all(&bytes)?;
        let size = start + bytes.len() as u64;
        let _ = self.whole.send(Arc::new(bytes));
        Ok((size, self.parts))
    }
}

/// What the positions of new entries are counted from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetBase {
    Piece,
    Part,
}

impl DigestThreads<'_> {
    /// The digest of the whole, and the parts' rows of the manifest. Call it when the output is finished.
    pub(crate) fn finish(self, sources: &[PartSource], parts: &[GrowingPart]) -> (Digest, Vec<Part>) {
        let join = |panic| std::panic::resume_unwind(panic);
        let whole = self.whole.join().unwrap_or_else(join);
        let mut digests: Vec<Digest> = parts.iter().map(|part| part.known.unwrap_or_else(|| Digest::of(""))).collect();
        for (part, digest) in self.by_part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            digests[part] = digest;
        }
        let mut offset = 0;
        let row = |((source, part), sha256): ((&PartSource, &GrowingPart), Digest)| {
            let row = Part {
                content: source.name.clone(),
                offset,
                size: part.size,
                uncompressed_size: part.unpacked,
                sha256,
                identity: source.identity,
            };
            offset += part.size;
            row
        };
        (whole, sources.iter().zip(parts).zip(digests).map(row).collect())
    }
}

fn digest_whole(buffers: Receiver<Arc<Vec<u8>>>, pool: &BufferPool) -> Digest {
    let mut writer = DigestWriter::new(io::sink());
    for buffer in buffers {
        writer.write_all(&buffer).expect("a sink takes everything");
        pool.give_back(buffer);
    }
    writer.finish().1
}

fn digest_parts(buffers: Receiver<(usize, Arc<Vec<u8>>)>, pool: &BufferPool) -> Vec<(usize, Digest)> {
    let mut digests = Vec::new();
    let mut open: Option<(usize, DigestWriter<io::Sink>)> = None;
    for (part, buffer) in buffers {
        if open.as_ref().is_none_or(|(other, _)| *other != part) {
            let last = open.replace((part, DigestWriter::new(io::sink())));
            digests.extend(last.map(|(part, writer)| (part, writer.finish().1)));
        }
        if let Some((_, writer)) = &mut open {
            writer.write_all(&buffer).expect("a sink takes everything");
        }
        pool.give_back(buffer);
    }
    digests.extend(open.map(|(part, writer)| (part, writer.finish().1)));
    digests
}

/// The bytes of `part` again, for the cache.
pub(crate) fn part_bytes(mut file: File, part: &Part) -> io::Result<impl Read> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(part.offset))?;
    Ok(file.take(part.size))
}
