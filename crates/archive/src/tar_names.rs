//! The names in a tar, in whatever way it is compressed: read from front to back, and nothing of it is written or judged.

use std::fs::File;
use std::path::Path;

use vocab::ArtifactFormat;

use crate::extract_error::{ExtractError, ExtractErrorKind};
use crate::source::{FrameDecoder, TarSource, detect};
use crate::tar_stream::{MemberKind, TarItem, TarStream};

/// More decoded bytes than this are refused: no layer of an image has as many.
const MOST: u64 = 256 << 30;

/// Calls `found` with each name as it stands in the archive, and whether it is that of a folder.
///
/// # Errors
/// If it cannot be read, is not a tar, or is damaged.
pub fn tar_names(archive: &Path, found: &mut dyn FnMut(&[u8], bool)) -> Result<(), ExtractError> {
    read(archive, found).map_err(|kind| ExtractError { archive: archive.to_owned(), kind })
}

fn read(archive: &Path, found: &mut dyn FnMut(&[u8], bool)) -> Result<(), ExtractErrorKind> {
    let failed = |source| ExtractErrorKind::Read { source };
    let file = File::open(archive).map_err(failed)?;
    // Old tars have no mark of their format; what is not one has no header either.
    let format = detect(&file).map_err(failed)?.unwrap_or(ArtifactFormat::Tar);
    let source = TarSource::open(file, format).map_err(ExtractErrorKind::of_read)?.ok_or(ExtractErrorKind::Format)?;
    let (mut stream, mut decoder, mut buffer) = (TarStream::new(), FrameDecoder::default(), Vec::new());
    let mut size = 0;
    while let Some(chunk) = source.next(&mut decoder, &mut buffer) {
        chunk.result.map_err(ExtractErrorKind::of_read)?;
        size += buffer.len() as u64;
        if size > MOST {
            return Err(ExtractErrorKind::Corrupt { reason: format!("it holds more than {MOST} bytes") });
        }
        stream.feed(&buffer, &mut |item| {
            if let TarItem::Member(member) = item {
                let is_folder = member.kind == MemberKind::Directory;
                found(&member.name, is_folder);
            }
            Ok::<(), ExtractErrorKind>(())
        })?;
    }
    stream.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NoCache, PackOptions, PartSource, TreeEntry, pack};

    fn names(path: &Path) -> Result<Vec<String>, ExtractError> {
        let mut names = Vec::new();
        tar_names(path, &mut |name, is_folder| {
            names.push(format!("{}{}", String::from_utf8_lossy(name), if is_folder { " folder" } else { "" }));
        })?;
        Ok(names)
    }

    #[test]
    fn names_are_those_of_the_tar_however_it_is_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("layer");
        let entries = || {
            let long = format!("a/{}", "n".repeat(150));
            vec![
                TreeEntry::directory("a".parse().unwrap()),
                TreeEntry::bytes("a/boot".parse().unwrap(), vec![1; 3 << 20]),
                TreeEntry::bytes(long.parse().unwrap(), *b""),
            ]
        };
        for format in [ArtifactFormat::Tar, ArtifactFormat::TarGz, ArtifactFormat::TarZst] {
            let options = PackOptions { format, level: 1, ..PackOptions::default() };
            pack(&path, &[PartSource::new("a", entries())], &options, &NoCache).unwrap();
            let names = names(&path).unwrap();
            assert_eq!(names[0].trim_end_matches(" folder").trim_end_matches('/'), "a", "for {format:?}");
            assert!(names[0].ends_with(" folder") && names[1] == "a/boot" && names[2].len() == 152, "for {format:?}");
        }
    }

    #[test]
    fn what_is_not_a_tar_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("layer");
        for bytes in [vec![7; 2000], b"PK\x03\x04".to_vec(), vec![0x1F, 0x8B, 8, 0]] {
            std::fs::write(&path, bytes).unwrap();
            assert!(names(&path).is_err());
        }
    }
}
