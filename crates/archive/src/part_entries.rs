//! A part of an artifact as entries that can be packed again, at another place of another archive.
//!
//! Read from the tar itself and not from an extracted tree, so that every system makes the same of it: what Windows has no
//! mode for, and names that macOS takes for one, come out as they went in.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use vocab::{Artifact, Digest, DigestWriter, Part, TreePath};

use crate::codec::end_parts;
use crate::extract_error::{ExtractError, ExtractErrorKind};
use crate::follower::digest_of_range;
use crate::name_rules::{EntryFault, NameRules, checked_path};
use crate::source::{FrameDecoder, PositionedReader, TarSource};
use crate::tar_stream::{MemberKind, TarItem, TarMember, TarStream};
use crate::{EntryKind, FileContent, PartSource, TreeEntry};

/// The entries of `part` of the artifact at `archive`, with the digests of all files, whose content is written into
/// `folder`, an existing and empty one, and has to stay there until they are packed. The part is compared with its digest
/// first. A zip is refused: its parts hold no links.
///
/// Names are judged one by one; what they are to each other, and where links lead, is judged when they are packed.
pub fn part_entries(
    archive: &Path,
    described: &Artifact,
    part: &Part,
    folder: &Path,
) -> Result<PartSource, ExtractError> {
    read_part(archive, described, part, folder)
        .map(|entries| PartSource::identified(part.content.clone(), entries))
        .map_err(|kind| ExtractError { archive: archive.to_owned(), kind })
}

fn read_part(
    archive: &Path,
    described: &Artifact,
    part: &Part,
    folder: &Path,
) -> Result<Vec<TreeEntry>, ExtractErrorKind> {
    let read = |source| ExtractErrorKind::Read { source };
    let file = File::open(archive).map_err(read)?;
    let actual = digest_of_range(&file, part.offset, part.size).map_err(ExtractErrorKind::of_read)?;
    if actual != part.sha256 {
        return Err(ExtractErrorKind::Digest { expected: part.sha256, actual });
    }
    let alone = folder.join("part");
    let written = |source| ExtractErrorKind::Write { path: alone.clone(), source };
    let mut copy = File::options().read(true).write(true).create_new(true).open(&alone).map_err(written)?;
    copy_range(&file, part, &mut copy).map_err(written)?;
    end_parts(&mut copy, described.format, part.size).map_err(written)?;

    let source = TarSource::open_parts(copy, described.format).map_err(ExtractErrorKind::of_read)?;
    let source = source.ok_or(ExtractErrorKind::Format)?;
    let mut spool =
        Spool { folder, left: part.uncompressed_size, entries: Vec::new(), files: HashMap::new(), open: None };
    let (mut tar, mut decoder, mut buffer) = (TarStream::new(), FrameDecoder::default(), Vec::new());
    while let Some(chunk) = source.next(&mut decoder, &mut buffer) {
        chunk.result.map_err(ExtractErrorKind::of_read)?;
        tar.feed(&buffer, &mut |item| match item {
            TarItem::Member(member) => spool.member(member),
            TarItem::Content(range) => spool.content(&buffer[range]),
        })?;
    }
    tar.finish()?;
    spool.close()?;
    drop(source);
    std::fs::remove_file(&alone).map_err(written)?;
    Ok(spool.entries)
}

fn copy_range(from: &File, part: &Part, to: &mut File) -> io::Result<()> {
    let mut reader = PositionedReader::new(from);
    reader.seek(SeekFrom::Start(part.offset))?;
    io::copy(&mut BufReader::with_capacity(1 << 20, reader.take(part.size)), to)?;
    to.seek(SeekFrom::Start(0)).map(|_| ())
}

/// Files of one part, numbered as they come.
struct Spool<'a> {
    folder: &'a Path,
    /// How much more content there may be.
    left: u64,
    entries: Vec<TreeEntry>,
    /// By path, for hard links, which artifacts of others may have.
    files: HashMap<TreePath, usize>,
    /// The content of the last entry, while it arrives.
    open: Option<(PathBuf, DigestWriter<io::BufWriter<File>>)>,
}

impl Spool<'_> {
    fn member(&mut self, member: TarMember) -> Result<(), ExtractErrorKind> {
        self.close()?;
        let name = String::from_utf8_lossy(&member.name).into_owned();
        let refuse = |fault| ExtractErrorKind::Entry { entry: name.clone(), fault };
        let path = checked_path(&member.name, NameRules::CaseSensitive).map_err(refuse)?;
        if path.is_root() && member.kind == MemberKind::Directory {
            return Ok(());
        }
        let entry = match member.kind {
            MemberKind::Directory => TreeEntry::directory(path),
            MemberKind::Symlink(target) => {
                TreeEntry::symlink(path, String::from_utf8(target).map_err(|_| refuse(EntryFault::NotUtf8))?)
            }
            MemberKind::HardLink(target) => {
                let wrong = || refuse(EntryFault::HardLink { target: String::from_utf8_lossy(&target).into_owned() });
                let first = checked_path(&target, NameRules::CaseSensitive).map_err(|_| wrong())?;
                let index = self.files.get(&first).ok_or_else(wrong)?;
                TreeEntry { path, ..self.entries[*index].clone() }
            }
            MemberKind::Special(kind) => return Err(refuse(EntryFault::Special { kind })),
            MemberKind::File => {
                let place = self.folder.join(self.entries.len().to_string());
                let file = File::create_new(&place).map_err(|source| write_failed(&place, source))?;
                self.open = Some((place.clone(), DigestWriter::new(io::BufWriter::new(file))));
                self.files.insert(path.clone(), self.entries.len());
                TreeEntry::file(path, FileContent::Disk(place), member.executable)
            }
        };
        self.entries.push(entry);
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) -> Result<(), ExtractErrorKind> {
        let Some((place, writer)) = &mut self.open else { return Ok(()) };
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(ExtractErrorKind::Corrupt { reason: "a part holds more than its manifest says".to_owned() });
        };
        self.left = left;
        writer.write_all(bytes).map_err(|source| write_failed(place, source))
    }

    fn close(&mut self) -> Result<(), ExtractErrorKind> {
        let (Some((place, mut writer)), Some(last)) = (self.open.take(), self.entries.last_mut()) else {
            return Ok(());
        };
        writer.flush().map_err(|source| write_failed(&place, source))?;
        last.sha256 = Some(writer.finish().1);
        debug_assert!(matches!(last.kind, EntryKind::File { .. }));
        Ok(())
    }
}

fn write_failed(path: &Path, source: io::Error) -> ExtractErrorKind {
    ExtractErrorKind::Write { path: path.to_owned(), source }
}

/// Digest and size of the tar inside a `tar.zst`, `tar.gz` or `tar`, which says what an archive holds in whatever way it is
/// compressed.
pub fn tar_digest(archive: &Path) -> Result<(Digest, u64), ExtractError> {
    let digest = || -> Result<(Digest, u64), ExtractErrorKind> {
        let read = |source| ExtractErrorKind::Read { source };
        let file = File::open(archive).map_err(read)?;
        let format = crate::source::detect(&file).map_err(read)?.ok_or(ExtractErrorKind::Format)?;
        let source = TarSource::open(file, format).map_err(ExtractErrorKind::of_read)?;
        let source = source.ok_or(ExtractErrorKind::Format)?;
        let (mut tar, mut decoder, mut buffer) = (DigestWriter::new(io::sink()), FrameDecoder::default(), Vec::new());
        while let Some(chunk) = source.next(&mut decoder, &mut buffer) {
            chunk.result.map_err(ExtractErrorKind::of_read)?;
            tar.write_all(&buffer).map_err(read)?;
        }
        let size = tar.size();
        Ok((tar.finish().1, size))
    };
    digest().map_err(|kind| ExtractError { archive: archive.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use vocab::{ArtifactFormat, Fault as _};

    use super::*;
    use crate::{NoCache, PackOptions, pack};

    fn parts() -> Vec<PartSource> {
        let path = |text: &str| text.parse().unwrap();
        let program = TreeEntry::file(path("bin/python3.12"), FileContent::Bytes((*b"#!").into()), true);
        let base = vec![
            program,
            TreeEntry::symlink(path("bin/python"), "python3.12"),
            TreeEntry::bytes(path("share/terminfo/N/next"), *b"upper"),
            TreeEntry::bytes(path("share/terminfo/n/next"), *b"lower"),
            TreeEntry::directory(path("empty")),
        ];
        let wheel = vec![TreeEntry::bytes(path("lib/six.py"), vec![7; 3 << 20]), TreeEntry::bytes(path("lib/é"), *b"")];
        vec![PartSource::new("base", base), PartSource::new("six.whl", wheel)]
    }

    /// Packs, and reads the parts again.
    fn again(format: ArtifactFormat, folder: &Path) -> (PathBuf, Artifact) {
        let archive = folder.join("artifact");
        let level = if format == ArtifactFormat::TarGz { 6 } else { 3 };
        let options = PackOptions { format, level, ..PackOptions::default() };
        let packed = pack(&archive, &parts(), &options, &NoCache).unwrap();
        let crate::PackedArchive { sha256, size, parts, .. } = packed;
        (archive, Artifact { file: "artifact".to_owned(), format, level: None, sha256, size, parts })
    }

    #[test]
    fn parts_packed_again_are_the_same_archive() {
        let wanted = {
            let folder = tempfile::tempdir().unwrap();
            tar_digest(&again(ArtifactFormat::Tar, folder.path()).0).unwrap()
        };
        for format in [ArtifactFormat::TarZst, ArtifactFormat::TarGz, ArtifactFormat::Tar] {
            let folder = tempfile::tempdir().unwrap();
            let (archive, described) = again(format, folder.path());
            assert_eq!(tar_digest(&archive).unwrap(), wanted, "{format:?}");
            let read = |(index, part): (usize, &Part)| {
                let spool = folder.path().join(index.to_string());
                std::fs::create_dir(&spool).unwrap();
                part_entries(&archive, &described, part, &spool).unwrap()
            };
            let parts: Vec<PartSource> = described.parts.iter().enumerate().map(read).collect();
            assert!(parts.iter().all(|part| part.identity.is_some()), "all digests are known");
            let second = folder.path().join("second");
            pack(&second, &parts, &PackOptions::default(), &NoCache).unwrap();
            assert_eq!(tar_digest(&second).unwrap(), wanted, "{format:?}");
        }
    }

    #[test]
    fn a_damaged_part_is_refused_and_so_is_a_zip() {
        let folder = tempfile::tempdir().unwrap();
        let (archive, described) = again(ArtifactFormat::TarZst, folder.path());
        let spool = tempfile::tempdir().unwrap();
        let mut bytes = std::fs::read(&archive).unwrap();
        bytes[described.parts[1].offset as usize + 20] ^= 1;
        std::fs::write(&archive, bytes).unwrap();
        let refused = part_entries(&archive, &described, &described.parts[1], spool.path()).unwrap_err();
        assert_eq!(refused.code(), "E_ARCHIVE_CHECKSUM");
        let zipped = tempfile::tempdir().unwrap();
        let (archive, described) = again(ArtifactFormat::Zip, zipped.path());
        let refused = part_entries(&archive, &described, &described.parts[0], spool.path()).unwrap_err();
        assert_eq!(refused.code(), "E_ARCHIVE_FORMAT");
    }
}
