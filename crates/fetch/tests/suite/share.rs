//! Two trees that have unchanged files on disk once.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use archive::{ExtractOptions, extract};
use fetch::{FetchOutcome, FetchRequest, FetchTarget, RecordedDigests, ReuseMode};
use testkit::runtime::SITE;
use testkit::trees::read_tree;
use vocab::{ContentDigests, DigestKinds};

use super::fetch::Scene;

fn installed(scene: &Scene) -> PathBuf {
    let prefix = scene.path("prefix");
    extract(&scene.older, &prefix, &ExtractOptions::default()).unwrap();
    prefix
}

fn fetch(scene: &Scene, prefix: &Path, reuse: ReuseMode) -> FetchOutcome {
    let target = FetchTarget::Folder(scene.path("out/tree"));
    scene.fetch(&FetchRequest { older: vec![prefix.to_owned()], target, reuse, ..scene.request() }).unwrap()
}

/// Path and size of the files that both trees have under one number.
fn in_both(one: &Path, other: &Path) -> Vec<(String, u64)> {
    let inode = |path: &Path| fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|it| it.ino());
    let files = testkit::files_below(one).into_iter();
    let shared = files.filter(|path| inode(&one.join(path)).is_some_and(|it| inode(&other.join(path)) == Some(it)));
    shared.map(|path| (path.clone(), fs::metadata(one.join(&path)).unwrap().len())).collect()
}

#[test]
fn unchanged_files_are_one_file_of_both_trees_which_nobody_writes_to() {
    let scene = Scene::new();
    let prefix = installed(&scene);
    let fetched = fetch(&scene, &prefix, ReuseMode::Shared);
    let tree = scene.path("out/tree");
    let plain = scene.path("plain");
    extract(&scene.path("published/new.tar.zst"), &plain, &ExtractOptions::default()).unwrap();
    assert!(read_tree(&plain).keys().eq(read_tree(&tree).keys()));
    for path in testkit::files_below(&plain) {
        assert!(fs::read(plain.join(&path)).unwrap() == fs::read(tree.join(&path)).unwrap(), "{path}");
    }
    let shared = in_both(&prefix, &tree);
    // Where the file system clones, files have numbers of their own.
    let clones = shared.is_empty() && fetched.shared > 0;
    assert!(clones || fetched.shared == shared.iter().map(|(_, size)| size).sum::<u64>(), "{shared:?}");
    assert!(fetched.shared > 100_000, "{fetched:?}");
    for (path, _) in &shared {
        let mode = fs::metadata(tree.join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o222, 0, "{path} is writable");
        assert!(!path.ends_with("RECORD") && !path.starts_with("bin/demo"), "{path} is edited in place now and then");
    }
    // A file is replaced by one that was written beside it, as Python and pip do: the other tree keeps its own.
    let one = tree.join(format!("{SITE}/demo3/data.bin"));
    let before = fs::read(&one).unwrap();
    fs::write(tree.join("beside"), "new").unwrap();
    fs::rename(tree.join("beside"), &one).unwrap();
    assert!(fs::read(prefix.join(format!("{SITE}/demo3/data.bin"))).unwrap() == before);
    // Each tree can go.
    fs::remove_dir_all(&prefix).unwrap();
    assert!(
        fs::read(plain.join("lib/python3.12/os.py")).unwrap() == fs::read(tree.join("lib/python3.12/os.py")).unwrap()
    );
}

#[test]
fn the_digests_of_reused_files_are_given_and_a_tree_of_its_own_has_no_file_of_another() {
    let scene = Scene::new();
    let prefix = installed(&scene);
    let fetched = fetch(&scene, &prefix, ReuseMode::Own);
    let tree = scene.path("out/tree");
    assert_eq!(in_both(&prefix, &tree), []);
    assert!(!fetched.digests.is_empty());
    for (path, digest) in &fetched.digests {
        assert_eq!(*digest, digests_of(&path.below(&tree)), "{path}");
    }
}

fn digests_of(path: &Path) -> ContentDigests {
    ContentDigests::of(&fs::read(path).unwrap(), DigestKinds::Both)
}

/// The digests of all its files, as an installer records them.
fn recorded(prefix: &Path) -> RecordedDigests {
    let files = archive::scan(prefix).unwrap().into_iter();
    let files = files.filter(|it| matches!(it.kind, archive::EntryKind::File { .. }));
    files.map(|file| (file.path.clone(), digests_of(&file.path.below(prefix)))).collect()
}

#[test]
fn a_file_with_the_recorded_blake3_has_the_recorded_sha256_and_another_is_read_for_its_own() {
    let scene = Scene::new();
    let prefix = installed(&scene);
    let fetched_with = |recorded: RecordedDigests| {
        let target = FetchTarget::Folder(scene.path("out/tree"));
        let recorded = [(prefix.clone(), recorded)].into();
        let request = FetchRequest { older: vec![prefix.clone()], target, recorded, digests: true, ..scene.request() };
        let fetched = scene.fetch(&request).unwrap();
        let tree = scene.path("out/tree");
        for (path, digests) in &fetched.digests {
            assert_eq!(*digests, digests_of(&path.below(&tree)), "{path}");
        }
        fs::remove_dir_all(tree).unwrap();
        fetched.reused
    };
    let all = fetched_with(RecordedDigests::new());
    assert!(all > 0);
    assert_eq!(fetched_with(recorded(&prefix)), all);
    // What a record says of another content is of no use, and a SHA-256 that is not the artifact's leads to no part.
    let mut of_others = recorded(&prefix);
    of_others.values_mut().for_each(|digests| *digests = ContentDigests::of(b"other", DigestKinds::Both));
    assert_eq!(fetched_with(of_others), all);
    let mut wrong = recorded(&prefix);
    wrong.values_mut().for_each(|digests| digests.sha256 = Some(vocab::Digest::of("other")));
    assert_eq!(fetched_with(wrong), 0);
    // Same size and time, another content.
    let before = recorded(&prefix);
    let changed = prefix.join("lib/python3.12/os.py");
    let (time, size) = (fs::metadata(&changed).unwrap().modified().unwrap(), fs::read(&changed).unwrap().len());
    fs::write(&changed, vec![b'#'; size]).unwrap();
    fs::File::options().write(true).open(&changed).unwrap().set_modified(time).unwrap();
    assert_eq!(fetched_with(before), all - 1);
}

#[test]
fn all_digests_are_given_where_they_are_asked_for_whether_files_were_reused_or_extracted() {
    let scene = Scene::new();
    let prefix = installed(&scene);
    for older in [vec![], vec![prefix]] {
        let target = FetchTarget::Folder(scene.path("out/tree"));
        let fetched = scene.fetch(&FetchRequest { older, target, digests: true, ..scene.request() }).unwrap();
        let tree = scene.path("out/tree");
        let found = archive::scan(&tree).unwrap();
        let files: Vec<_> = found.iter().filter(|it| matches!(it.kind, archive::EntryKind::File { .. })).collect();
        assert_eq!(fetched.digests.len(), files.len());
        for file in files {
            let digests = digests_of(&file.path.below(&tree));
            assert_eq!(fetched.digests.get(&file.path), Some(&digests), "{}", file.path);
        }
        fs::remove_dir_all(tree).unwrap();
    }
}

#[test]
fn a_third_tree_shares_with_both_and_read_only_files_are_reused_as_any_other() {
    let scene = Scene::new();
    let prefix = installed(&scene);
    fetch(&scene, &prefix, ReuseMode::Shared);
    let second = scene.path("second");
    fs::rename(scene.path("out/tree"), &second).unwrap();
    let third = fetch(&scene, &second, ReuseMode::Shared);
    assert_eq!(third.parts - third.reused, 1, "the metadata alone");
    let own = scene.path("own");
    fs::rename(scene.path("out/tree"), &own).unwrap();
    fetch(&scene, &own, ReuseMode::Own);
    let mode = fs::metadata(scene.path("out/tree/lib/python3.12/os.py")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "a copy of a shared file can be written to");
}
