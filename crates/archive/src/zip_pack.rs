//! Parts → one zip. What is compressed in another zip already is copied unchanged.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vocab::{Digest, side_by_side};

use crate::pack_error::PackErrorKind;
use crate::pack_options::PackOptions;
use crate::packed::{PackedArchive, PackedFile};
use crate::part_cache::{CachedZipPart, PartCache, digest_key, part_key, zip_trailer};
use crate::source::read_exact_at;
use crate::staged_names::STAGED_PACK;
use crate::tree_record::ResolvedLink;
use crate::turnstile::{Turnstile, run_workers, thread_count};
use crate::zip_header::ZipRecord;
use crate::zip_layout::{ZipLayout, ZipPackTools, ZipPiece, long_files};
use crate::zip_links::{ZipPart, zip_parts};
use crate::zip_output::{BufferPool, OffsetBase, ZipOutput, part_bytes};
use crate::zip_spool::spool;
use crate::{EntryKind, FileContent, PartSource, TreeEntry};
use disk::FileBeside;

/// Bytes of a cached part that are copied at once.
const COPY: u64 = 1 << 20;

/// `parts` have been checked, `links` are all of theirs.
pub(crate) fn pack_zip(
    target: &Path,
    parts: &[PartSource],
    links: &[ResolvedLink],
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<PackedFile, PackErrorKind> {
    let write = |source| PackErrorKind::Write { source };
    let file = FileBeside::beside(target, STAGED_PACK).map_err(write)?;
    let folder = file.path().parent().unwrap_or(Path::new("."));
    let sources = sources_of(zip_parts(parts, links, options.names)?, folder, options, cache)?;
    check_archives(parts, options)?;
    let jobs = jobs_of(&sources);
    let known: Vec<Option<Digest>> = sources.iter().map(|source| cache.get_digest(source.digest_key()?)).collect();

    let pool = BufferPool::default();
    let (sha256, size, rows, written) = std::thread::scope(|scope| {
        let (output, digesting) = ZipOutput::new(file.reopen().map_err(write)?, &known, &pool, scope);
        let output = run(&jobs, output, &pool, options)?;
        let (size, written) = output.finish(options.mtime).map_err(write)?;
        let (sha256, rows) = digesting.finish(parts, &written);
        Ok::<_, PackErrorKind>((sha256, size, rows, written))
    })?;

    for ((source, row), written) in sources.iter().zip(&rows).zip(&written) {
        if let ZipPartOrigin::Fresh { key: Some(key), .. } = source
            && let Some(trailer) = zip_trailer(key, &written.records, options.mtime, &row.sha256)
        {
            let bytes = part_bytes(file.reopen().map_err(write)?, row).map_err(write)?;
            cache.put(key, &mut bytes.chain(&trailer[..]));
        }
    }
    for ((source, row), _) in sources.iter().zip(&rows).zip(&known).filter(|(_, known)| known.is_none()) {
        if let Some(key) = source.digest_key() {
            cache.put_digest(key, &row.sha256);
        }
    }
    let reused = sources.iter().filter(|source| matches!(source, ZipPartOrigin::Cached(_))).count();
    Ok(PackedFile { packed: PackedArchive { sha256, size, parts: rows, reused }, file })
}

/// Data that is copied unchanged is not decompressed on the way. So the archives that it comes from are compared with
/// their digests, which costs far less than decompressing and shows that they still hold what was once unpacked from
/// them.
fn check_archives(parts: &[PartSource], options: &PackOptions<'_>) -> Result<(), PackErrorKind> {
    let archive_of = |entry: &'_ TreeEntry| match &entry.kind {
        EntryKind::File { content: FileContent::Zipped { archive, .. }, .. } => Some(Arc::clone(archive)),
        _ => None,
    };
    let copied = |part: &'_ PartSource| Some((part.copied_from?, part.entries.iter().find_map(archive_of)?));
    let archives: Vec<_> = parts.iter().filter_map(|part| Some((part, copied(part)?))).collect();
    side_by_side(
        thread_count(options.threads),
        archives.len(),
        || (),
        |(), index| {
            let (part, (known, path)) = &archives[index];
            let digest = File::open(path).and_then(Digest::of_reader);
            let (actual, _) = digest.map_err(|source| PackErrorKind::Read { path: path.to_path_buf(), source })?;
            if actual == *known {
                return Ok(());
            }
            Err(PackErrorKind::ExchangedArchive { part: part.name.clone(), path: path.to_path_buf() })
        },
    )
    .map(drop)
}

enum ZipPartOrigin<'a> {
    Fresh { key: Option<Digest>, digest_key: Option<Digest>, layout: ZipLayout<'a> },
    Cached(CachedZipPart),
}

impl ZipPartOrigin<'_> {
    fn digest_key(&self) -> Option<&Digest> {
        match self {
            Self::Fresh { digest_key, .. } => digest_key.as_ref(),
            Self::Cached(_) => None,
        }
    }
}

fn sources_of<'a>(
    parts: Vec<ZipPart<'a>>,
    folder: &Path,
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<Vec<ZipPartOrigin<'a>>, PackErrorKind> {
    let key = |part: &ZipPart<'_>| part.identity.filter(|_| part.is_own()).map(|identity| part_key(&identity, options));
    let keys: Vec<_> = parts.iter().map(key).collect();
    let cached = keys.iter().map(|key| key.and_then(|key| CachedZipPart::open(cache.get(&key)?, &key)));
    let cached: Vec<_> = cached.collect();
    let fresh: Vec<_> =
        parts.iter().zip(&cached).filter(|(_, cached)| cached.is_none()).map(|(part, _)| part).collect();
    let spooled = spool(&long_files(&fresh)?, folder, options.level, thread_count(options.threads))?;
    let spooled: HashMap<_, _> = spooled.into_iter().map(|(address, ready)| (address, Arc::new(ready))).collect();
    let source = |((part, key), cached): ((ZipPart<'a>, _), _)| match cached {
        Some(cached) => Ok(ZipPartOrigin::Cached(cached)),
        None => {
            let copied = part.identity.zip(part.copied_from).filter(|_| !part.is_own());
            let digest_key = copied.map(|(identity, from)| digest_key(&part_key(&identity, options), &from));
            Ok(ZipPartOrigin::Fresh { key, digest_key, layout: ZipLayout::new(part, &spooled, options.mtime)? })
        }
    };
    parts.into_iter().zip(keys).zip(cached).map(source).collect()
}

/// A piece of work for one worker; its index among all is its ticket.
enum ZipPackJob<'a> {
    Piece { part: usize, layout: &'a ZipLayout<'a>, piece: &'a ZipPiece },
    Copy { part: usize, cached: &'a CachedZipPart, offset: u64 },
}

fn jobs_of<'a>(sources: &'a [ZipPartOrigin<'a>]) -> Vec<ZipPackJob<'a>> {
    let mut jobs = Vec::new();
    for (part, source) in sources.iter().enumerate() {
        match source {
            ZipPartOrigin::Fresh { layout, .. } => {
                jobs.extend(layout.pieces.iter().map(|piece| ZipPackJob::Piece { part, layout, piece }));
            }
            ZipPartOrigin::Cached(cached) => {
                let offsets = (0..cached.size).step_by(COPY as usize);
                jobs.extend(offsets.map(|offset| ZipPackJob::Copy { part, cached, offset }));
            }
        }
    }
    jobs
}

fn run(
    jobs: &[ZipPackJob<'_>],
    output: ZipOutput,
    pool: &BufferPool,
    options: &PackOptions<'_>,
) -> Result<ZipOutput, PackErrorKind> {
    // One more than there are processors, since one of them is writing.
    let workers = (thread_count(options.threads) + 1).min(jobs.len());
    let (turnstile, next) = (Turnstile::new(output), AtomicU64::new(0));
    run_workers(workers, &turnstile, || -> Result<(), PackErrorKind> {
        let mut tools = ZipPackTools::new(options.level);
        loop {
            let ticket = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(ticket as usize) else { return Ok(()) };
            let (mut buffer, mut records) = (pool.take(), Vec::new());
            let (part, base) = match job {
                ZipPackJob::Piece { part, layout, piece } => {
                    layout.render(piece, &mut tools, &mut buffer, &mut records)?;
                    (*part, OffsetBase::Piece)
                }
                ZipPackJob::Copy { part, cached, offset } => {
                    copy(cached, *offset, &mut buffer, &mut records)?;
                    (*part, OffsetBase::Part)
                }
            };
            let unpacked = records.iter().map(|record| record.size).sum();
            let passed = turnstile.pass(ticket, |output| output.piece(part, buffer, records, base));
            if passed.map_err(|source| PackErrorKind::Write { source })?.is_none() {
                return Ok(());
            }
            (options.progress)(unpacked);
        }
    })?;
    Ok(turnstile.into_inner())
}

fn copy(
    cached: &CachedZipPart,
    offset: u64,
    buffer: &mut Vec<u8>,
    records: &mut Vec<ZipRecord>,
) -> Result<(), PackErrorKind> {
    buffer.resize(COPY.min(cached.size - offset) as usize, 0);
    read_exact_at(&cached.file, buffer, offset).map_err(|source| PackErrorKind::Write { source })?;
    if offset == 0 {
        records.extend_from_slice(&cached.records);
    }
    Ok(())
}
