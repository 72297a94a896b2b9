//! An artifact in another container: parts are decoded and compressed again, for readers that accept only one container.
//! Nothing is extracted, no tree is needed, and the tar inside stays the same, byte for byte.

use std::fs::File;
use std::path::Path;

use vocab::{Artifact, ArtifactFormat, Digest};

use crate::codec;
use crate::finished_part::FinishedPart;
use crate::frames::FRAME;
use crate::pack::{PartOrigin, PartOrigins, settle};
use crate::pack_error::{PackError, PackErrorKind};
use crate::pack_options::PackOptions;
use crate::packed::PackedFile;
use crate::part_cache::{CachedPart, PART_FORMAT, PartCache};
use crate::seek_table::FrameSize;
use crate::source::frames_of;

/// The artifact that [`crate::pack`] would make, with these options, from the content of `archive`: a `tar.zst` or
/// `tar` that [`crate::verify`] has compared with `described`. It gets a temporary name in `folder`, and dropping it
/// removes it.
///
/// Parts that were converted before come from the cache, by the digest of the part that they are made from.
pub fn repack(
    archive: &Path,
    described: &Artifact,
    folder: &Path,
    options: &PackOptions<'_>,
    cache: &dyn PartCache,
) -> Result<PackedFile, PackError> {
    let repack = || -> Result<PackedFile, PackErrorKind> {
        let failed = |source| PackErrorKind::Read { path: archive.to_owned(), source };
        let file = File::open(archive).map_err(failed)?;
        let frames = match described.format {
            ArtifactFormat::TarZst => frames_of(&file).map_err(failed)?,
            ArtifactFormat::Tar => Some(plain_frames(described)),
            ArtifactFormat::TarGz | ArtifactFormat::Zip => None,
        };
        let frames = frames.ok_or_else(|| PackErrorKind::NoFrames { path: archive.to_owned() })?;
        let again = |part: &vocab::Part| {
            let end = part.offset + part.size;
            let own: Vec<(u64, FrameSize)> =
                frames.iter().filter(|(offset, _)| (part.offset..end).contains(offset)).copied().collect();
            let sizes = own.iter().map(|(_, size)| size);
            let (packed, unpacked) =
                sizes.fold((0, 0), |sum, size| (sum.0 + u64::from(size.packed), sum.1 + u64::from(size.unpacked)));
            let starts = own.first().is_none_or(|(offset, _)| *offset == part.offset);
            if !starts || packed != part.size || unpacked != part.uncompressed_size {
                return Err(PackErrorKind::NoFrames { path: archive.to_owned() });
            }
            Ok(FinishedPart { archive, file: &file, format: described.format, frames: own })
        };
        let keys: Vec<Option<Digest>> = described.parts.iter().map(|part| Some(key(&part.sha256, options))).collect();
        let names = described.parts.iter().map(|part| (part.content.clone(), part.identity)).collect();
        let source = |index: usize, cache: &dyn PartCache| {
            let cached = keys[index].and_then(|key| CachedPart::open(cache.get(&key)?, &key));
            match cached {
                Some(cached) => Ok(PartOrigin::Cached(cached)),
                None => Ok(PartOrigin::Finished(again(&described.parts[index])?)),
            }
        };
        settle(folder, &PartOrigins { keys: &keys, names, source: &source }, options, cache)
    };
    repack().map_err(|kind| PackError { target: folder.to_owned(), kind })
}

/// The key of a part that was made from another container's: the SHA-256 of these lines, each ended by `\n`: `pydist part
/// from part`, then [`PART_FORMAT`], the format's extension, the compressor with its version, the level, and the SHA-256
/// of the other part. Not the part's identity, which the manifest states
/// unverified.
fn key(sha256: &Digest, options: &PackOptions<'_>) -> Digest {
    Digest::of(format!(
        "pydist part from part\n{PART_FORMAT}\n{}\n{}\n{}\n{sha256}\n",
        options.format.extension(),
        codec::codec_name(options.format),
        options.level,
    ))
}

/// A part of a `tar` can be cut anywhere.
fn plain_frames(described: &Artifact) -> Vec<(u64, FrameSize)> {
    let cut = |part: &vocab::Part| {
        let (offset, size) = (part.offset, part.size);
        (0..size).step_by(FRAME as usize).map(move |skip| {
            let length = FRAME.min(size - skip) as u32;
            (offset + skip, FrameSize { packed: length, unpacked: length })
        })
    };
    described.parts.iter().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{NoCache, PartSource, TreeEntry, pack};

    /// Keeps parts in a folder, and counts those that it gave.
    struct PartFolder(tempfile::TempDir, Mutex<usize>);

    impl PartCache for PartFolder {
        fn get(&self, key: &Digest) -> Option<std::path::PathBuf> {
            let path = self.0.path().join(key.to_string());
            path.is_file().then(|| {
                *self.1.lock().unwrap() += 1;
                path
            })
        }

        fn put(&self, key: &Digest, part: &mut dyn std::io::Read) {
            let mut file = File::create(self.0.path().join(key.to_string())).unwrap();
            std::io::copy(part, &mut file).unwrap();
        }
    }

    fn options(format: ArtifactFormat, level: i32) -> PackOptions<'static> {
        PackOptions { format, level, mtime: 1_700_000_000, ..PackOptions::default() }
    }

    fn parts() -> Vec<PartSource> {
        let long: Vec<u8> = (0..20_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        let of = |name: &str, entries| PartSource::new(name, entries);
        vec![
            of(
                "base",
                vec![
                    TreeEntry::bytes("bin/python".parse().unwrap(), *b"#!"),
                    TreeEntry::bytes("z".parse().unwrap(), long),
                ],
            ),
            of("empty", Vec::new()),
            of("metadata", vec![TreeEntry::bytes("pydist.json".parse().unwrap(), *b"{}")]),
        ]
    }

    fn described(packed: crate::PackedArchive, format: ArtifactFormat) -> Artifact {
        let crate::PackedArchive { sha256, size, parts, .. } = packed;
        Artifact { file: "a".to_owned(), format, level: None, sha256, size, parts }
    }

    #[test]
    fn the_bytes_are_those_that_packing_the_tree_would_give() {
        let folder = tempfile::tempdir().unwrap();
        let gzip = options(ArtifactFormat::TarGz, 6);
        let wanted = pack(&folder.path().join("wanted"), &parts(), &gzip, &NoCache).unwrap();
        for format in [ArtifactFormat::TarZst, ArtifactFormat::Tar] {
            let archive = folder.path().join("artifact");
            let packed = pack(&archive, &parts(), &options(format, 3), &NoCache).unwrap();
            let artifact = described(packed, format);
            let cache = PartFolder(tempfile::tempdir().unwrap(), Mutex::default());
            for reused in [0, 3] {
                let file = repack(&archive, &artifact, folder.path(), &gzip, &cache).unwrap();
                let path = folder.path().join("again");
                let packed = file.persist(&path).unwrap();
                assert_eq!((packed.reused, *cache.1.lock().unwrap()), (reused, reused), "{format:?}");
                if format == ArtifactFormat::TarZst {
                    assert_eq!((packed.sha256, packed.size), (wanted.sha256, wanted.size));
                }
                let tar = |path: &Path| {
                    let mut tar = Vec::new();
                    let file = File::open(path).unwrap();
                    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut tar).unwrap();
                    Digest::of(tar)
                };
                assert_eq!(tar(&path), tar(&folder.path().join("wanted")), "{format:?}");
            }
        }
    }

    #[test]
    fn a_cached_part_that_was_damaged_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("artifact");
        let packed = pack(&archive, &parts(), &options(ArtifactFormat::TarZst, 3), &NoCache).unwrap();
        let artifact = described(packed, ArtifactFormat::TarZst);
        let cache = PartFolder(tempfile::tempdir().unwrap(), Mutex::default());
        let again = || repack(&archive, &artifact, folder.path(), &options(ArtifactFormat::TarGz, 6), &cache).unwrap();
        let sound = again().packed().sha256;
        for entry in std::fs::read_dir(cache.0.path()).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[0] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
        assert_eq!((again().packed().sha256, again().packed().reused), (sound, 3));
    }

    #[test]
    fn what_has_no_frames_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("artifact");
        let packed = pack(&archive, &parts(), &options(ArtifactFormat::TarZst, 3), &NoCache).unwrap();
        let again = |artifact: &Artifact| {
            let gzip = options(ArtifactFormat::TarGz, 6);
            vocab::Fault::code(&repack(&archive, artifact, folder.path(), &gzip, &NoCache).unwrap_err())
        };
        let good = described(packed, ArtifactFormat::TarZst);
        assert_eq!(again(&Artifact { format: ArtifactFormat::Zip, ..good.clone() }), "E_ARCHIVE_FORMAT");
        let mut shifted = good.clone();
        shifted.parts[0].size -= 1;
        assert_eq!(again(&shifted), "E_ARCHIVE_FORMAT");
        let mut shorter = good;
        shorter.parts[0].uncompressed_size -= 512;
        assert_eq!(again(&shorter), "E_ARCHIVE_FORMAT");
    }
}
