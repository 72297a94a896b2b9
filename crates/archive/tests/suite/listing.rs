//! What is in an archive, without extracting it: the same for every container.

use std::fs;

use archive::{ExtractOptions, ListingDepth, NoCache, PackOptions, PartSource, TreeEntry, check, extract, list, pack};
use vocab::{ArtifactFormat, Digest};

#[test]
fn an_archive_is_listed_and_checked_as_it_would_be_extracted_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    // No run of one byte: there a damaged match may still give the same bytes.
    let long: Vec<u8> = (0..9_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let entries = vec![
        TreeEntry::directory("empty".parse().unwrap()),
        TreeEntry::bytes("a/long.bin".parse().unwrap(), long.clone()),
        TreeEntry::bytes("a/short.txt".parse().unwrap(), *b"short"),
    ];
    for format in ArtifactFormat::ALL {
        let path = folder.path().join(format.extension());
        let options = PackOptions { format, level: 1, ..PackOptions::default() };
        pack(&path, &[PartSource::new("all", entries.clone())], &options, &NoCache).unwrap();
        let options = ExtractOptions::default();
        let files: Vec<_> = list(&path, ListingDepth::Digests, &options)
            .unwrap()
            .into_iter()
            .filter_map(|entry| Some((entry.path, entry.size, entry.sha256?)))
            .collect();
        let expected = [
            ("a/long.bin".to_owned(), long.len() as u64, Digest::of(&long)),
            ("a/short.txt".to_owned(), 5, Digest::of("short")),
        ];
        assert_eq!(files, expected, "{format:?}");
        assert!(list(&path, ListingDepth::Names, &options).unwrap().iter().all(|entry| entry.sha256.is_none()));

        let checked = check(&path, &options).unwrap();
        assert_eq!(checked, extract(&path, &folder.path().join("tree"), &options).unwrap(), "{format:?}");
        fs::remove_dir_all(folder.path().join("tree")).unwrap();

        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let refused = check(&path, &options).is_err();
        assert_eq!(refused, format != ArtifactFormat::Tar, "{format:?}: a tar has no checksums of content");
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "nothing but the archives is there: {names:?}");
}
