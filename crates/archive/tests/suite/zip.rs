//! Zips that are written here: read alike by every program, and made of other zips without unpacking.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests fail and speak like tests")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use archive::{
    EntryFault, ExtractOptions, FileContent, MemberFault, NoCache, PackErrorKind, PackOptions, PackedArchive,
    PartCache, PartSource, TreeEntry, ZipMember, ZipMethod, extract, pack, zip_members,
};
use vocab::{ArtifactFormat, Digest, Exit, Fault};

use testkit::trees::{
    self as common, Node, Tree, entries, file, noise, options, program, read_tree, sample, without_links,
};

fn zip_of(target: &Path, parts: &[PartSource]) -> PackedArchive {
    pack(target, parts, &options(ArtifactFormat::Zip), &NoCache).unwrap()
}

fn part(name: &str, tree: &Tree) -> PartSource {
    PartSource::new(name, entries(tree))
}

fn tree(rows: &[(&str, Node)]) -> Tree {
    rows.iter().map(|(path, node)| ((*path).to_owned(), node.clone())).collect()
}

fn link(target: &str) -> Node {
    Node::Symlink(target.to_owned())
}

/// Whether a program is here; says so when it is not.
fn found(name: &str, argument: &str) -> bool {
    let there = Command::new(name).arg(argument).output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: `{name}` is not on PATH, what it would read is not compared");
    }
    there
}

fn run(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// What `unzip`, `bsdtar` and Python make of a zip; the last knows no modes.
fn all_agree(zip: &Path, expected: &Tree) {
    let folder = tempfile::tempdir().unwrap();
    if found("unzip", "-v") {
        let place = folder.path().join("unzip");
        run(Command::new("unzip").arg("-tq").arg(zip));
        run(Command::new("unzip").arg("-q").arg(zip).arg("-d").arg(&place));
        assert!(read_tree(&place) == *expected, "unzip");
        let listing = run(Command::new("unzip").arg("-Z").arg(zip));
        assert!(listing.lines().any(|line| line.starts_with("-rwxr-xr-x  2.0 unx")), "{listing}");
        assert!(listing.contains(" 80-Jan-01 00:00 "), "{listing}");
    }
    if found("bsdtar", "--version") {
        let place = folder.path().join("bsdtar");
        fs::create_dir(&place).unwrap();
        run(Command::new("bsdtar").arg("-xf").arg(zip).arg("-C").arg(&place));
        assert!(read_tree(&place) == *expected, "bsdtar");
        // As a stream it sees the local headers alone.
        let listing = run(Command::new("sh").args(["-c", "cat \"$0\" | bsdtar -tf -"]).arg(zip));
        let files = expected.values().filter(|node| **node != Node::Directory).count();
        assert_eq!(listing.lines().filter(|line| !line.ends_with('/')).count(), files, "{listing}");
    }
    if found("python3", "--version") {
        let place = folder.path().join("python");
        let code = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; z.extractall(sys.argv[2])";
        run(Command::new("python3").args(["-c", code]).arg(zip).arg(&place));
        let without_modes = |tree: &Tree| -> Tree {
            let plain = |node: &Node| match node {
                Node::File { content, .. } => file(content),
                other => other.clone(),
            };
            tree.iter().map(|(path, node)| (path.clone(), plain(node))).collect()
        };
        assert!(without_modes(&read_tree(&place)) == without_modes(expected), "zipfile");
    }
}

#[test]
fn every_program_reads_the_same_tree() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.zip");
    let tree = sample();
    let (first, second): (Vec<_>, Vec<_>) =
        entries(&tree).into_iter().partition(|entry| entry.path.as_str().starts_with("bin"));
    zip_of(&target, &[PartSource::new("one", first), PartSource::new("two", second)]);
    let expected = without_links(&tree).unwrap();
    let place = folder.path().join("tree");
    extract(&target, &place, &ExtractOptions::default()).unwrap();
    assert!(read_tree(&place) == expected);
    all_agree(&target, &expected);
}

#[test]
fn zips_of_other_programs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut tree = sample();
    tree.insert("lib/text.txt".to_owned(), file("text ".repeat(1000)));
    let root = folder.path().join("root");
    common::write_tree(&tree, &root);
    let target = |name: &str| folder.path().join(format!("{name}.zip"));
    let read = |name: &str, expected: &Tree| {
        let place = folder.path().join(format!("tree-{name}"));
        extract(&target(name), &place, &ExtractOptions::default()).unwrap();
        assert!(read_tree(&place) == *expected, "{name}");
    };
    if found("bsdtar", "--version") {
        run(Command::new("bsdtar").args(["--format=zip", "-cf"]).arg(target("bsdtar")).arg("-C").arg(&root).arg("."));
        read("bsdtar", &tree);
    }
    if found("zip", "-v") {
        run(Command::new("zip").args(["-qry"]).arg(target("zip")).arg(".").current_dir(&root));
        read("zip", &tree);
    }
    if found("python3", "--version") {
        let code = "import sys, shutil; shutil.make_archive(sys.argv[1], 'zip', sys.argv[2])";
        run(Command::new("python3").args(["-c", code]).arg(target("python").with_extension("")).arg(&root));
        // It follows links to files and to folders alike.
        let place = folder.path().join("tree-python");
        extract(&target("python"), &place, &ExtractOptions::default()).unwrap();
        assert!(read_tree(&place)["bin/python"] == tree["bin/python3"]);
        // To a pipe it writes sizes behind the data.
        let code = "import sys, zipfile; z = zipfile.ZipFile(sys.stdout.buffer, 'w', 8); z.writestr('a/é', 'x' * 5000); z.close()";
        let piped = Command::new("python3").args(["-c", code]).output().unwrap();
        fs::write(target("piped"), piped.stdout).unwrap();
        read("piped", &self::tree(&[("a", Node::Directory), ("a/é", file("x".repeat(5000)))]));
    }
}

/// A wheel of the sample's files, made by our own writer.
fn wheel(folder: &Path) -> (PathBuf, Tree) {
    let mut tree = without_links(&sample()).unwrap();
    tree.retain(|_, node| *node != Node::Directory);
    tree.insert("pkg/code.py".to_owned(), program("print('hello')\n".repeat(500)));
    tree.insert("pkg/long.txt".to_owned(), file("0123456789abcdef".repeat(1 << 20)));
    let path = folder.join("pkg-1.0-py3-none-any.whl");
    zip_of(&path, &[part("all", &tree)]);
    (path, tree)
}

fn zipped(wheel: &Path, tree: &Tree) -> Vec<TreeEntry> {
    let archive: Arc<Path> = wheel.into();
    let members = zip_members(wheel).unwrap();
    let entry = |(name, member): (String, ZipMember)| {
        let executable = matches!(tree[&name], Node::File { executable: true, .. });
        let content = FileContent::Zipped { archive: Arc::clone(&archive), member };
        TreeEntry::file(format!("lib/site-packages/{name}").parse().unwrap(), content, executable)
    };
    members.into_iter().map(entry).collect()
}

#[test]
fn members_of_a_wheel_are_copied_as_they_are_compressed_there() {
    let folder = tempfile::tempdir().unwrap();
    let (wheel, tree) = wheel(folder.path());
    let target = folder.path().join("a.zip");
    let mut all = zipped(&wheel, &tree);
    all.push(TreeEntry::bytes("lib/site-packages/pkg.dist-info/INSTALLER".parse().unwrap(), *b"pydist"));
    let packed = zip_of(&target, &[PartSource::new("wheel", all)]);
    let (before, after) = (fs::read(&wheel).unwrap(), fs::read(&target).unwrap());
    let copies = zip_members(&target).unwrap();
    let members = zip_members(&wheel).unwrap();
    assert_eq!(copies.len(), members.len() + 1);
    for (name, member) in &members {
        let copy = copies[&format!("lib/site-packages/{name}")];
        assert_eq!(ZipMember { offset: member.offset, ..copy }, *member, "{name}");
        let bytes = |file: &[u8], member: &ZipMember| file[member.offset as usize..][..member.packed as usize].to_vec();
        assert!(bytes(&before, member) == bytes(&after, &copy), "{name}");
    }
    assert_eq!(members["lib/large.bin"].method, ZipMethod::Stored, "noise is not deflated");
    assert_eq!(members["pkg/long.txt"].method, ZipMethod::Deflated);
    let content: u64 = copies.values().map(|member| member.size).sum();
    assert_eq!(packed.parts[0].uncompressed_size, content);

    let place = folder.path().join("tree");
    extract(&target, &place, &ExtractOptions::default()).unwrap();
    let extracted = read_tree(&place);
    for (name, node) in &tree {
        assert!(extracted[&format!("lib/site-packages/{name}")] == *node, "{name}");
    }
    all_agree(&target, &extracted);
}

#[test]
fn a_tar_made_of_a_wheel_is_the_tar_made_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let (wheel, tree) = wheel(folder.path());
    let files: Tree = tree.iter().map(|(name, node)| (format!("lib/site-packages/{name}"), node.clone())).collect();
    for format in [ArtifactFormat::TarZst, ArtifactFormat::TarGz, ArtifactFormat::Tar] {
        for threads in [1, 4] {
            let options = PackOptions { threads, ..options(format) };
            let pack = |entries| pack(&folder.path().join("a"), &[PartSource::new("p", entries)], &options, &NoCache);
            assert_eq!(pack(zipped(&wheel, &tree)).unwrap(), pack(entries(&files)).unwrap(), "{format:?}");
        }
    }
    for entry in zipped(&wheel, &tree) {
        let archive::EntryKind::File { content, .. } = &entry.kind else { panic!("{entry:?}") };
        let Node::File { content: expected, .. } = &files[entry.path.as_str()] else { panic!("{entry:?}") };
        assert_eq!((content.size().unwrap(), content.digest().unwrap()), (expected.len() as u64, Digest::of(expected)));
    }
}

#[test]
fn a_wheel_that_is_damaged_is_noticed_where_it_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let (wheel, tree) = wheel(folder.path());
    let target = folder.path().join("a.tar");
    let members = zip_members(&wheel).unwrap();
    let good = fs::read(&wheel).unwrap();
    for name in ["lib/large.bin", "pkg/code.py", "pkg/long.txt"] {
        let all = zipped(&wheel, &tree);
        let mut bytes = good.clone();
        let member = members[name];
        bytes[(member.offset + member.packed / 2) as usize] ^= 0x10;
        fs::write(&wheel, &bytes).unwrap();
        let error = pack(&target, &[PartSource::new("p", all)], &options(ArtifactFormat::Tar), &NoCache).unwrap_err();
        assert_eq!((error.code(), error.exit()), ("E_ARCHIVE_CORRUPT", Exit::Build), "{error:?}");
        let PackErrorKind::Damaged { path, offset, fault } = &error.kind else { panic!("{error:?}") };
        assert_eq!((path.as_path(), *offset), (wheel.as_path(), member.offset));
        assert!(
            matches!(
                fault,
                MemberFault::Crc { .. }
                    | MemberFault::Stream
                    | MemberFault::Shorter { .. }
                    | MemberFault::Longer { .. }
                    | MemberFault::Trailing
            ),
            "{fault}"
        );
        fs::write(&wheel, &good).unwrap();
    }
    // Cut off after it was listed.
    let all = zipped(&wheel, &tree);
    fs::write(&wheel, &good[..good.len() / 2]).unwrap();
    for format in [ArtifactFormat::Zip, ArtifactFormat::Tar] {
        let parts = [PartSource::new("p", all.clone())];
        let error = pack(&target, &parts, &options(format), &NoCache).unwrap_err();
        assert!(matches!(&error.kind, PackErrorKind::Read { path, .. } if *path == wheel), "{error:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left but the wheel");
}

#[test]
fn more_entries_than_65535_are_read_by_all() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.zip");
    let all = (0..70_000).map(|number| TreeEntry::bytes(format!("{}/{number}", number / 1000).parse().unwrap(), *b""));
    zip_of(&target, &[PartSource::new("many", all.collect())]);
    assert_eq!(zip_members(&target).unwrap().len(), 70_000);
    if found("python3", "--version") {
        let code = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))";
        assert_eq!(run(Command::new("python3").args(["-c", code]).arg(&target)).trim(), "70000");
    }
    if found("unzip", "-v") {
        assert!(run(Command::new("unzip").args(["-Zt"]).arg(&target)).starts_with("70000 files"));
    }
    if found("bsdtar", "--version") {
        assert_eq!(run(Command::new("bsdtar").arg("-tf").arg(&target)).lines().count(), 70_000);
    }
}

#[test]
fn links_that_have_no_copy_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.zip");
    let looped = |target: &str| EntryFault::LinkLoop { target: target.into() };
    let cases = [
        // (tree, the link that is refused, why)
        (tree(&[("l", link("nothing"))]), "l", EntryFault::LinkDangling { target: "nothing".into() }),
        (tree(&[("a/x", file("1")), ("a/l", link("."))]), "a/l", looped(".")),
        (tree(&[("a", link("b/c")), ("b/c/d", link("../../a"))]), "a", looped("../../a")),
        (tree(&[("a/l", link("../b")), ("b/m", link("../a"))]), "a/l", looped("../b")),
        (
            tree(&[("l", link(&"d/".repeat(30))), ("d/x", file("1"))]),
            "l",
            EntryFault::LinkDangling { target: "d/".repeat(30) },
        ),
        (
            tree(&[("a/b/c/l", link("../../../d")), (&("d/".repeat(30) + "x"), file("1"))]),
            "a/b/c/l",
            EntryFault::TooDeep,
        ),
    ];
    for (tree, path, fault) in cases {
        let error = pack(&target, &[part("p", &tree)], &options(ArtifactFormat::Zip), &NoCache).unwrap_err();
        match error.kind {
            PackErrorKind::Entry { path: told, fault: why, .. } => assert_eq!((told.as_str(), why), (path, fault)),
            other => panic!("{path}: {other}"),
        }
    }
    // Each folder holds the one before it twice.
    let mut many = tree(&[("d0/x", file("1"))]);
    for level in 1..25 {
        for twin in ["a", "b"] {
            many.insert(format!("d{level}/{twin}"), link(&format!("../d{}", level - 1)));
        }
    }
    let error = pack(&target, &[part("p", &many)], &options(ArtifactFormat::Zip), &NoCache).unwrap_err();
    assert_eq!(error.code(), "E_ARCHIVE_LIMIT");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

/// A folder with one file for each key.
struct FolderCache {
    folder: tempfile::TempDir,
    kept: Mutex<HashMap<Digest, PathBuf>>,
}

impl PartCache for FolderCache {
    fn get(&self, key: &Digest) -> Option<PathBuf> {
        self.kept.lock().unwrap().get(key).cloned()
    }

    fn put(&self, key: &Digest, part: &mut dyn Read) {
        let path = self.folder.path().join(key.to_string());
        std::io::copy(part, &mut File::create(&path).unwrap()).unwrap();
        self.kept.lock().unwrap().insert(*key, path);
    }
}

#[test]
fn a_part_is_cached_where_nothing_in_it_depends_on_other_parts() {
    let folder = tempfile::tempdir().unwrap();
    let (wheel, contents) = wheel(folder.path());
    let target = folder.path().join("a.zip");
    let known = |name: &str, entries| PartSource { identity: Some(Digest::of(name)), ..PartSource::new(name, entries) };
    let base = tree(&[("bin/python3", program(noise(9 << 20))), ("bin/python", link("python3")), ("bin/x", link("."))]);
    let mut own = base.clone();
    own.remove("bin/x");
    let cases = [
        // (parts, how many of them come from the cache the second time)
        (vec![known("own", entries(&own))], 1),
        (vec![known("copied", zipped(&wheel, &contents))], 0),
        (
            vec![
                known("one", entries(&tree(&[("a/x", file("1"))]))),
                known("two", entries(&tree(&[("l", link("a"))]))),
            ],
            1,
        ),
        (vec![known("links", entries(&tree(&[("l", link("a")), ("a/x", file("1"))])))], 1),
    ];
    for (parts, reused) in cases {
        let cache = FolderCache { folder: tempfile::tempdir().unwrap(), kept: Mutex::default() };
        let first = pack(&target, &parts, &options(ArtifactFormat::Zip), &cache).unwrap();
        let second = pack(&target, &parts, &options(ArtifactFormat::Zip), &cache).unwrap();
        assert_eq!((first.reused, second.reused), (0, reused), "{}", parts[0].name);
        assert_eq!((first.sha256, &first.parts), (second.sha256, &second.parts));
        assert_eq!(Digest::of(fs::read(&target).unwrap()), second.sha256);
        extract(&target, &folder.path().join(&parts[0].name), &ExtractOptions::default()).unwrap();
        for path in cache.kept.lock().unwrap().values() {
            let mut bytes = fs::read(path).unwrap();
            bytes[20] ^= 1;
            fs::write(path, bytes).unwrap();
        }
        let third = pack(&target, &parts, &options(ArtifactFormat::Zip), &cache).unwrap();
        assert_eq!((third.reused, third.sha256), (0, first.sha256), "a damaged part is made anew");
    }
    // The same entries, but the link leads elsewhere by way of another part.
    let cache = FolderCache { folder: tempfile::tempdir().unwrap(), kept: Mutex::default() };
    let part = || known("p", entries(&tree(&[("x/f", file("1")), ("y/f", file("2")), ("l", link("way/f"))])));
    let by_way_of = |target: &str| known(target, entries(&tree(&[("way", link(target))])));
    for (way, content) in [("x", "1"), ("y", "2"), ("x", "1")] {
        pack(&target, &[part(), by_way_of(way)], &options(ArtifactFormat::Zip), &cache).unwrap();
        let place = folder.path().join("way");
        extract(&target, &place, &ExtractOptions::default()).unwrap();
        assert_eq!(fs::read_to_string(place.join("l")).unwrap(), content, "by way of {way}");
        fs::remove_dir_all(&place).unwrap();
    }
}

/// Keeps digests and nothing else.
#[derive(Default)]
struct DigestCache(Mutex<HashMap<Digest, Digest>>);

impl PartCache for DigestCache {
    fn get(&self, _: &Digest) -> Option<PathBuf> {
        None
    }

    fn put(&self, _: &Digest, _: &mut dyn Read) {}

    fn get_digest(&self, key: &Digest) -> Option<Digest> {
        self.0.lock().unwrap().get(key).copied()
    }

    fn put_digest(&self, key: &Digest, sha256: &Digest) {
        assert_eq!(self.0.lock().unwrap().insert(*key, *sha256), None, "it was known");
    }
}

#[test]
fn the_digest_of_a_part_that_is_copied_is_taken_once_for_each_archive_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let (wheel, contents) = wheel(folder.path());
    let target = folder.path().join("a.zip");
    let cache = DigestCache::default();
    // The same members, and a comment.
    let other = folder.path().join("other.whl");
    let mut bytes = fs::read(&wheel).unwrap();
    *bytes.iter_mut().nth_back(1).unwrap() = 1;
    bytes.push(b'!');
    fs::write(&other, bytes).unwrap();
    let copied = |from: &Path| PartSource {
        identity: Some(Digest::of("copied")),
        copied_from: Some(Digest::of(fs::read(from).unwrap())),
        ..PartSource::new("copied", zipped(from, &contents))
    };
    let own = PartSource {
        copied_from: Some(Digest::of("a")),
        ..PartSource::new("own", entries(&tree(&[("own/x", file("1"))])))
    };
    let nameless = PartSource { identity: None, ..copied(&wheel) };
    for (parts, known) in [
        // (parts, digests that are known afterwards)
        (vec![nameless], 0),
        (vec![copied(&wheel), own.clone()], 1),
        (vec![copied(&wheel), own.clone()], 1),
        (vec![own, copied(&other)], 2),
    ] {
        let packed = pack(&target, &parts, &options(ArtifactFormat::Zip), &cache).unwrap();
        assert_eq!(packed.parts, zip_of(&target, &parts).parts, "what is remembered is what would be taken");
        assert_eq!(cache.0.lock().unwrap().len(), known);
    }
}

#[test]
fn attack_5_a_wheel_that_was_exchanged_is_not_copied_from() {
    let folder = tempfile::tempdir().unwrap();
    let (wheel, contents) = wheel(folder.path());
    let copied = || PartSource {
        identity: Some(Digest::of("copied")),
        copied_from: Some(Digest::of("genuine")),
        ..PartSource::new("pkg.whl", zipped(&wheel, &contents))
    };
    let cache = DigestCache::default();
    let target = folder.path().join("a.zip");
    let error = pack(&target, &[copied()], &options(ArtifactFormat::Zip), &cache).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_ARCHIVE_EXCHANGED", Exit::Trust));
    let PackErrorKind::ExchangedArchive { part, path } = &error.kind else { panic!("{error:?}") };
    assert_eq!((part.as_str(), path), ("pkg.whl", &wheel));
    assert!(cache.0.lock().unwrap().is_empty() && !target.exists());
}

#[test]
fn every_part_of_a_zip_can_be_found_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.zip");
    let (one, two) = (part("one", &tree(&[("a", file("1"))])), part("two", &tree(&[("b", file("2".repeat(3000)))])));
    let packed = zip_of(&target, &[one.clone(), PartSource::new("empty", Vec::new()), two.clone()]);
    let bytes = fs::read(&target).unwrap();
    let mut end = 0;
    for part in &packed.parts {
        assert_eq!(part.offset, end, "parts follow each other");
        end += part.size;
        assert_eq!(Digest::of(&bytes[part.offset as usize..end as usize]), part.sha256);
    }
    assert!(bytes[end as usize..].starts_with(b"PK\x01\x02"), "then comes the central directory");
    assert_eq!(packed.parts.iter().map(|part| part.uncompressed_size).collect::<Vec<_>>(), [1, 0, 3000]);
    let other = zip_of(&target, &[two, one]);
    assert_eq!(packed.parts[0].sha256, other.parts[1].sha256, "wherever it stands");
    assert_eq!(packed.parts[2].sha256, other.parts[0].sha256);
}
