//! What is packed: the same bytes everywhere, readable by everyone.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests fail and speak like tests")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use archive::{
    EntryFault, ExtractOptions, FileContent, NoCache, PackErrorKind, PackOptions, PackedArchive, PartCache, PartSource,
    TreeEntry, extract, pack, read_seek_table, scan,
};
use vocab::{ArtifactFormat, Digest, Exit, Fault};

use testkit::trees::{Node, entries, file, options, read_tree, sample, write_tree};

const TARS: [ArtifactFormat; 3] = [ArtifactFormat::TarZst, ArtifactFormat::TarGz, ArtifactFormat::Tar];

/// Two parts, so that there is a border between parts.
fn parts(mut all: Vec<TreeEntry>) -> Vec<PartSource> {
    let programs = all.extract_if(.., |entry| entry.path.as_str().starts_with("bin")).collect();
    vec![PartSource::new("base", programs), PartSource::new("rest", all)]
}

#[test]
fn k1_the_bytes_depend_on_nothing_but_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    let tree = sample();
    for format in ArtifactFormat::ALL {
        let mut digests = Vec::new();
        for (round, threads) in [(0, 1), (1, 2), (2, 7)] {
            let root = folder.path().join(format!("{}-{round}", format.extension()));
            write_tree(&tree, &root);
            let mut all = scan(&root).unwrap();
            for entry in &all {
                let path = entry.path.below(&root);
                let metadata = fs::symlink_metadata(&path).unwrap();
                if metadata.is_file() {
                    // Other times, and the modes that another umask would have given.
                    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 * round + 1);
                    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
                    let mode = metadata.permissions().mode() & [0o755, 0o700, 0o777][round as usize];
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                }
            }
            if round == 1 {
                all.reverse();
            }
            let target = folder.path().join("target");
            let packed = pack(&target, &parts(all), &PackOptions { threads, ..options(format) }, &NoCache).unwrap();
            assert_eq!(Digest::of(fs::read(&target).unwrap()), packed.sha256);
            assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644);
            digests.push((packed.sha256, packed.parts));
        }
        let from_memory = pack(&folder.path().join("m"), &parts(entries(&tree)), &options(format), &NoCache).unwrap();
        assert!(digests.iter().all(|digest| *digest == (from_memory.sha256, from_memory.parts.clone())), "{format:?}");
    }
}

#[test]
fn k1_a_part_is_the_same_bytes_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.tar.zst");
    let a = PartSource::new("a", vec![TreeEntry::bytes("a".parse().unwrap(), *b"1")]);
    let b = PartSource::new("b", vec![TreeEntry::bytes("b".parse().unwrap(), *b"2")]);
    let one = pack(&target, &[a.clone(), b.clone()], &PackOptions::default(), &NoCache).unwrap();
    let other = pack(&target, &[b, a], &PackOptions::default(), &NoCache).unwrap();
    assert_eq!(one.parts[0].sha256, other.parts[1].sha256);
    assert_eq!(one.parts[1].sha256, other.parts[0].sha256);
    assert_ne!(one.sha256, other.sha256);
}

#[test]
fn every_part_can_be_cut_out_and_read_alone() {
    let folder = tempfile::tempdir().unwrap();
    for format in TARS {
        let target = folder.path().join("whole");
        let mut with_empty = parts(entries(&sample()));
        with_empty.insert(1, PartSource::new("empty", Vec::new()));
        let packed = pack(&target, &with_empty, &options(format), &NoCache).unwrap();
        let bytes = fs::read(&target).unwrap();
        assert_eq!(bytes.len() as u64, packed.size);
        let mut end = if format == ArtifactFormat::TarGz { GZIP_HEADER } else { 0 };
        for part in &packed.parts {
            assert_eq!(part.offset, end, "parts follow each other");
            end += part.size;
            let cut = &bytes[part.offset as usize..end as usize];
            assert_eq!(Digest::of(cut), part.sha256);
            let mut plain = Vec::new();
            match format {
                _ if cut.is_empty() => 0,
                ArtifactFormat::TarZst => zstd::Decoder::new(cut).unwrap().read_to_end(&mut plain).unwrap(),
                ArtifactFormat::TarGz => {
                    let ended = [cut, &EMPTY_LAST_BLOCK].concat();
                    flate2::read::DeflateDecoder::new(&*ended).read_to_end(&mut plain).unwrap()
                }
                _ => (&mut &*cut).read_to_end(&mut plain).unwrap(),
            };
            assert_eq!(plain.len() as u64, part.uncompressed_size);
        }
    }
}

/// uv, and whoever else reads the first member only, reads all of it.
#[test]
fn a_tar_gz_is_one_member_with_the_checksum_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FolderCache::new(folder.path().join("cache"));
    let (gz, tar) = (folder.path().join("a.tar.gz"), folder.path().join("a.tar"));
    let mut parts = parts(entries(&sample()));
    parts[1].identity = Some(Digest::of("the rest"));
    pack(&tar, &parts, &options(ArtifactFormat::Tar), &NoCache).unwrap();
    for reused in [0, 1] {
        let packed = pack(&gz, &parts, &options(ArtifactFormat::TarGz), &cache).unwrap();
        assert_eq!(packed.reused, reused);
        let bytes = fs::read(&gz).unwrap();
        let (mut rest, mut plain) = (&*bytes, Vec::new());
        // Compares CRC-32 and length.
        flate2::bufread::GzDecoder::new(&mut rest).read_to_end(&mut plain).unwrap();
        assert!(rest.is_empty(), "{} bytes behind the first member", rest.len());
        assert!(plain == fs::read(&tar).unwrap(), "the same tar as without compression");
    }
    let none = pack(&gz, &[], &options(ArtifactFormat::TarGz), &NoCache).unwrap();
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(File::open(&gz).unwrap()).read_to_end(&mut plain).unwrap();
    assert_eq!((plain, none.size), (vec![0; 1024], fs::metadata(&gz).unwrap().len()));
}

/// Parts of a `tar.gz` begin behind the header of its one member.
const GZIP_HEADER: u64 = 10;
/// Behind a part of a `tar.gz` it makes of it a whole deflate stream.
const EMPTY_LAST_BLOCK: [u8; 2] = [3, 0];

#[test]
fn the_seek_table_points_to_frames() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.tar.zst");
    let packed = pack(&target, &parts(entries(&sample())), &PackOptions::default(), &NoCache).unwrap();
    let mut file = File::open(&target).unwrap();
    let frames = read_seek_table(&mut file).unwrap().unwrap();
    // 20 MiB of noise are three frames; before and after come small files; then the end of the archive.
    assert_eq!(frames.len(), 1 + 1 + 3 + 1 + 1);
    file.seek(SeekFrom::Start(0)).unwrap();
    for frame in &frames {
        let mut bytes = vec![0; frame.packed as usize];
        file.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes[..4], [0x28, 0xB5, 0x2F, 0xFD]);
        assert_eq!(bytes[4] & 0b100, 0b100, "each frame has a checksum");
        assert_eq!(zstd::zstd_safe::get_frame_content_size(&bytes).unwrap(), Some(u64::from(frame.unpacked)));
        assert_eq!(zstd::decode_all(&*bytes).unwrap().len(), frame.unpacked as usize);
    }
    let all: u64 = packed.parts.iter().map(|part| part.uncompressed_size).sum();
    assert_eq!(frames.iter().map(|frame| u64::from(frame.unpacked)).sum::<u64>(), all + 1024);
}

/// Where `name` is on PATH; says so when it is not.
fn found(name: &str) -> bool {
    let there = Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("`{name}` is not on PATH: what it would read is not compared");
    }
    there
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{command:?}: {stderr}");
}

#[test]
fn other_programs_read_the_same_tree() {
    let folder = tempfile::tempdir().unwrap();
    let tree = sample();
    for format in TARS {
        let target = folder.path().join(format!("a.{}", format.extension()));
        pack(&target, &parts(entries(&tree)), &options(format), &NoCache).unwrap();
        let here = |name: &str| -> PathBuf {
            let place = folder.path().join(format!("{name}-{}", format.extension()));
            fs::create_dir(&place).unwrap();
            place
        };
        if found("tar") && (format != ArtifactFormat::TarZst || found("zstd")) {
            let place = here("tar");
            run(Command::new("tar").arg("-xf").arg(&target).arg("-C").arg(&place));
            assert!(read_tree(&place) == tree, "tar, {format:?}");
        }
        if found("bsdtar") {
            let place = here("bsdtar");
            run(Command::new("bsdtar").arg("-xf").arg(&target).arg("-C").arg(&place));
            assert!(read_tree(&place) == tree, "bsdtar, {format:?}");
        }
        if found("python3") && found("zstd") {
            let (place, mut plain) = (here("python"), target.clone());
            if format == ArtifactFormat::TarZst {
                plain = folder.path().join("plain.tar");
                run(Command::new("zstd").args(["-q", "-d", "-f"]).arg(&target).arg("-o").arg(&plain));
            }
            let code = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])";
            run(Command::new("python3").args(["-W", "ignore", "-c", code]).arg(&plain).arg(&place));
            assert!(read_tree(&place) == tree, "tarfile, {format:?}");
        }
    }
}

#[test]
fn archives_of_gnu_tar_are_read() {
    if !(found("tar") && found("zstd")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tree = sample();
    let root = folder.path().join("top");
    write_tree(&tree, &root);
    fs::hard_link(root.join("bin/python3"), root.join("bin/python3.12")).unwrap();
    for (index, arguments) in
        ["-c --format=gnu", "-cz --format=pax", "-c --zstd --format=posix", "-cz --format=gnu"].iter().enumerate()
    {
        let target = folder.path().join(format!("{index}.archive"));
        run(Command::new("tar")
            .args(arguments.split(' '))
            .arg("-f")
            .arg(&target)
            .arg("-C")
            .arg(folder.path())
            .arg("top"));
        let options = ExtractOptions { top_folder: archive::TopFolder::StripSingle, ..ExtractOptions::default() };
        let place = folder.path().join(format!("{index}"));
        let extracted = extract(&target, &place, &options).unwrap();
        assert_eq!(extracted.top_folder.as_deref(), Some("top"));
        assert!(read_tree(&place) == read_tree(&root), "{arguments}");
    }
}

#[test]
fn t9_executables_are_0755_in_the_archive_and_in_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.tar");
    pack(&target, &parts(entries(&sample())), &options(ArtifactFormat::Tar), &NoCache).unwrap();
    if found("tar") {
        let listing = Command::new("tar").arg("-tvf").arg(&target).env("TZ", "UTC").output().unwrap();
        let listing = String::from_utf8(listing.stdout).unwrap();
        for row in ["drwxr-xr-x 0/0 ", "-rwxr-xr-x 0/0 ", "-rw-r--r-- 0/0 ", "lrwxrwxrwx 0/0 "] {
            assert!(listing.lines().any(|line| line.starts_with(row)), "{row} in {listing}");
        }
        assert!(listing.lines().all(|line| line.contains("1980-01-01 00:00")), "{listing}");
    }
    let place = folder.path().join("tree");
    extract(&target, &place, &ExtractOptions::default()).unwrap();
    let modes =
        [("bin/python3", 0o755), ("lib/empty.py", 0o644), ("lib/large.bin", 0o644), ("bin", 0o755), (".", 0o755)];
    for (path, mode) in modes {
        let metadata = fs::metadata(place.join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{path}");
    }
    for path in ["bin/python3", "lib/large.bin", "bin"] {
        let time = fs::metadata(place.join(path)).unwrap().modified().unwrap();
        assert_eq!(time, SystemTime::UNIX_EPOCH + Duration::from_secs(archive::DEFAULT_MTIME), "{path}");
    }
}

/// A folder with one file for each key.
struct FolderCache {
    folder: PathBuf,
    asked: Mutex<HashMap<Digest, usize>>,
    stored: AtomicUsize,
}

impl FolderCache {
    fn new(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        Self { folder, asked: Mutex::default(), stored: AtomicUsize::new(0) }
    }
}

impl PartCache for FolderCache {
    fn get(&self, key: &Digest) -> Option<PathBuf> {
        *self.asked.lock().unwrap().entry(*key).or_default() += 1;
        let path = self.folder.join(key.to_string());
        path.exists().then_some(path)
    }

    fn put(&self, key: &Digest, part: &mut dyn Read) {
        self.stored.fetch_add(1, Ordering::Relaxed);
        std::io::copy(part, &mut File::create(self.folder.join(key.to_string())).unwrap()).unwrap();
    }
}

#[test]
fn a_cached_part_is_used_again_and_a_damaged_one_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FolderCache::new(folder.path().join("cache"));
    for format in TARS {
        cache.stored.store(0, Ordering::Relaxed);
        let mut parts = parts(entries(&sample()));
        let options = options(format);
        let target = folder.path().join("a");
        parts[1].identity = Some(Digest::of("what the part is made of"));
        let plain = pack(&target, &parts, &options, &NoCache).unwrap();
        let same =
            |packed: &PackedArchive| (packed.sha256, packed.parts.clone()) == (plain.sha256, plain.parts.clone());

        let first = pack(&target, &parts, &options, &cache).unwrap();
        assert!(same(&first) && first.reused == 0 && cache.stored.load(Ordering::Relaxed) == 1);
        let second = pack(&target, &parts, &options, &cache).unwrap();
        assert!(same(&second) && second.reused == 1 && cache.stored.load(Ordering::Relaxed) == 1);
        assert_eq!(Digest::of(fs::read(&target).unwrap()), plain.sha256);

        let key = archive::part_key(&parts[1].identity.unwrap(), &options);
        let path = cache.folder.join(key.to_string());
        let mut bytes = fs::read(&path).unwrap();
        bytes[1000] ^= 1;
        fs::write(&path, bytes).unwrap();
        let third = pack(&target, &parts, &options, &cache).unwrap();
        assert!(same(&third) && third.reused == 0 && cache.stored.load(Ordering::Relaxed) == 2);
    }
}

#[test]
fn attack_5_a_part_in_the_place_of_another_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache =
        FolderCache { folder: folder.path().join("cache"), asked: Mutex::default(), stored: AtomicUsize::new(0) };
    fs::create_dir(&cache.folder).unwrap();
    for format in ArtifactFormat::ALL {
        let options = options(format);
        let named = |content: &str| {
            let entry = TreeEntry::bytes("a".parse().unwrap(), content.as_bytes().to_vec());
            [PartSource { identity: Some(Digest::of(content)), ..PartSource::new("a", vec![entry]) }]
        };
        let place = |content: &str| cache.folder.join(archive::part_key(&Digest::of(content), &options).to_string());
        let target = folder.path().join("a");
        let genuine = pack(&target, &named("good"), &options, &cache).unwrap();
        pack(&target, &named("evil"), &options, &cache).unwrap();
        assert!(place("good").exists() && place("evil").exists());
        fs::copy(place("evil"), place("good")).unwrap();
        let again = pack(&target, &named("good"), &options, &cache).unwrap();
        assert_eq!((again.sha256, again.reused), (genuine.sha256, 0), "{format:?}");
    }
}

#[test]
fn attack_5_a_part_is_not_made_of_other_bytes_than_its_identity_says() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("file");
    // Short, and long enough for several frames and blocks; tampered with at the start, in the middle and at the end.
    for size in [20, 20 << 20] {
        let genuine = vec![7_u8; size];
        let known = || {
            let entry = TreeEntry::file("lib/file".parse().unwrap(), FileContent::Disk(place.clone()), false);
            let entry = TreeEntry { sha256: Some(Digest::of(&genuine)), ..entry };
            let other =
                TreeEntry { sha256: Some(Digest::of("1")), ..TreeEntry::bytes("lib/a".parse().unwrap(), *b"1") };
            [PartSource::identified("demo-1.0-py3-none-any.whl", vec![entry, other])]
        };
        for format in ArtifactFormat::ALL {
            let options = options(format);
            let cache = || FolderCache {
                folder: tempfile::tempdir_in(folder.path()).unwrap().keep(),
                asked: Mutex::default(),
                stored: AtomicUsize::new(0),
            };
            let (target, poisoned) = (folder.path().join("a"), cache());
            fs::write(&place, &genuine).unwrap();
            let expected = pack(&target, &known(), &options, &cache()).unwrap();
            for at in [0, size / 2, size - 1] {
                let mut evil = genuine.clone();
                evil[at] ^= 1;
                fs::write(&place, evil).unwrap();
                let packed = pack(&target, &known(), &options, &poisoned).map(|_| ());
                let cached = archive::cache_parts(folder.path(), &known(), &options, &poisoned);
                assert!(format == ArtifactFormat::Zip || cached.is_err());
                for error in [packed, cached].into_iter().filter_map(Result::err) {
                    assert_eq!(
                        (error.code(), error.exit()),
                        ("E_ARCHIVE_EXCHANGED", Exit::Trust),
                        "{format:?}, byte {at}"
                    );
                    let PackErrorKind::Exchanged { part, path } = &error.kind else { panic!("{error:?}") };
                    assert_eq!((part.as_str(), path.as_str()), ("demo-1.0-py3-none-any.whl", "lib/file"));
                    assert!(error.hint().unwrap().contains("builder store verify"));
                }
                assert_eq!(fs::read_dir(&poisoned.folder).unwrap().count(), 0, "nothing is cached");
            }
            fs::write(&place, &genuine).unwrap();
            let again = pack(&target, &known(), &options, &poisoned).unwrap();
            assert_eq!((again.sha256, again.reused), (expected.sha256, 0), "{format:?}");
        }
    }
    // Without all digests there is no identity, and so nothing is cached.
    let unknown = TreeEntry::bytes("a".parse().unwrap(), *b"1");
    assert_eq!(PartSource::identified("a", vec![unknown]).identity, None);
}

#[test]
fn parts_can_be_cached_without_an_archive_and_are_then_only_copied() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let cache = FolderCache::new(folder.path().join("cache"));
    for format in TARS {
        cache.stored.store(0, Ordering::Relaxed);
        let mut parts = parts(entries(&sample()));
        let options = options(format);
        let target = folder.path().join("a");
        let plain = pack(&target, &parts, &options, &NoCache).unwrap();

        archive::cache_parts(&out, &parts, &options, &cache).unwrap();
        assert_eq!(cache.stored.load(Ordering::Relaxed), 0, "{format:?}: a part without an identity has no key");

        parts[0].identity = Some(Digest::of("programs"));
        parts[1].identity = Some(Digest::of("the rest"));
        archive::cache_parts(&out, &parts[1..], &options, &cache).unwrap();
        archive::cache_parts(&out, &parts, &options, &cache).unwrap();
        assert_eq!(cache.stored.load(Ordering::Relaxed), 2, "{format:?}: each part once");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "{format:?}: nothing stays");

        let packed = pack(&target, &parts, &options, &cache).unwrap();
        assert_eq!((packed.reused, packed.sha256), (2, plain.sha256), "{format:?}");
    }
    let options = options(ArtifactFormat::Zip);
    cache.stored.store(0, Ordering::Relaxed);
    archive::cache_parts(&out, &parts(entries(&sample())), &options, &cache).unwrap();
    assert_eq!(cache.stored.load(Ordering::Relaxed), 0, "a zip is copied from wheels");
}

#[test]
fn a_key_changes_with_everything_that_changes_bytes() {
    let (one, other) = (Digest::of("1"), Digest::of("2"));
    let options = PackOptions::default();
    let keys = [
        archive::part_key(&one, &options),
        archive::part_key(&other, &options),
        archive::part_key(&one, &PackOptions { level: 4, ..options }),
        archive::part_key(&one, &PackOptions { mtime: 0, ..options }),
        archive::part_key(&one, &PackOptions { format: ArtifactFormat::TarGz, ..options }),
    ];
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
    assert_eq!(keys[0], archive::part_key(&one, &PackOptions { threads: 9, ..options }));
}

#[test]
fn what_could_not_be_extracted_is_not_packed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.tar.zst");
    let tree = |rows: &[(&str, Node)]| {
        let rows = rows.iter().map(|(path, node)| ((*path).to_owned(), node.clone()));
        entries(&rows.collect())
    };
    let fault = |parts: &[PartSource]| match pack(&target, parts, &PackOptions::default(), &NoCache).unwrap_err().kind {
        PackErrorKind::Entry { part, path, fault } => (part, path.to_string(), fault),
        other => panic!("{other}"),
    };
    let a = PartSource::new("a", tree(&[("x/y", file("1"))]));
    let twice = [a.clone(), PartSource::new("b", tree(&[("x/y", file("2"))]))];
    assert_eq!(fault(&twice), ("b".into(), "x/y".into(), EntryFault::Duplicate));
    let out = [a, PartSource::new("b", tree(&[("z/l", Node::Symlink("../../etc".into()))]))];
    assert_eq!(fault(&out), ("b".into(), "z/l".into(), EntryFault::LinkOut { target: "../../etc".into() }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_failed_pack_leaves_the_last_archive_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.tar.zst");
    fs::write(&target, "the last one").unwrap();
    let missing = archive::FileContent::Disk(folder.path().join("missing"));
    let part = PartSource::new("a", vec![TreeEntry::file("a".parse().unwrap(), missing, false)]);
    let error = pack(&target, &[part], &PackOptions::default(), &NoCache).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_ARCHIVE_READ", Exit::Build));
    assert_eq!(fs::read_to_string(&target).unwrap(), "the last one");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
