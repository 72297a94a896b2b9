//! Any tree, packed and extracted, is the same tree; any bytes, read, are a tree or an error.

use std::collections::HashMap;
use std::fs;

use archive::{
    ExtractLimits, ExtractOptions, NoCache, PackErrorKind, PackOptions, PartSource, extract, pack, read_manifest,
};
use proptest::prelude::*;
use vocab::{ArtifactFormat, ContentDigests, DigestKinds, TreePath};

use testkit::trees::{self as common, Node, Tree, entries, options, read_tree, without_links};

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-c]{1,2}",
        1 => "[a-zA-Z0-9_ .+:é日-]{1,20}".prop_filter("a name of its own", |name| name != "." && name != ".."),
        1 => "[a-z]{90,130}",
        1 => "[é日]{40,60}",
    ]
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        1 => Just(Node::Directory),
        4 => (any::<bool>(), prop::collection::vec(any::<u8>(), 0..2000))
            .prop_map(|(executable, content)| Node::File { executable, content }),
        1 => name().prop_map(Node::Symlink),
        1 => Just(Node::Symlink("../x/y".to_owned())),
    ]
}

/// Parents are added and what lies below a file is left out, so most trees can be packed.
fn tree() -> impl Strategy<Value = Tree> {
    let path = prop::collection::vec(name(), 1..5).prop_map(|names| names.join("/"));
    prop::collection::btree_map(path, node(), 0..20).prop_map(|rows| {
        let mut tree = Tree::new();
        for (path, node) in rows {
            let parents: Vec<_> = path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect();
            // `a:` is a name in a folder and a drive at the top.
            let is_path = path.parse::<vocab::TreePath>().is_ok();
            if is_path && parents.iter().all(|parent| matches!(tree.get(parent), None | Some(Node::Directory))) {
                for parent in parents {
                    tree.insert(parent, Node::Directory);
                }
                tree.entry(path).or_insert(node);
            }
        }
        tree
    })
}

fn format() -> impl Strategy<Value = ArtifactFormat> {
    prop_oneof![
        Just(ArtifactFormat::TarZst),
        Just(ArtifactFormat::TarGz),
        Just(ArtifactFormat::Tar),
        Just(ArtifactFormat::Zip)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_tree_survives_packing_and_extracting(tree in tree(), format in format(), parts in 1..4_usize) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("archive");
        let all = entries(&tree);
        let size = all.len().div_ceil(parts).max(1);
        let parts: Vec<_> = all.chunks(size).map(|some| PartSource::new("part", some.to_vec())).collect();
        let packed = match pack(&target, &parts, &options(format), &NoCache) {
            Ok(packed) => packed,
            // Links that lead out, in circles or through each other; in a zip also to nothing, or around themselves.
            Err(error) => {
                prop_assert!(matches!(error.kind, PackErrorKind::Entry { .. }), "{error:?}");
                return Ok(());
            }
        };
        // A zip holds copies in place of links.
        let tree = if format == ArtifactFormat::Zip { without_links(&tree).unwrap() } else { tree };
        let extract_options =
            ExtractOptions { expected: Some(packed.sha256), digests: Some(DigestKinds::Both), ..ExtractOptions::default() };
        let place = folder.path().join("tree");
        let extracted = extract(&target, &place, &extract_options).unwrap();
        prop_assert_eq!(extracted.digests, digests_of(&tree));
        prop_assert_eq!(read_tree(&place), tree);
    }

    #[test]
    fn a_damaged_archive_is_an_error_or_a_tree_inside_its_folder(
        format in format(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("archive");
        let tree = Tree::from([
            ("a".to_owned(), Node::Directory),
            ("a/é".to_owned(), common::file("text")),
            ("l".to_owned(), Node::Symlink("a".to_owned())),
        ]);
        pack(&target, &[PartSource::new("p", entries(&tree))], &options(format), &NoCache).unwrap();
        let mut bytes = fs::read(&target).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        fs::write(&target, &bytes).unwrap();
        let limits = ExtractLimits { bytes: 1 << 20, ..ExtractLimits::default() };
        let _ = extract(&target, &folder.path().join("tree"), &ExtractOptions { limits, ..ExtractOptions::default() });
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
        prop_assert!(names.iter().all(|name| name == "archive" || name == "tree"), "{names:?}");
    }

    #[test]
    fn any_text_is_a_manifest_or_an_error(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read_manifest(text.as_bytes()).is_err());
        prop_assert!(read_manifest(&bytes).is_err());
    }
}

fn digests_of(tree: &Tree) -> HashMap<TreePath, ContentDigests> {
    let digest = |(path, node): (&String, &Node)| match node {
        Node::File { content, .. } => Some((path.parse().ok()?, ContentDigests::of(content, DigestKinds::Both))),
        Node::Directory | Node::Symlink(_) => None,
    };
    tree.iter().filter_map(digest).collect()
}

/// They arrive in chunks of a few MiB, several at a time.
#[test]
fn digests_of_long_files_are_of_all_their_pieces() {
    let noise = |seed: u32, length: u32| -> Vec<u8> {
        (0..length).map(|at| ((at ^ seed).wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    };
    let tree = Tree::from([
        ("a".to_owned(), common::file(noise(1, 9 << 20))),
        ("b".to_owned(), common::file("")),
        ("c".to_owned(), common::program(noise(2, 13 << 20))),
        ("d".to_owned(), common::file("text")),
        ("e".to_owned(), common::file(noise(3, 5 << 20))),
    ]);
    let folder = tempfile::tempdir().unwrap();
    for format in ArtifactFormat::ALL {
        let target = folder.path().join("archive");
        pack(&target, &[PartSource::new("p", entries(&tree))], &options(format), &NoCache).unwrap();
        for threads in [1, 4] {
            let place = folder.path().join(format!("{format:?}-{threads}"));
            let options = ExtractOptions { digests: Some(DigestKinds::Both), threads, ..ExtractOptions::default() };
            assert!(extract(&target, &place, &options).unwrap().digests == digests_of(&tree), "{format:?}");
            assert!(read_tree(&place) == tree, "{format:?}");
        }
        let place = folder.path().join(format!("{format:?}"));
        assert!(extract(&target, &place, &ExtractOptions::default()).unwrap().digests.is_empty());
    }
}

#[test]
fn an_archive_without_entries_is_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    for format in ArtifactFormat::ALL {
        let (target, place) = (folder.path().join("archive"), folder.path().join(format.extension()));
        pack(&target, &[], &PackOptions { format, ..PackOptions::default() }, &NoCache).unwrap();
        extract(&target, &place, &ExtractOptions::default()).unwrap();
        assert_eq!(read_tree(&place), Tree::new());
    }
}
