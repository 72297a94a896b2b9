//! Archive → tree, under the extraction rules, by way of a staging folder.
//!
//! Chunks are decoded in parallel, judged one after the other in their order, and written in parallel. Until every file
//! is written the staging folder, whose name is unpredictable, holds no link: no path below it can lead anywhere else,
//! and plain paths are as safe as directory handles.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use vocab::{ArtifactFormat, ContentDigests, DigestBuffer, DigestKinds, WrittenDigests};

use crate::destination_folder::DestinationFolder;
use crate::extract_error::{ExtractError, ExtractErrorKind};
use crate::extract_options::{ExtractOptions, ExtractedTree};
use crate::finish_stage::finish_stage;
use crate::judge::TarJudge;
use crate::source::{FrameDecoder, PositionedReader, TarSource, detect};
use crate::staging::{StagingFolder, folder_of};
use crate::turnstile::{Turnstile, run_workers, thread_count};
use crate::zip_extract::stage_zip;
use disk::make_folder;

/// Extracts `archive` (tar.zst, tar.gz, tar or zip, recognised by its first bytes) to `destination`, which must be
/// absent or an empty folder, and which appears only when everything is there.
pub fn extract(
    archive: &Path,
    destination: &Path,
    options: &ExtractOptions<'_>,
) -> Result<ExtractedTree, ExtractError> {
    extract_inner(archive, None, destination, options)
        .map_err(|kind| ExtractError { archive: archive.to_owned(), kind })
}

/// Like [`extract`], for a file that holds nothing but the parts of an artifact in `format`, one after the other,
/// completed by [`crate::codec::end_parts`].
pub fn extract_parts(
    parts: &Path,
    format: ArtifactFormat,
    destination: &Path,
    options: &ExtractOptions<'_>,
) -> Result<ExtractedTree, ExtractError> {
    extract_inner(parts, Some(format), destination, options)
        .map_err(|kind| ExtractError { archive: parts.to_owned(), kind })
}

/// `parts` is the format of the artifact if the file contains nothing but its parts.
fn extract_inner(
    archive: &Path,
    parts: Option<ArtifactFormat>,
    destination: &Path,
    options: &ExtractOptions<'_>,
) -> Result<ExtractedTree, ExtractErrorKind> {
    let read = |source| ExtractErrorKind::Read { source };
    let file = File::open(archive).map_err(read)?;
    let whole = file.try_clone().map_err(read)?;
    let stamp = || whole.metadata().and_then(|now| Ok((now.len(), now.modified()?))).map_err(read);
    let before = stamp()?;
    let size = before.0;
    check_destination(destination)?;
    let staging = staging_beside(destination)?;
    let tree = staging.tree();
    make_folder(&tree).map_err(|source| ExtractErrorKind::Write { path: tree.clone(), source })?;

    let mut place = DestinationFolder::new(&tree)?;
    place.digests = options.digests.map(WrittenDigests::new);
    let is_digested = options.archive_digest || options.expected.is_some();
    let kinds = if options.archive_digest { DigestKinds::Both } else { DigestKinds::Sha256 };
    let (digest, extracted) = std::thread::scope(|scope| {
        let all = || ContentDigests::of_reader(PositionedReader::new(&whole), kinds, &mut DigestBuffer::default());
        let digest = is_digested.then(|| scope.spawn(all));
        let extracted = stage(file, parts, size, &place, options);
        (digest.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))), extracted)
    });
    // What was extracted need not be what was digested.
    if is_digested && stamp()? != before {
        return Err(read(io::Error::other("it was written to while it was read")));
    }
    let archive_digest = digest.transpose().map_err(read)?;
    // A wrong digest explains every other fault, so it is reported first.
    if let (Some(actual), Some(expected)) = (archive_digest.and_then(|it| it.sha256), options.expected)
        && actual != expected
    {
        return Err(ExtractErrorKind::Digest { expected, actual });
    }
    let extracted = ExtractedTree { archive_digest, ..extracted? };
    settle(&tree, destination)?;
    Ok(extracted)
}

/// `file` has `size` bytes; `parts` is the format of the artifact if it contains nothing but its parts.
pub(crate) fn stage(
    file: File,
    parts: Option<ArtifactFormat>,
    size: u64,
    place: &DestinationFolder,
    options: &ExtractOptions<'_>,
) -> Result<ExtractedTree, ExtractErrorKind> {
    let found = parts.map_or_else(|| detect(&file), |format| Ok(Some(format)));
    let format = found.map_err(|source| ExtractErrorKind::Read { source })?.ok_or(ExtractErrorKind::Format)?;
    if format == ArtifactFormat::Zip {
        return stage_zip(&file, size, place, options);
    }
    let open = if parts.is_some() { TarSource::open_parts } else { TarSource::open };
    let source = open(file, format).map_err(ExtractErrorKind::of_read)?.ok_or(ExtractErrorKind::Format)?;
    let turnstile = Turnstile::new(TarJudge::new(place, size, options));
    let workers = thread_count(options.threads) + 1;
    run_workers(workers, &turnstile, || -> Result<(), ExtractErrorKind> {
        let (mut decoder, mut buffer) = (FrameDecoder::default(), Vec::new());
        while let Some(chunk) = source.next(&mut decoder, &mut buffer) {
            let judged = turnstile.pass(chunk.ticket, |judge| {
                chunk.result.map_err(ExtractErrorKind::of_read)?;
                judge.chunk(&buffer)
            })?;
            let Some(writes) = judged else { return Ok(()) };
            for write in &writes {
                place.write(write, &buffer[write.range.clone()])?;
            }
            (options.progress)(chunk.packed);
        }
        Ok(())
    })?;
    finish_stage(place, turnstile.into_inner().finish()?, options)
}

/// Refuses a destination that is neither absent nor an empty folder. Called before downloads, so that they are not in
/// vain.
pub fn check_destination(destination: &Path) -> Result<(), ExtractErrorKind> {
    let exists = || ExtractErrorKind::DestinationExists { path: destination.to_owned() };
    match fs::symlink_metadata(destination) {
        Err(_) => Ok(()),
        Ok(metadata) if !metadata.is_dir() => Err(exists()),
        Ok(_) => {
            let is_empty = fs::read_dir(destination).is_ok_and(|mut items| items.next().is_none());
            if is_empty { Ok(()) } else { Err(exists()) }
        }
    }
}

/// The folder in which a tree is made before [`settle`] moves it; on the same file system as `destination`.
pub fn staging_beside(destination: &Path) -> Result<StagingFolder, ExtractErrorKind> {
    let failed = |source| ExtractErrorKind::Write { path: folder_of(destination).to_owned(), source };
    StagingFolder::beside(destination).map_err(failed)
}

/// Moves `staged` to `destination`, which is absent or an empty folder.
pub fn settle(staged: &Path, destination: &Path) -> Result<(), ExtractErrorKind> {
    let failed = |source| ExtractErrorKind::Write { path: destination.to_owned(), source };
    if destination.is_dir() {
        // Only ever an empty folder; if it has been filled meanwhile, this fails and nothing is lost.
        fs::remove_dir(destination).map_err(failed)?;
    }
    disk::rename(staged, destination).map_err(failed)
}
