//! Parts → one archive, the same bytes on every machine.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use vocab::{Digest, Part, side_by_side};

use crate::artifact_writer::{ArtifactWriter, WrittenPart};
use crate::codec::FrameEncoder;
use crate::finished_part::FinishedPart;
use crate::follower::{EndOnDrop, Follower, digest_of_range};
use crate::frames::PartLayout;
use crate::name_rules::{NameRules, checked_path};
use crate::pack_error::{PackError, PackErrorKind};
use crate::pack_options::PackOptions;
use crate::packed::{PackedArchive, PackedFile};
use crate::part_cache::{CachedPart, NoCache, PartCache, part_key, trailer};
use crate::source::FrameDecoder;
use crate::staged_names::STAGED_PACK;
use crate::tree_record::{NodeKind, ResolvedLink, TreeRecord};
use crate::turnstile::{Turnstile, run_workers, thread_count};
use crate::written_frame::WrittenFrame;
use crate::zip_pack::pack_zip;
use crate::{EntryKind, PartSource};
use disk::FileBeside;

/// Writes `parts`, in the given order, to a new file beside `target` and moves it there.
pub fn pack(
    target: &Path,
    parts: &[PartSource],
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<PackedArchive, PackError> {
    pack_beside(target, parts, options, cache)?.persist(target)
}

/// Like [`pack`], but `target` stays as it is until the caller persists the result.
pub fn pack_beside(
    target: &Path,
    parts: &[PartSource],
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<PackedFile, PackError> {
    pack_inner(target, parts, options, cache).map_err(|kind| PackError { target: target.to_owned(), kind })
}

fn pack_inner(
    target: &Path,
    parts: &[PartSource],
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<PackedFile, PackErrorKind> {
    let links = check_tree(parts, options.names)?;
    if new_encoder(options)?.is_none() {
        return pack_zip(target, parts, &links, options, cache);
    }
    let folder = target.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let keys: Vec<Option<Digest>> = parts.iter().map(|part| Some(part_key(&part.identity?, options))).collect();
    let names = parts.iter().map(|part| (part.name.clone(), part.identity)).collect();
    let source = |index: usize, cache: &dyn PartCache| source_of(&parts[index], options, cache);
    settle(folder, &PartOrigins { keys: &keys, names, source: &source }, options, cache)
}

/// The parts of the archive to be written.
pub(crate) struct PartOrigins<'a, 's> {
    /// The key under which each part is cached, if it is.
    pub keys: &'s [Option<Digest>],
    /// The name of each part, and its identity.
    pub names: Vec<(String, Option<Digest>)>,
    /// The part with this number, from the cache if that has it.
    pub source: &'s dyn Fn(usize, &dyn PartCache) -> Result<PartOrigin<'a>, PackErrorKind>,
}

/// Writes an archive into `folder`, and again whenever a cached part turns out to be damaged.
pub(crate) fn settle(
    folder: &Path,
    from: &PartOrigins<'_, '_>,
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<PackedFile, PackErrorKind> {
    let mut damaged = BTreeSet::new();
    loop {
        let mut sources = Vec::with_capacity(from.keys.len());
        for index in 0..from.keys.len() {
            sources.push((from.source)(index, if damaged.contains(&index) { &NoCache } else { cache })?);
        }
        let file = FileBeside::within(folder, STAGED_PACK).map_err(|source| PackErrorKind::Write { source })?;
        let written = write(&file, &sources, options)?;

        // A cached part is compared with its digest at its final place: so it is read once, and cannot change in
        // between.
        let before = damaged.len();
        for (index, (source, sha256)) in sources.iter().zip(&written.digests).enumerate() {
            if matches!(source, PartOrigin::Cached(part) if !part.holds(sha256)) {
                damaged.insert(index);
            }
        }
        if damaged.len() > before {
            continue;
        }
        keep_fresh_parts(&file, from.keys, &sources, &written, cache)?;
        return Ok(PackedFile { packed: packed(&from.names, &sources, written), file });
    }
}

/// A complete archive under a temporary name.
struct WrittenArchive {
    parts: Vec<WrittenPart>,
    /// One for each part.
    digests: Vec<Digest>,
    sha256: Digest,
    size: u64,
}

fn write(
    file: &FileBeside,
    sources: &[PartOrigin<'_>],
    options: &PackOptions<'_>,
) -> Result<WrittenArchive, PackErrorKind> {
    let failed = |source| PackErrorKind::Write { source };
    let reader = file.reopen().map_err(failed)?;
    let follower = Follower::default();
    let output = ArtifactWriter::new(file.reopen().map_err(failed)?, sources.len(), options, &follower);
    let output = output.map_err(failed)?;
    std::thread::scope(|scope| {
        let whole = {
            let _end = EndOnDrop(&follower);
            let whole = scope.spawn(|| follower.digest(&reader));
            let (parts, size) = run(&jobs_of(sources), output, options)?.finish(options).map_err(failed)?;
            (whole, parts, size)
        };
        let (whole, parts, size) = whole;
        let digests = part_digests(file, &parts, options).map_err(failed)?;
        let sha256 = whole.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map_err(failed)?;
        Ok(WrittenArchive { parts, digests, sha256, size })
    })
}

fn part_digests(file: &FileBeside, parts: &[WrittenPart], options: &PackOptions<'_>) -> io::Result<Vec<Digest>> {
    side_by_side(
        thread_count(options.threads),
        parts.len(),
        || (),
        |(), index| digest_of_range(&file.reopen()?, parts[index].offset, parts[index].size),
    )
}

fn keep_fresh_parts(
    file: &FileBeside,
    keys: &[Option<Digest>],
    sources: &[PartOrigin<'_>],
    written: &WrittenArchive,
    cache: &dyn PartCache,
) -> Result<(), PackErrorKind> {
    let failed = |source| PackErrorKind::Write { source };
    let rows = written.parts.iter().zip(&written.digests);
    for ((key, source), (row, sha256)) in keys.iter().zip(sources).zip(rows) {
        if let (Some(key), PartOrigin::Fresh(_) | PartOrigin::Finished(_)) = (key, source) {
            let mut bytes = file.reopen().map_err(failed)?;
            bytes.seek(SeekFrom::Start(row.offset)).map_err(failed)?;
            let trailer = trailer(key, &row.frames, sha256);
            cache.put(key, &mut bytes.take(row.size).chain(&trailer[..]));
        }
    }
    Ok(())
}

fn packed(names: &[(String, Option<Digest>)], sources: &[PartOrigin<'_>], written: WrittenArchive) -> PackedArchive {
    let rows = names.iter().zip(written.parts).zip(written.digests);
    let row = |(((content, identity), part), sha256): ((&(String, Option<Digest>), WrittenPart), Digest)| Part {
        content: content.clone(),
        offset: part.offset,
        size: part.size,
        uncompressed_size: part.unpacked,
        sha256,
        identity: *identity,
    };
    PackedArchive {
        sha256: written.sha256,
        size: written.size,
        parts: rows.map(row).collect(),
        reused: sources.iter().filter(|source| matches!(source, PartOrigin::Cached(_))).count(),
    }
}

/// Packs those of `parts` that the cache lacks, for the cache alone; nothing stays in `folder`. A later [`pack`] then
/// only copies them. Skips parts without an identity, the parts of a zip, which are copied from wheels, and everything
/// that [`pack`] would refuse.
pub fn cache_parts(
    folder: &Path,
    parts: &[PartSource],
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<(), PackError> {
    let fill = || -> Result<(), PackErrorKind> {
        if new_encoder(options)?.is_none() {
            return Ok(());
        }
        check_tree(parts, options.names)?;
        let (mut lacking, mut sources) = (Vec::new(), Vec::new());
        for part in parts.iter().filter(|part| part.identity.is_some()) {
            if let source @ PartOrigin::Fresh(_) = source_of(part, options, cache)? {
                lacking.push(part.identity.map(|identity| part_key(&identity, options)));
                sources.push(source);
            }
        }
        if sources.is_empty() {
            return Ok(());
        }
        let file = FileBeside::within(folder, STAGED_PACK).map_err(|source| PackErrorKind::Write { source })?;
        let written = write(&file, &sources, options)?;
        keep_fresh_parts(&file, &lacking, &sources, &written, cache)
    };
    fill().map_err(|kind| PackError { target: folder.to_owned(), kind })
}

/// The archive that [`pack`] would make of parts with these names and identities, in `folder`. `None` unless all of
/// them are in the cache, undamaged. Does not check names: that needs the entries.
pub fn join_cached(
    folder: &Path,
    parts: &[(String, Digest)],
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<Option<PackedFile>, PackError> {
    let join = || -> Result<Option<PackedFile>, PackErrorKind> {
        // Most parts of a zip are copied from wheels rather than cached.
        if new_encoder(options)?.is_none() {
            return Ok(None);
        }
        let named = |(name, identity): &(String, Digest)| PartSource {
            identity: Some(*identity),
            ..PartSource::new(name.clone(), Vec::new())
        };
        let parts: Vec<PartSource> = parts.iter().map(named).collect();
        let mut sources = Vec::with_capacity(parts.len());
        for part in &parts {
            match source_of(part, options, cache)? {
                source @ PartOrigin::Cached(_) => sources.push(source),
                PartOrigin::Fresh(_) | PartOrigin::Finished(_) => return Ok(None),
            }
        }
        let file = FileBeside::within(folder, STAGED_PACK).map_err(|source| PackErrorKind::Write { source })?;
        let written = write(&file, &sources, options)?;
        let sound = sources.iter().zip(&written.digests).all(|(source, sha256)| match source {
            PartOrigin::Cached(part) => part.holds(sha256),
            PartOrigin::Fresh(_) | PartOrigin::Finished(_) => false,
        });
        let names: Vec<_> = parts.iter().map(|part| (part.name.clone(), part.identity)).collect();
        Ok(sound.then(|| PackedFile { packed: packed(&names, &sources, written), file }))
    };
    join().map_err(|kind| PackError { target: folder.to_owned(), kind })
}

/// `None` for a zip.
fn new_encoder(options: &PackOptions<'_>) -> Result<Option<FrameEncoder>, PackErrorKind> {
    FrameEncoder::new(options.format, options.level).map_err(|source| PackErrorKind::Compress { source })
}

/// Refuses what [`crate::extract`] would refuse. Returns all links of all parts.
fn check_tree(parts: &[PartSource], names: NameRules) -> Result<Vec<ResolvedLink>, PackErrorKind> {
    let mut record = TreeRecord::new(names);
    for part in parts {
        for entry in &part.entries {
            let failed = |fault| PackErrorKind::Entry { part: part.name.clone(), path: entry.path.clone(), fault };
            checked_path(entry.path.as_str().as_bytes(), names).map_err(failed)?;
            let ignore = &mut |_: &str| {};
            match &entry.kind {
                EntryKind::Directory => record.add(&entry.path, NodeKind::Directory, ignore),
                EntryKind::File { .. } => record.add(&entry.path, NodeKind::File, ignore),
                EntryKind::Symlink { target } => record.add_link(&entry.path, target.clone(), ignore),
            }
            .map_err(failed)?;
        }
    }
    let (path, fault) = match record.resolved_links() {
        Ok(links) => return Ok(links),
        Err(refused) => refused,
    };
    let holds_it = |part: &&PartSource| part.entries.iter().any(|entry| entry.path == path);
    let part = parts.iter().find(holds_it).map_or(String::new(), |part| part.name.clone());
    Err(PackErrorKind::Entry { part, path, fault })
}

pub(crate) enum PartOrigin<'a> {
    /// Entries to be compressed.
    Fresh(PartLayout<'a>),
    /// Parts of another container, to be compressed again.
    Finished(FinishedPart<'a>),
    Cached(CachedPart),
}

fn source_of<'a>(
    part: &'a PartSource,
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<PartOrigin<'a>, PackErrorKind> {
    let key = part.identity.map(|identity| part_key(&identity, options));
    match key.and_then(|key| CachedPart::open(cache.get(&key)?, &key)) {
        Some(cached) => Ok(PartOrigin::Cached(cached)),
        None => Ok(PartOrigin::Fresh(PartLayout::new(part, options.mtime)?)),
    }
}

/// A piece of work for one worker; its index among all is its ticket.
enum PackJob<'a> {
    Frame { part: usize, layout: &'a PartLayout<'a>, frame: usize },
    Again { part: usize, finished: &'a FinishedPart<'a>, frame: usize },
    Copy { part: usize, cached: &'a CachedPart },
}

fn jobs_of<'a>(sources: &'a [PartOrigin<'a>]) -> Vec<PackJob<'a>> {
    let mut jobs = Vec::new();
    for (part, source) in sources.iter().enumerate() {
        match source {
            PartOrigin::Fresh(layout) => {
                jobs.extend((0..layout.frames.len()).map(|frame| PackJob::Frame { part, layout, frame }));
            }
            PartOrigin::Finished(finished) => {
                jobs.extend((0..finished.frames.len()).map(|frame| PackJob::Again { part, finished, frame }));
            }
            PartOrigin::Cached(cached) => jobs.push(PackJob::Copy { part, cached }),
        }
    }
    jobs
}

/// More workers than processors, so that none is idle while others wait for their turn; but not where each needs much
/// memory.
fn worker_count(options: &PackOptions<'_>) -> usize {
    const FRUGAL_LEVEL: i32 = 12;
    const MANY: usize = 10;
    let threads = thread_count(options.threads);
    if options.level > FRUGAL_LEVEL { threads } else { (threads * 2).min(MANY).max(threads) }
}

fn run<'a>(
    jobs: &[PackJob<'_>],
    output: ArtifactWriter<'a>,
    options: &PackOptions<'_>,
) -> Result<ArtifactWriter<'a>, PackErrorKind> {
    let workers = worker_count(options).min(jobs.len());
    let (turnstile, next) = (Turnstile::new(output), AtomicU64::new(0));
    run_workers(workers, &turnstile, || -> Result<(), PackErrorKind> {
        let Some(mut encoder) = new_encoder(options)? else { return Ok(()) };
        let (mut decoder, mut plain, mut packed) = (FrameDecoder::default(), Vec::new(), Vec::new());
        let mut compress = |plain: &[u8], packed: &mut Vec<u8>| {
            encoder.encode(plain, packed).map_err(|source| PackErrorKind::Compress { source })?;
            Ok::<_, PackErrorKind>(WrittenFrame::of(options.format, plain, packed))
        };
        loop {
            let ticket = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(ticket as usize) else { return Ok(()) };
            let passed = match job {
                PackJob::Frame { part, layout, frame } => {
                    plain.clear();
                    layout.render(&layout.frames[*frame], &mut plain)?;
                    let told = compress(&plain, &mut packed)?;
                    turnstile.pass(ticket, |output| output.frame(Some(*part), &packed, told))
                }
                PackJob::Again { part, finished, frame } => {
                    finished.decode(*frame, &mut decoder, &mut plain)?;
                    let told = compress(&plain, &mut packed)?;
                    turnstile.pass(ticket, |output| output.frame(Some(*part), &packed, told))
                }
                PackJob::Copy { part, cached } => turnstile.pass(ticket, |output| output.copy(*part, cached)),
            };
            if passed.map_err(|source| PackErrorKind::Write { source })?.is_none() {
                return Ok(());
            }
        }
    })?;
    Ok(turnstile.into_inner())
}
