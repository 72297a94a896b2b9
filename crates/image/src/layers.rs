//! Which parts make a layer, and how they become one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive::{PackOptions, PartCache, PartSource, TreeEntry, part_entries, tar_digest};
use vocab::{Artifact, ArtifactFormat, Digest, Manifest, Part, PartKind, TreePath};

use crate::blobs::Blobs;
use crate::error::ImageErrorKind;
use crate::oci::{Descriptor, spelled};

/// At most so many layers hold a runtime. Overlay file systems stack 128 at most, and bases and what comes on top need some.
pub const MOST_LAYERS: usize = 64;

/// At most so many hold packages that an image adds to its runtime.
pub const MOST_PACKAGE_LAYERS: usize = 32;

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
    /// The name of a part that changes as often as what comes last, and so belongs to that layer.
    pub last: Option<&'a str>,
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
/// last what is different in every build, with the part that is named for it. Names and sizes alone decide, so that two runtimes
/// share whatever they can.
pub(crate) fn groups<'a>(parts: &'a [Part], last: Option<&str>) -> Vec<(String, Vec<&'a Part>)> {
    let ours = |part: &&Part| part.kind() >= PartKind::CopiedFiles || last == Some(part.content.as_str());
    let (last, rest): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(ours);
    let (base, wheels): (Vec<&Part>, Vec<&Part>) = rest.into_iter().partition(|part| part.kind() == PartKind::Base);
    // The interpreter, small wheels and what comes last have a layer each.
    let least = least_of_own_layer(wheels.iter().map(|part| part.size), MOST_LAYERS - 3);
    let (large, small): (Vec<&Part>, Vec<&Part>) = wheels.into_iter().partition(|part| part.size >= least);
    let mut groups = vec![(PartKind::BASE.to_owned(), base)];
    groups.extend(large.into_iter().map(|part| (part.content.clone(), vec![part])));
    groups.push(("small packages".to_owned(), small));
    groups.push((PartKind::METADATA.to_owned(), last));
    groups.retain(|(_, parts)| !parts.is_empty());
    groups
}

/// The size from which a part has a layer of its own, so that at most so many have one.
fn least_of_own_layer(sizes: impl Iterator<Item = u64>, most: usize) -> u64 {
    let mut sizes: Vec<u64> = sizes.filter(|size| *size >= OWN_LAYER).collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    sizes.get(most).map_or(OWN_LAYER, |size| size + 1)
}

/// Packages that an image adds to its runtime → its layers, by the rule for the runtime's own: large ones each alone, small
/// ones together. Each comes with its size as it is packed, in bytes.
pub fn package_layers(packages: Vec<(PartSource, u64)>) -> Vec<PartSource> {
    let least = least_of_own_layer(packages.iter().map(|(_, size)| *size), MOST_PACKAGE_LAYERS - 1);
    let (mut layers, mut small) = (Vec::new(), BTreeMap::new());
    for (package, size) in packages {
        if size >= least {
            layers.push(package);
        } else {
            // What two of them share is one entry.
            small.extend(package.entries.into_iter().map(|entry| (entry.path.clone(), entry)));
        }
    }
    if !small.is_empty() {
        layers.push(PartSource::new("small packages of the image", small.into_values().collect()));
    }
    layers
}

/// What hides a file or folder of the layers below (a whiteout, as OCI's layers spell it).
pub fn whiteout(path: &TreePath) -> Option<TreeEntry> {
    let name: TreePath = format!(".wh.{}", path.file_name()).parse().ok()?;
    Some(TreeEntry::bytes(path.parent()?.join(&name), *b""))
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
        let of = |last| -> Vec<(String, usize)> {
            groups(&parts, last).into_iter().map(|(name, parts)| (name, parts.len())).collect()
        };
        let expected = |small, last| {
            [("base", 1), ("big.whl", 1), ("small packages", small), ("metadata", last)]
                .map(|(name, count)| (name.to_owned(), count))
        };
        assert_eq!(of(None), expected(2, 1));
        assert_eq!(of(Some("b.whl")), expected(1, 2));
    }

    #[test]
    fn packages_of_an_image_have_layers_by_the_same_rule() {
        let package = |name: &str, size: u64, paths: &[&str]| {
            let entries = paths.iter().map(|path| TreeEntry::bytes(path.parse().unwrap(), *b"")).collect();
            (PartSource::new(name, entries), size)
        };
        let mut packages = vec![
            package("a.whl", 5, &["x/z", "x/shared"]),
            package("big.whl", 2 << 20, &["b"]),
            package("c.whl", 7, &["a", "x/shared"]),
        ];
        let layers = |packages: &[(PartSource, u64)]| -> Vec<(String, String)> {
            let paths = |layer: &PartSource| {
                layer.entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>().join(" ")
            };
            package_layers(packages.to_vec()).iter().map(|layer| (layer.name.clone(), paths(layer))).collect()
        };
        let expected = [("big.whl", "b"), ("small packages of the image", "a x/shared x/z")];
        assert_eq!(layers(&packages), expected.map(|(name, paths)| (name.to_owned(), paths.to_owned())));
        packages.extend((0..100).map(|index| package(&format!("w{index}.whl"), (3 << 20) + index, &["w"])));
        assert_eq!(layers(&packages).len(), MOST_PACKAGE_LAYERS);
        assert_eq!(package_layers(Vec::new()), []);
    }

    #[test]
    fn a_whiteout_stands_beside_what_it_hides() {
        let hidden = whiteout(&"opt/lib/six.py".parse().unwrap()).unwrap();
        assert_eq!(hidden.path.as_str(), "opt/lib/.wh.six.py");
        assert_eq!(whiteout(&TreePath::default()), None);
    }

    #[test]
    fn there_are_never_more_layers_than_can_be_stacked() {
        let many: Vec<Part> = (0..300).map(|index| part(&format!("w{index}.whl"), (2 << 20) + index / 3)).collect();
        let groups = groups(&many, None);
        assert!(groups.len() <= MOST_LAYERS, "{}", groups.len());
        assert_eq!(groups.iter().map(|(_, parts)| parts.len()).sum::<usize>(), 300);
    }
}
