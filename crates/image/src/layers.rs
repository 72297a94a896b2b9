//! Which parts make a layer, and how they become one.

use std::path::{Path, PathBuf};

use archive::{PackOptions, PartCache, PartSource, TreeEntry, part_entries, tar_digest};
use vocab::{Artifact, ArtifactFormat, Digest, Manifest, Part, TreePath};

use crate::blobs::Blobs;
use crate::error::ImageErrorKind;
use crate::oci::{Descriptor, spelled};

/// At most so many layers hold a runtime. Overlay file systems stack 128 at most, and bases and what comes on top need some.
pub const MOST_LAYERS: usize = 64;

/// A part that has less is not worth a request of its own, in bytes as it is packed.
const OWN_LAYER: u64 = 1 << 20;

/// A packed runtime, and where it will be.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeSource<'a> {
    /// The artifact's file.
    pub archive: &'a Path,
    /// What lies beside it.
    pub manifest: &'a Manifest,
    /// Below the root of the image: `opt/pydist/python`.
    pub prefix: &'a TreePath,
}

/// How layers are compressed. Both are read by everything that reads OCI images of 2023 and later; some older readers, and some
/// registries that look into layers, know gzip alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LayerCompression {
    #[default]
    Zstd,
    Gzip,
}

impl LayerCompression {
    fn media_type(self) -> &'static str {
        match self {
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        }
    }

    fn options(self, mtime: u64) -> PackOptions<'static> {
        let (format, level) = match self {
            Self::Zstd => (ArtifactFormat::TarZst, 3),
            Self::Gzip => (ArtifactFormat::TarGz, 6),
        };
        PackOptions { format, level, mtime, ..PackOptions::default() }
    }
}

/// Parts that share a layer, in the order of the layers: the interpreter, large wheels each alone, small ones together, and
/// last what is different in every build. Names and sizes alone decide, so that two runtimes share whatever they can.
pub(crate) fn groups(parts: &[Part]) -> Vec<(String, Vec<&Part>)> {
    let ours = |part: &&Part| matches!(part.content.as_str(), "copied-files" | "metadata");
    let (last, rest): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(ours);
    let (base, wheels): (Vec<&Part>, Vec<&Part>) = rest.into_iter().partition(|part| part.content == "base");
    let mut sizes: Vec<u64> = wheels.iter().map(|part| part.size).filter(|size| *size >= OWN_LAYER).collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    // The interpreter, small wheels and what comes last have a layer each.
    let most = MOST_LAYERS - 3;
    let least = sizes.get(most).map_or(OWN_LAYER, |size| size + 1);
    let (large, small): (Vec<&Part>, Vec<&Part>) = wheels.into_iter().partition(|part| part.size >= least);
    let mut groups = vec![("base".to_owned(), base)];
    groups.extend(large.into_iter().map(|part| (part.content.clone(), vec![part])));
    groups.push(("small packages".to_owned(), small));
    groups.push(("metadata".to_owned(), last));
    groups.retain(|(_, parts)| !parts.is_empty());
    groups
}

/// The entries of one group below the prefix.
pub(crate) fn entries_of(
    source: &RuntimeSource<'_>,
    described: &Artifact,
    parts: &[&Part],
    spool: &Path,
) -> Result<Vec<TreeEntry>, ImageErrorKind> {
    let mut entries: Vec<TreeEntry> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let folder = spool.join(index.to_string());
        disk::make_folder(&folder).map_err(ImageErrorKind::write(&folder))?;
        let part = part_entries(source.archive, described, part, &folder).map_err(ImageErrorKind::Part)?;
        entries
            .extend(part.entries.into_iter().map(|entry| TreeEntry { path: source.prefix.join(&entry.path), ..entry }));
    }
    Ok(entries)
}

/// A layer in its place among the blobs.
pub(crate) struct FinishedLayer {
    pub content: String,
    pub descriptor: Descriptor,
    /// Digest of the tar in it, as configurations spell it.
    pub diff_id: String,
    pub digest: Digest,
}

/// Packs a group; folders on the way to its entries get entries, so that they are the same wherever the layer is unpacked.
pub(crate) fn finish(
    blobs: &Blobs,
    content: String,
    entries: Vec<TreeEntry>,
    how: (LayerCompression, u64),
    cache: &dyn PartCache,
) -> Result<FinishedLayer, ImageErrorKind> {
    let (compression, mtime) = how;
    let part = PartSource::identified(content.clone(), with_folders(entries));
    let place: PathBuf = blobs.folder().join("layer");
    let options = compression.options(mtime);
    let packed = archive::pack_beside(&place, &[part], &options, cache).map_err(ImageErrorKind::Pack)?;
    let (diff_id, _) = tar_digest(packed.path()).map_err(ImageErrorKind::Part)?;
    let digest = packed.packed().sha256;
    let size = packed.packed().size;
    packed.persist(&blobs.place(&digest)).map_err(ImageErrorKind::Pack)?;
    let descriptor = Descriptor::new(compression.media_type(), &digest, size);
    Ok(FinishedLayer { content, descriptor, diff_id: spelled(&diff_id), digest })
}

fn with_folders(entries: Vec<TreeEntry>) -> Vec<TreeEntry> {
    let mut folders = std::collections::BTreeSet::new();
    let mut rest = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut above = entry.path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            above = folder.parent();
            if !folders.insert(folder) {
                break;
            }
        }
        if entry.kind == archive::EntryKind::Directory {
            folders.insert(entry.path);
        } else {
            rest.push(entry);
        }
    }
    folders.into_iter().map(TreeEntry::directory).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(content: &str, size: u64) -> Part {
        let sha256 = Digest::of(content);
        Part { content: content.to_owned(), offset: 0, size, uncompressed_size: size, sha256, identity: None }
    }

    #[test]
    fn a_layer_is_the_interpreter_a_large_wheel_the_small_ones_or_what_comes_last() {
        let parts =
            [part("base", 9), part("a.whl", 5), part("big.whl", 2 << 20), part("b.whl", 7), part("metadata", 3 << 20)];
        let names: Vec<(String, usize)> = groups(&parts).into_iter().map(|(name, parts)| (name, parts.len())).collect();
        let expected = [("base", 1), ("big.whl", 1), ("small packages", 2), ("metadata", 1)];
        assert_eq!(names, expected.map(|(name, count)| (name.to_owned(), count)));
    }

    #[test]
    fn there_are_never_more_layers_than_can_be_stacked() {
        let many: Vec<Part> = (0..300).map(|index| part(&format!("w{index}.whl"), (2 << 20) + index / 3)).collect();
        let groups = groups(&many);
        assert!(groups.len() <= MOST_LAYERS, "{}", groups.len());
        assert_eq!(groups.iter().map(|(_, parts)| parts.len()).sum::<usize>(), 300);
    }
}
