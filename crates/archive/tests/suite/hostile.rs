//! Archives made to do harm, written block by block, and what each is refused for.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use archive::{
    EntryFault, ExtractError, ExtractErrorKind, ExtractLimits, ExtractOptions, LinkHandling, NameRules, NoCache,
    PartSource, TopFolder, extract, pack,
};
use vocab::{ArtifactFormat, ContentDigests, Digest, DigestKinds, Exit, Fault};

use testkit::trees::{entries, options, sample};

/// One entry, its header without any of the care that the packer takes.
#[derive(Clone)]
struct Raw {
    name: Vec<u8>,
    kind: u8,
    link: String,
    content: Vec<u8>,
}

fn raw(name: impl AsRef<[u8]>, kind: u8, link: &str) -> Raw {
    Raw { name: name.as_ref().to_vec(), kind, link: link.to_owned(), content: Vec::new() }
}

fn file(name: impl AsRef<[u8]>) -> Raw {
    Raw { content: b"content".to_vec(), ..raw(name, b'0', "") }
}

/// A pax or GNU header with `content` for the entry that follows.
fn extension(kind: u8, content: impl AsRef<[u8]>) -> Raw {
    Raw { content: content.as_ref().to_vec(), ..raw("extension", kind, "") }
}

impl Raw {
    fn blocks(&self) -> Vec<u8> {
        let mut block = vec![0; 512];
        block[..self.name.len()].copy_from_slice(&self.name);
        block[100..107].copy_from_slice(b"0004755"); // set-user-id, which is never kept
        block[124..135].copy_from_slice(format!("{:011o}", self.content.len()).as_bytes());
        block[136..147].copy_from_slice(b"00000000001");
        block[148..156].copy_from_slice(b"        ");
        block[156] = self.kind;
        block[157..157 + self.link.len()].copy_from_slice(self.link.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block.extend(&self.content);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }
}

fn tar(rows: &[Raw]) -> Vec<u8> {
    let mut bytes: Vec<u8> = rows.iter().flat_map(Raw::blocks).collect();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// The archive in each form that is read: as it is, in gzip, in zstd, and in zstd with a seek table of many frames.
fn wrapped(tar: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(tar).unwrap();
    let (mut seekable, mut rows) = (Vec::new(), Vec::new());
    for chunk in tar.chunks(700) {
        let frame = zstd::encode_all(chunk, 1).unwrap();
        rows.extend((frame.len() as u32).to_le_bytes());
        rows.extend((chunk.len() as u32).to_le_bytes());
        seekable.extend(frame);
    }
    seekable.extend(0x184D_2A5E_u32.to_le_bytes());
    seekable.extend((rows.len() as u32 + 9).to_le_bytes());
    let count = rows.len() as u32 / 8;
    seekable.extend(rows);
    seekable.extend(count.to_le_bytes());
    seekable.push(0);
    seekable.extend(0x8F92_EAB1_u32.to_le_bytes());
    vec![
        ("tar", tar.to_vec()),
        ("tar.gz", gzip.finish().unwrap()),
        ("tar.zst", zstd::encode_all(tar, 1).unwrap()),
        ("seekable", seekable),
    ]
}

/// A folder that holds the archive and nothing else, before and after.
struct Arena {
    folder: tempfile::TempDir,
}

impl Arena {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("archive"), bytes).unwrap();
        Self { folder }
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("a/b/target")
    }

    fn refused(&self, options: &ExtractOptions<'_>) -> ExtractError {
        let error = extract(&self.archive(), &self.target(), options).expect_err("it must be refused");
        let rest = fs::read_dir(self.target().parent().unwrap()).map_or(0, Iterator::count);
        assert_eq!(rest, 0, "nothing is left where it was to go");
        let mut names: Vec<_> =
            fs::read_dir(self.folder.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
        names.retain(|name| name != "archive" && name != "a");
        assert!(names.is_empty(), "nothing is left elsewhere: {names:?}");
        error
    }
}

fn plain() -> ExtractOptions<'static> {
    ExtractOptions { names: NameRules::CaseSensitive, ..ExtractOptions::default() }
}

#[test]
fn t2_every_hostile_archive_is_refused_and_leaves_nothing() {
    use EntryFault as F;
    let out = |target: &str| F::LinkOut { target: target.into() };
    let hard = |target: &str| F::HardLink { target: target.into() };
    let cases: Vec<(Vec<Raw>, &str, EntryFault)> = vec![
        // (entries, the one that is refused, why)
        (vec![file("../x")], "../x", F::Parent),
        (vec![file("a/../../x")], "a/../../x", F::Parent),
        (vec![raw("..", b'5', "")], "..", F::Parent),
        (vec![file("/tmp/x")], "/tmp/x", F::Absolute),
        (vec![file("\\\\host\\share\\x")], "\\\\host\\share\\x", F::Absolute),
        (vec![file("C:/x")], "C:/x", F::Drive),
        (vec![file("c:x")], "c:x", F::Drive),
        (vec![file("./c:x")], "./c:x", F::Drive),
        (vec![file("a\\..\\..\\x")], "a\\..\\..\\x", F::Backslash),
        (vec![file("a//b")], "a//b", F::EmptyComponent),
        (vec![file("")], "", F::Unnamed),
        (vec![file("./")], "./", F::Unnamed),
        (vec![file("a\x1b[2Jb")], "a\x1b[2Jb", F::Control),
        (vec![file(b"a\xffb")], "a\u{fffd}b", F::NotUtf8),
        (vec![extension(b'x', "18 path=../../pax\n"), file("good")], "../../pax", F::Parent),
        (vec![extension(b'g', "18 path=../../pax\n"), file("good")], "../../pax", F::Parent),
        (vec![extension(b'L', "../../gnu\0"), file("good")], "../../gnu", F::Parent),
        (vec![extension(b'L', "d/".repeat(32) + "x"), file("good")], "d/d/d/d", F::TooDeep),
        (vec![extension(b'L', "n".repeat(256)), file("good")], "nnnnnn", F::LongComponent),
        (vec![raw("l", b'2', "/etc/passwd")], "l", out("/etc/passwd")),
        (vec![raw("l", b'2', "../x")], "l", out("../x")),
        (vec![raw("a/l", b'2', "b/../../../x")], "a/l", out("b/../../../x")),
        (vec![raw("l", b'2', "C:\\x")], "l", out("C:\\x")),
        (vec![raw("l", b'2', "..\\x")], "l", out("..\\x")),
        (vec![raw("l", b'2', "")], "l", out("")),
        (vec![extension(b'K', "../gnu\0"), raw("l", b'2', "fine")], "l", out("../gnu")),
        (vec![extension(b'x', "19 linkpath=../pax\n"), raw("l", b'2', "fine")], "l", out("../pax")),
        (vec![raw("x/up", b'2', ".."), raw("y", b'2', "x/up/..")], "y", out("x/up/..")),
        (vec![raw("a", b'2', "b"), raw("b", b'2', "a")], "a", F::LinkLoop { target: "b".into() }),
        (vec![raw("l", b'2', "d"), file("l/x")], "l/x", F::BelowLink { other: "l".parse().unwrap() }),
        (vec![raw("l", b'2', "."), raw("l/x", b'5', "")], "l/x", F::BelowLink { other: "l".parse().unwrap() }),
        (vec![file("l/x"), raw("l", b'2', "d")], "l", F::Duplicate),
        (vec![file("f"), file("f/x")], "f/x", F::BelowFile { other: "f".parse().unwrap() }),
        (vec![file("f"), file("./f")], "./f", F::Duplicate),
        (vec![file("f"), raw("f", b'2', "g")], "f", F::Duplicate),
        (vec![raw("f", b'2', "g"), file("f")], "f", F::Duplicate),
        (vec![raw("d", b'5', ""), file("d")], "d", F::Duplicate),
        (vec![file("e\u{301}"), file("\u{e9}")], "\u{e9}", F::Clash { other: "e\u{301}".parse().unwrap() }),
        (vec![raw("h", b'1', "/etc/passwd")], "h", hard("/etc/passwd")),
        (vec![raw("h", b'1', "../x")], "h", hard("../x")),
        (vec![raw("h", b'1', "later"), file("later")], "h", hard("later")),
        (vec![raw("l", b'2', "f"), raw("h", b'1', "l"), file("f")], "h", hard("l")),
        (vec![raw("d", b'5', ""), raw("h", b'1', "d")], "h", hard("d")),
        (vec![raw("n", b'3', "")], "n", F::Special { kind: "character device" }),
        (vec![raw("n", b'4', "")], "n", F::Special { kind: "block device" }),
        (vec![raw("n", b'6', "")], "n", F::Special { kind: "named pipe" }),
        (vec![raw("n", b'S', "")], "n", F::Special { kind: "sparse file" }),
        (vec![raw("n", b'?', "")], "n", F::Special { kind: "entry of a kind that is not known" }),
        (vec![extension(b'x', "22 GNU.sparse.major=1\n"), file("n")], "n", F::Special { kind: "sparse file" }),
    ];
    for (rows, entry, fault) in cases {
        // What precedes the offending entry is in the staging folder by then, and must go with it.
        let rows = [vec![file("before/it")], rows].concat();
        for (form, bytes) in wrapped(&tar(&rows)) {
            let error = Arena::new(&bytes).refused(&plain());
            assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_ARCHIVE_UNSAFE"), "{form}: {error:?}");
            match error.kind {
                ExtractErrorKind::Entry { entry: told, fault: why } => {
                    assert!(told.starts_with(entry), "{form}: {told}");
                    assert_eq!(why, fault, "{form}");
                }
                other => panic!("{form} of {entry:?}: {other}"),
            }
        }
    }
}

#[test]
fn t2_names_that_only_some_systems_confuse_are_refused_for_those() {
    use NameRules::{CaseInsensitive, CaseSensitive, Windows};
    let cases = [
        // (names, rules, accepted)
        (vec!["share/terminfo/A", "share/terminfo/a"], CaseSensitive, true),
        (vec!["share/terminfo/A", "share/terminfo/a"], CaseInsensitive, false),
        (vec!["share/terminfo/A", "share/terminfo/a"], Windows, false),
        (vec!["Lib/a", "lib/b"], CaseInsensitive, false),
        (vec!["man3/X::Y.3"], CaseInsensitive, true),
        (vec!["man3/X::Y.3"], Windows, false),
        (vec!["lib/aux.py"], CaseInsensitive, true),
        (vec!["lib/aux.py"], Windows, false),
        (vec!["lib/NUL"], Windows, false),
        (vec!["lib/dot."], Windows, false),
        (vec!["lib/blank "], Windows, false),
    ];
    for (names, rules, accepted) in cases {
        // The disk of Windows and macOS has no such two files either.
        if accepted && NameRules::of_host() != CaseSensitive {
            continue;
        }
        let rows: Vec<_> = names.iter().map(file).collect();
        let arena = Arena::new(&tar(&rows));
        let options = ExtractOptions { names: rules, ..plain() };
        if accepted {
            extract(&arena.archive(), &arena.target(), &options).unwrap();
        } else {
            assert_eq!(arena.refused(&options).exit(), Exit::Trust, "for {names:?}");
        }
    }
}

#[test]
fn t1_a_wrong_digest_leaves_nothing() {
    let arena = Arena::new(&tar(&[file("f")]));
    let expected = Digest::of("another archive");
    let error = arena.refused(&ExtractOptions { expected: Some(expected), ..plain() });
    assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_ARCHIVE_CHECKSUM"));
    let actual = Digest::of(fs::read(arena.archive()).unwrap());
    assert!(matches!(error.kind, ExtractErrorKind::Digest { actual: told, .. } if told == actual));
    extract(&arena.archive(), &arena.target(), &ExtractOptions { expected: Some(actual), ..plain() }).unwrap();
}

#[test]
fn an_archive_that_is_written_to_meanwhile_is_refused_where_its_digest_matters() {
    let bytes = tar(&[file("f")]);
    for (format, bytes) in wrapped(&bytes) {
        let arena = Arena::new(&bytes);
        let grow = |_: u64| {
            let mut archive = fs::File::options().append(true).open(arena.archive()).unwrap();
            archive.write_all(b"more").unwrap();
        };
        let digested = ExtractOptions { archive_digest: true, progress: &grow, ..plain() };
        let error = arena.refused(&digested);
        assert_eq!(error.code(), "E_ARCHIVE_READ", "{format}: {error:?}");
        assert!(error.kind.to_string().contains("written to while it was read"), "{format}: {}", error.kind);
        // The same size, and what was expected may have been digested before.
        let arena = Arena::new(&bytes);
        let rewrite = |_: u64| {
            let archive = fs::File::options().write(true).open(arena.archive()).unwrap();
            archive.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        };
        let expected = Some(Digest::of(&bytes));
        let error = arena.refused(&ExtractOptions { expected, progress: &rewrite, ..plain() });
        assert_eq!(error.code(), "E_ARCHIVE_READ", "{format}: {error:?}");
        let tree =
            extract(&arena.archive(), &arena.target(), &ExtractOptions { progress: &rewrite, ..plain() }).unwrap();
        assert_eq!((tree.files, tree.archive_digest), (1, None), "{format}");
    }
}

/// Windows moves nothing onto an open file.
#[cfg(unix)]
#[test]
fn the_digest_is_of_the_archive_that_was_extracted_whatever_has_its_name_meanwhile() {
    let (bytes, other) = (tar(&[file("f")]), tar(&[file("other")]));
    let arena = Arena::new(&bytes);
    // Two threads report their progress.
    let replaced = std::sync::Once::new();
    let replace = |_: u64| {
        replaced.call_once(|| {
            let beside = arena.folder.path().join("beside");
            fs::write(&beside, &other).unwrap();
            fs::rename(&beside, arena.archive()).unwrap();
        });
    };
    let options = ExtractOptions { archive_digest: true, progress: &replace, ..plain() };
    let tree = extract(&arena.archive(), &arena.target(), &options).unwrap();
    assert_eq!(tree.archive_digest, Some(ContentDigests::of(&bytes, DigestKinds::Both)));
    assert!(arena.target().join("f").exists() && !arena.target().join("other").exists());
}

#[test]
fn t1_a_truncated_archive_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for format in [ArtifactFormat::TarZst, ArtifactFormat::TarGz, ArtifactFormat::Tar] {
        let whole = folder.path().join("whole");
        let parts = [PartSource::new("all", entries(&sample()))];
        let packed = pack(&whole, &parts, &options(format), &NoCache).unwrap();
        let bytes = fs::read(&whole).unwrap();
        let end = packed.parts[0].size as usize;
        // In the first frame, in the middle, before the end of the last part, and with nothing missing but the end.
        for length in [40, end / 2, end - 1, end] {
            let error = Arena::new(&bytes[..length]).refused(&plain());
            assert_eq!(error.exit(), Exit::Trust, "{format:?} cut to {length}: {error:?}");
            assert!(matches!(error.code(), "E_ARCHIVE_CORRUPT" | "E_ARCHIVE_FORMAT"), "{error:?}");
            // Its digest is what a caller learns first.
            let expected = ExtractOptions { expected: Some(packed.sha256), ..plain() };
            assert_eq!(Arena::new(&bytes[..length]).refused(&expected).code(), "E_ARCHIVE_CHECKSUM");
        }
        if format != ArtifactFormat::Tar {
            let mut damaged = bytes.clone();
            damaged[end / 2] ^= 1;
            assert_eq!(Arena::new(&damaged).refused(&plain()).code(), "E_ARCHIVE_CORRUPT", "{format:?}");
        }
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [b"".as_slice(), b"<html>not found</html>", &[0; 100]] {
        let error = Arena::new(bytes).refused(&plain());
        assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_ARCHIVE_FORMAT"));
    }
    for (bytes, what) in [
        ([&tar(&[file("f")])[..512 + 512], &[7; 512], &[0; 1024]].concat(), "checksum"),
        (tar(&[extension(b'x', "99 path=x\n"), file("f")]), "pax header"),
        (tar(&[extension(b'x', "0 path=x\n"), file("f")]), "pax header"),
    ] {
        let error = Arena::new(&bytes).refused(&plain());
        assert_eq!(error.code(), "E_ARCHIVE_CORRUPT");
        assert!(error.kind.to_string().contains(what), "{}", error.kind);
    }
}

#[test]
fn archives_made_to_fill_a_disk_are_refused() {
    let cases = [
        (ExtractLimits { entries: 2, ..ExtractLimits::default() }, "more than 2 entries"),
        (ExtractLimits { bytes: 20, ..ExtractLimits::default() }, "more than 20 bytes"),
    ];
    for (limits, message) in cases {
        let arena = Arena::new(&tar(&[file("a"), file("b"), file("c")]));
        let error = arena.refused(&ExtractOptions { limits, ..plain() });
        assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_ARCHIVE_LIMIT"));
        assert!(error.kind.to_string().contains(message), "{}", error.kind);
    }
    let zeros = Raw { content: vec![0; 64 << 20], ..file("zeros") };
    let bomb = zstd::encode_all(&*tar(&[zeros]), 3).unwrap();
    let error = Arena::new(&bomb).refused(&plain());
    assert!(error.kind.to_string().contains("for an archive of its size"), "{}", error.kind);
    // A declared size alone must not be believed, nor overflow anything.
    let declared = |size: &[u8; 12]| {
        let mut tar = tar(&[file("f"), file("g")]);
        tar[124..136].copy_from_slice(size);
        let sum: u32 = tar[..148].iter().chain(&tar[156..512]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
        tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        Arena::new(&tar).refused(&plain())
    };
    assert_eq!(declared(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff").code(), "E_ARCHIVE_LIMIT");
    // 64 MiB, of which nothing is there: refused before it is looked for.
    let error = declared(b"00400000000\0");
    assert!(error.kind.to_string().contains("for an archive of its size"), "{}", error.kind);
}

#[test]
fn t3_without_exactly_one_top_folder_the_contents_are_listed() {
    let cases: [(Vec<Raw>, &str); 6] = [
        // (entries, what is listed; the folder in brackets when it is accepted)
        (vec![raw("python/", b'5', ""), file("python/bin/python3")], "[python]"),
        (vec![file("./python/bin/python3"), raw("./", b'5', "")], "[python]"),
        (vec![file("python/a"), file("other/b")], "`other`, `python`"),
        (vec![file("README"), file("python/a")], "`README`, `python`"),
        (vec![file("only-a-file")], "`only-a-file`"),
        (vec![], "nothing"),
    ];
    let arena = Arena::new(&tar(&[raw("python/c:", b'5', "")]));
    let error = arena.refused(&ExtractOptions { top_folder: TopFolder::StripSingle, ..plain() });
    assert_eq!(error.code(), "E_ARCHIVE_UNSAFE", "what is stripped must not make a drive of the rest");
    for (rows, listed) in cases {
        let arena = Arena::new(&tar(&rows));
        let options = ExtractOptions { top_folder: TopFolder::StripSingle, ..plain() };
        if listed.starts_with('[') {
            let extracted = extract(&arena.archive(), &arena.target(), &options).unwrap();
            assert_eq!(format!("[{}]", extracted.top_folder.unwrap()), listed);
            assert!(arena.target().join("bin/python3").is_file());
            continue;
        }
        let error = arena.refused(&options);
        assert_eq!((error.exit(), error.code()), (Exit::Build, "E_ARCHIVE_LAYOUT"));
        assert!(error.kind.to_string().ends_with(listed), "{}", error.kind);
    }
}

#[test]
fn a_destination_that_is_in_use_is_left_alone() {
    let arena = Arena::new(&tar(&[file("f")]));
    fs::create_dir_all(arena.target()).unwrap();
    fs::write(arena.target().join("mine"), "").unwrap();
    let error = extract(&arena.archive(), &arena.target(), &plain()).unwrap_err();
    assert_eq!((error.exit(), error.code()), (Exit::Build, "E_ARCHIVE_WRITE"));
    fs::remove_file(arena.target().join("mine")).unwrap();
    extract(&arena.archive(), &arena.target(), &plain()).unwrap();
    assert!(arena.target().join("f").is_file());
}

#[test]
fn links_become_copies_where_they_are_not_wanted() {
    let read = |root: &Path, path: &str| fs::read_to_string(root.join(path)).ok();
    let rows = [
        file("lib/a"),
        raw("lib/b", b'2', "c"),
        raw("lib/c", b'2', "a"),
        raw("lib64", b'2', "lib"),
        raw("all", b'2', "lib64"),
        raw("lib/h", b'1', "lib/a"),
    ];
    let arena = Arena::new(&tar(&rows));
    let copy = ExtractOptions { links: LinkHandling::Copy, digests: Some(DigestKinds::Sha256), ..plain() };
    let digests = extract(&arena.archive(), &arena.target(), &copy).unwrap().digests;
    let known = |path: &str| digests.get(&path.parse().unwrap()).copied();
    let expected = Some(Digest::of("content").into());
    assert_eq!((known("lib/a"), known("lib/h"), digests.len()), (expected, expected, 2));
    for path in ["lib/a", "lib/b", "lib/c", "lib/h", "lib64/a", "lib64/b", "all/c"] {
        assert_eq!(read(&arena.target(), path).as_deref(), Some("content"), "{path}");
        assert!(!arena.target().join(path).is_symlink());
    }
    let dangling = Arena::new(&tar(&[raw("l", b'2', "nothing")])).refused(&copy);
    assert!(dangling.kind.to_string().contains("which is not in the archive"));
    let inside = Arena::new(&tar(&[file("a/x"), raw("a/l", b'2', ".")])).refused(&copy);
    assert!(inside.kind.to_string().contains("back to itself"), "{}", inside.kind);
}

#[test]
#[cfg(unix)]
fn bits_that_give_rights_are_never_kept() {
    use std::os::unix::fs::PermissionsExt;
    let arena = Arena::new(&tar(&[file("f"), raw("d", b'5', "")]));
    extract(&arena.archive(), &arena.target(), &plain()).unwrap();
    for name in ["f", "d"] {
        let mode = fs::metadata(arena.target().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "{name}");
    }
}
