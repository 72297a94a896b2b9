//! What is in an archive, without writing any of it: as a list, or judged as an extraction would.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use vocab::{ArtifactFormat, Digest, DigestWriter, Fault};

use crate::FileContent;
use crate::destination_folder::DestinationFolder;
use crate::extract::stage;
use crate::extract_error::{ExtractError, ExtractErrorKind};
use crate::extract_options::{ExtractOptions, ExtractedTree};
use crate::follower::digest_of_range;
use crate::source::{FrameDecoder, TarSource, detect};
use crate::tar_stream::{MemberKind, TarItem, TarMember, TarStream};
use crate::turnstile::{Turnstile, run_workers, thread_count};
use crate::zip_extract::members_of_zip;

/// One entry as the archive states it. It has not been judged: its name may be anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedEntry {
    /// Bytes that are not UTF-8 are replaced. A directory's ends in `/`.
    pub path: String,
    pub kind: ListedKind,
    /// The owner's bit.
    pub executable: bool,
    /// A file's size in bytes, uncompressed; 0 for everything else.
    pub size: u64,
    /// Where a link points, as the archive states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Digest of a file's content, with [`ListingDepth::Digests`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// What an entry is. Links are not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListedKind {
    /// A directory with an entry of its own.
    Directory,
    File,
    Symlink,
    HardLink,
    /// A kind that extraction always refuses.
    Special,
}

/// How much to find out about each entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingDepth {
    /// Names, sizes and modes; contents are skipped.
    Names,
    /// Also the digest of each file.
    Digests,
}

/// All entries in the archive's order. An error if there are more than [`crate::ExtractLimits::entries`].
pub fn list(
    archive: &Path,
    listing: ListingDepth,
    options: &ExtractOptions<'_>,
) -> Result<Vec<ListedEntry>, ListError> {
    let failed = |kind| ListError(ExtractError { archive: archive.to_owned(), kind });
    list_inner(archive, listing, options).map_err(failed)
}

/// Fails where extraction would fail for reasons other than its rules.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot list `{}`: {}", .0.archive.display(), .0.kind)]
#[fault(transparent)]
pub struct ListError(pub ExtractError);

fn list_inner(
    archive: &Path,
    listing: ListingDepth,
    options: &ExtractOptions<'_>,
) -> Result<Vec<ListedEntry>, ExtractErrorKind> {
    let read = |source| ExtractErrorKind::Read { source };
    let file = File::open(archive).map_err(read)?;
    match detect(&file).map_err(read)? {
        Some(format @ (ArtifactFormat::TarZst | ArtifactFormat::TarGz | ArtifactFormat::Tar)) => {
            let source = TarSource::open(file, format).map_err(ExtractErrorKind::of_read)?;
            list_tar(&source.ok_or(ExtractErrorKind::Format)?, listing, options)
        }
        Some(ArtifactFormat::Zip) => list_zip(archive, &file, listing, options),
        None => Err(ExtractErrorKind::Format),
    }
}

fn list_zip(
    archive: &Path,
    file: &File,
    listing: ListingDepth,
    options: &ExtractOptions<'_>,
) -> Result<Vec<ListedEntry>, ExtractErrorKind> {
    let size = file.metadata().map_err(|source| ExtractErrorKind::Read { source })?.len();
    let mut collected = EntryCollector { listing, limit: options.limits.entries, entries: Vec::new(), open: None };
    for member in members_of_zip(file, size, options)? {
        collected.member(member)?;
    }
    let mut entries = collected.entries;
    if listing == ListingDepth::Names {
        // None of the content was read.
        return Ok(entries);
    }
    let members =
        crate::zip_members(archive).map_err(|error| ExtractErrorKind::of_read(std::io::Error::other(error)))?;
    let path: Arc<Path> = archive.into();
    for entry in entries.iter_mut().filter(|entry| entry.kind == ListedKind::File) {
        entry.sha256 = None;
        if let Some(member) = members.get(&entry.path) {
            let content = FileContent::Zipped { archive: Arc::clone(&path), member: *member };
            entry.sha256 = Some(content.digest().map_err(ExtractErrorKind::of_read)?);
        }
    }
    Ok(entries)
}

fn list_tar(
    source: &TarSource,
    listing: ListingDepth,
    options: &ExtractOptions<'_>,
) -> Result<Vec<ListedEntry>, ExtractErrorKind> {
    let collected = EntryCollector { listing, limit: options.limits.entries, entries: Vec::new(), open: None };
    let turnstile = Turnstile::new((TarStream::new(), collected));
    run_workers(thread_count(options.threads), &turnstile, || -> Result<(), ExtractErrorKind> {
        let (mut decoder, mut buffer) = (FrameDecoder::default(), Vec::new());
        while let Some(chunk) = source.next(&mut decoder, &mut buffer) {
            let passed = turnstile.pass(chunk.ticket, |(tar, collected)| {
                chunk.result.map_err(ExtractErrorKind::of_read)?;
                tar.feed(&buffer, &mut |item| match item {
                    TarItem::Member(member) => collected.member(member),
                    TarItem::Content(range) => {
                        collected.content(&buffer[range]);
                        Ok(())
                    }
                })
            })?;
            if passed.is_none() {
                return Ok(());
            }
            (options.progress)(chunk.packed);
        }
        Ok(())
    })?;
    let (tar, mut collected) = turnstile.into_inner();
    tar.finish()?;
    collected.close();
    Ok(collected.entries)
}

struct EntryCollector {
    listing: ListingDepth,
    limit: u64,
    entries: Vec<ListedEntry>,
    /// The content of the last entry, while it arrives.
    open: Option<DigestWriter<std::io::Sink>>,
}

impl EntryCollector {
    fn member(&mut self, member: TarMember) -> Result<(), ExtractErrorKind> {
        self.close();
        if self.entries.len() as u64 >= self.limit {
            return Err(ExtractErrorKind::Limit { what: "entries", limit: self.limit });
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (kind, target) = match member.kind {
            MemberKind::Directory => (ListedKind::Directory, None),
            MemberKind::File => (ListedKind::File, None),
            MemberKind::Symlink(target) => (ListedKind::Symlink, Some(text(target))),
            MemberKind::HardLink(target) => (ListedKind::HardLink, Some(text(target))),
            MemberKind::Special(_) => (ListedKind::Special, None),
        };
        if kind == ListedKind::File && self.listing == ListingDepth::Digests {
            self.open = Some(DigestWriter::new(std::io::sink()));
        }
        let TarMember { name, executable, size, .. } = member;
        self.entries.push(ListedEntry { path: text(name), kind, executable, size, target, sha256: None });
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) {
        if let Some(open) = &mut self.open {
            std::io::Write::write_all(open, bytes).expect("nothing is written anywhere");
        }
    }

    fn close(&mut self) {
        if let (Some(open), Some(last)) = (self.open.take(), self.entries.last_mut()) {
            last.sha256 = Some(open.finish().1);
        }
    }
}

/// Decodes and judges everything by the rules of [`crate::extract`], and writes nothing. What only a disk could show,
/// such as too little room, is not checked; links are judged as links.
pub fn check(archive: &Path, options: &ExtractOptions<'_>) -> Result<ExtractedTree, ExtractError> {
    check_inner(archive, options).map_err(|kind| ExtractError { archive: archive.to_owned(), kind })
}

fn check_inner(archive: &Path, options: &ExtractOptions<'_>) -> Result<ExtractedTree, ExtractErrorKind> {
    let read = |source| ExtractErrorKind::Read { source };
    let file = File::open(archive).map_err(read)?;
    let size = file.metadata().map_err(read)?.len();
    if let Some(expected) = options.expected {
        let actual = digest_of_range(&file, 0, size).map_err(read)?;
        if actual != expected {
            return Err(ExtractErrorKind::Digest { expected, actual });
        }
    }
    stage(file, None, size, &DestinationFolder::nowhere(), options)
}
