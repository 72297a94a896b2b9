//! Zips made to do harm, written byte by byte, and what each is refused for.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::io::Write;

use archive::{
    EntryFault, ExtractError, ExtractErrorKind, ExtractLimits, ExtractOptions, MemberFault, NameRules, TopFolder,
    extract, zip_members,
};
use vocab::{Exit, Fault};

use testkit::trees as common;

/// One entry: what its two headers say, each without any care, and its bytes.
#[derive(Clone)]
struct Raw {
    local: Header,
    central: Header,
    data: Vec<u8>,
    /// After the data.
    descriptor: Vec<u8>,
    /// Where the central directory says the local header is; absent for where it is.
    offset: Option<u32>,
}

#[derive(Clone)]
struct Header {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc32: u32,
    packed: u32,
    size: u32,
    extra: Vec<u8>,
    mode: u32,
    disk: u16,
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn raw(name: impl AsRef<[u8]>, mode: u32, content: impl AsRef<[u8]>) -> Raw {
    let content = content.as_ref();
    let header = Header {
        name: name.as_ref().to_vec(),
        flags: 0,
        method: 0,
        crc32: crc(content),
        packed: content.len() as u32,
        size: content.len() as u32,
        extra: Vec::new(),
        mode,
        disk: 0,
    };
    Raw { local: header.clone(), central: header, data: content.to_vec(), descriptor: Vec::new(), offset: None }
}

fn file(name: impl AsRef<[u8]>) -> Raw {
    raw(name, 0o104_755, "content") // set-user-id, which is never kept
}

fn deflated(name: &str, content: &[u8]) -> Raw {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    let data = encoder.finish().unwrap();
    let length = data.len() as u32;
    let both = |header: &mut Header| (header.method, header.packed) = (8, length);
    Raw { data, ..file(name).with_size(content) }.both(both)
}

/// The local sizes are zero, and stand behind the data.
fn streamed(name: &str, descriptor: &[u32]) -> Raw {
    let descriptor = descriptor.iter().flat_map(|number| number.to_le_bytes()).collect();
    let raw = deflated(name, b"content").both(|header| header.flags = 8);
    let raw = raw.local(|header| (header.crc32, header.packed, header.size) = (0, 0, 0));
    Raw { descriptor, ..raw }
}

impl Raw {
    fn local(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        self
    }

    fn central(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.central);
        self
    }

    fn both<R>(mut self, change: impl Fn(&mut Header) -> R) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    fn with_size(self, content: &[u8]) -> Self {
        self.both(|header| (header.crc32, header.size) = (crc(content), content.len() as u32))
    }
}

fn push(bytes: &mut Vec<u8>, numbers: &[u16]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

impl Header {
    fn common(&self, bytes: &mut Vec<u8>) {
        push(bytes, &[20, self.flags, self.method, 0, 33]);
        bytes.extend([self.crc32, self.packed, self.size].iter().flat_map(|number| number.to_le_bytes()));
        push(bytes, &[self.name.len() as u16, self.extra.len() as u16]);
    }
}

/// Entries, central directory, end record.
struct Zip {
    bytes: Vec<u8>,
    directory: usize,
    end: usize,
}

fn zip(rows: &[Raw]) -> Zip {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for row in rows {
        let offset = row.offset.unwrap_or(bytes.len() as u32);
        bytes.extend(b"PK\x03\x04");
        row.local.common(&mut bytes);
        bytes.extend([&*row.local.name, &row.local.extra, &row.data, &row.descriptor].concat());
        directory.extend(b"PK\x01\x02\x14\x03");
        row.central.common(&mut directory);
        push(&mut directory, &[0, row.central.disk, 0]);
        directory.extend((row.central.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend([&*row.central.name, &row.central.extra].concat());
    }
    let start = bytes.len();
    bytes.extend(&directory);
    let end = bytes.len();
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    push(&mut bytes, &[rows.len() as u16, rows.len() as u16]);
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend((start as u32).to_le_bytes());
    push(&mut bytes, &[0]);
    Zip { bytes, directory: start, end }
}

fn plain() -> ExtractOptions<'static> {
    ExtractOptions { names: NameRules::CaseSensitive, ..ExtractOptions::default() }
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

    fn extract(&self, options: &ExtractOptions<'_>) -> Result<common::Tree, ExtractError> {
        let target = self.folder.path().join("a/b/target");
        let result = extract(&self.folder.path().join("archive"), &target, options);
        let rest = fs::read_dir(target.parent().unwrap()).map_or(0, Iterator::count);
        assert_eq!(rest, usize::from(result.is_ok()), "only a whole tree is left");
        let names = fs::read_dir(self.folder.path()).unwrap().map(|item| item.unwrap().file_name());
        assert!(names.into_iter().all(|name| name == "archive" || name == "a"), "nothing is left elsewhere");
        result.map(|_| common::read_tree(&target))
    }
}

#[test]
fn t2_every_hostile_name_and_kind_is_refused_and_leaves_nothing() {
    use EntryFault as F;
    let link = |name: &str, target: &str| raw(name, 0o120_777, target);
    let kind = |mode: u32| raw("n", mode, "");
    let special = |kind| F::Special { kind };
    let out = |target: &str| F::LinkOut { target: target.into() };
    let cases: Vec<(Vec<Raw>, &str, EntryFault)> = vec![
        // (entries, the one that is refused, why)
        (vec![file("../x")], "../x", F::Parent),
        (vec![file("a/../../x")], "a/../../x", F::Parent),
        (vec![raw("../", 0o040_755, "")], "../", F::Parent),
        (vec![file("/tmp/x")], "/tmp/x", F::Absolute),
        (vec![file("C:/x")], "C:/x", F::Drive),
        (vec![file("c:x")], "c:x", F::Drive),
        (vec![file("a//b")], "a//b", F::EmptyComponent),
        (vec![file("")], "", F::Unnamed),
        (vec![file("a\x1b[2Jb")], "a\x1b[2Jb", F::Control),
        (vec![file("a\0b")], "a\0b", F::Control),
        (vec![file(b"a\xffb")], "a\u{fffd}b", F::NotUtf8),
        (vec![file("d/".repeat(32) + "x")], "d/d/d/d", F::TooDeep),
        (vec![file("n".repeat(256))], "nnnnnn", F::LongComponent),
        (vec![file("f"), file("f")], "f", F::Duplicate),
        (vec![file("f"), file("./f")], "./f", F::Duplicate),
        (vec![file("f/"), file("f")], "f/", special("directory that has content")),
        (vec![raw("d/", 0, ""), file("d")], "d", F::Duplicate),
        (vec![file("f"), file("f/x")], "f/x", F::BelowFile { other: "f".parse().unwrap() }),
        (vec![file("e\u{301}"), file("\u{e9}")], "\u{e9}", F::Clash { other: "e\u{301}".parse().unwrap() }),
        (vec![link("l", "/etc/passwd")], "l", out("/etc/passwd")),
        (vec![link("l", "../x")], "l", out("../x")),
        (vec![link("l", "C:\\x")], "l", out("C:\\x")),
        (vec![link("l", "..\\x")], "l", out("..\\x")),
        (vec![link("l", "")], "l", out("")),
        (vec![link("l", &"x".repeat(5000))], "l", out("5000 bytes")),
        (vec![link("x/up", ".."), link("y", "x/up/..")], "y", out("x/up/..")),
        (vec![link("a", "b"), link("b", "a")], "a", F::LinkLoop { target: "b".into() }),
        (vec![link("l", "d"), file("l/x")], "l/x", F::BelowLink { other: "l".parse().unwrap() }),
        (vec![file("l/x"), link("l", "d")], "l", F::Duplicate),
        (vec![link("l/", "d")], "l/", special("directory by its name and something else by its mode")),
        (vec![kind(0o010_644)], "n", special("named pipe")),
        (vec![kind(0o020_644)], "n", special("character device")),
        (vec![kind(0o060_644)], "n", special("block device")),
        (vec![kind(0o140_644)], "n", special("socket")),
        (vec![kind(0o170_644)], "n", special("entry of a kind that is not known")),
        (vec![kind(0o040_755)], "n", special("directory by its mode and a file by its name")),
        // A backslash separates only where no slash does.
        (vec![file("a\\b"), file("c/d")], "a\\b", F::Backslash),
    ];
    for (rows, entry, fault) in cases {
        // What precedes the offending entry must go with it.
        let rows = [vec![file("before/it")], rows].concat();
        let error = Arena::new(&zip(&rows).bytes).extract(&plain()).unwrap_err();
        assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_ARCHIVE_UNSAFE"), "{entry:?}: {error:?}");
        match error.kind {
            ExtractErrorKind::Entry { entry: told, fault: why } => {
                assert!(told.starts_with(entry), "{told}");
                assert_eq!(why, fault, "{entry:?}");
            }
            other => panic!("{entry:?}: {other}"),
        }
    }
}

#[test]
fn t2_backslashes_are_separators_only_where_all_names_use_them() {
    let cases = [
        // (names, what comes of it)
        (vec!["a\\b", "c", "a\\d\\e"], Ok(vec!["a", "a/b", "a/d", "a/d/e", "c"])),
        (vec!["a\\..\\..\\x"], Err(EntryFault::Parent)),
        (vec!["\\\\host\\share\\x"], Err(EntryFault::Absolute)),
        (vec!["\\x"], Err(EntryFault::Absolute)),
        (vec!["C:\\x"], Err(EntryFault::Drive)),
    ];
    for (names, expected) in cases {
        let rows: Vec<_> = names.iter().map(file).collect();
        match (Arena::new(&zip(&rows).bytes).extract(&plain()), expected) {
            (Ok(tree), Ok(paths)) => assert!(tree.keys().eq(paths.iter()), "{tree:?}"),
            (Err(error), Err(fault)) => {
                assert!(
                    matches!(&error.kind, ExtractErrorKind::Entry { fault: why, .. } if *why == fault),
                    "{error:?}"
                );
            }
            (result, _) => panic!("{names:?}: {result:?}"),
        }
    }
}

#[test]
fn t2_names_that_only_some_systems_confuse_are_refused_for_those() {
    use NameRules::{CaseInsensitive, CaseSensitive, Windows};
    let cases = [
        // (names, rules, accepted)
        (vec!["terminfo/A", "terminfo/a"], CaseSensitive, true),
        (vec!["terminfo/A", "terminfo/a"], CaseInsensitive, false),
        (vec!["man3/X::Y.3"], CaseInsensitive, true),
        (vec!["man3/X::Y.3"], Windows, false),
        (vec!["lib/NUL.txt"], Windows, false),
        (vec!["lib/dot."], Windows, false),
    ];
    for (names, rules, accepted) in cases {
        // The disk of Windows and macOS has no such two files either.
        if accepted && NameRules::of_host() != CaseSensitive {
            continue;
        }
        let rows: Vec<_> = names.iter().map(file).collect();
        let options = ExtractOptions { names: rules, ..plain() };
        let result = Arena::new(&zip(&rows).bytes).extract(&options);
        assert_eq!(result.is_ok(), accepted, "{names:?} for {rules:?}");
    }
}

#[test]
fn t2_an_entry_that_readers_would_see_differently_is_refused() {
    use MemberFault as F;
    let disagrees = |field| F::Disagrees { field };
    let content = b"content content content content".as_slice();
    let whole = || deflated("e", content);
    let packed = whole().data.len() as u32;
    let descriptor = [0x0807_4b50, crc(b"content"), deflated("e", b"content").data.len() as u32, 7];
    let zip64 = |size: u64| [&[1, 0, 16, 0][..], &size.to_le_bytes(), &u64::from(packed).to_le_bytes()].concat();
    let cases: Vec<(Raw, &str, MemberFault)> = vec![
        // (the entry, code, why)
        (file("e").both(|h| h.flags = 1), "E_ARCHIVE_FORMAT", F::Encrypted),
        (file("e").both(|h| h.flags = 1 << 6), "E_ARCHIVE_FORMAT", F::Encrypted),
        (file("e").both(|h| h.flags = 1 << 13), "E_ARCHIVE_FORMAT", F::Encrypted),
        (file("e").both(|h| (h.flags, h.method) = (1, 99)), "E_ARCHIVE_FORMAT", F::Encrypted),
        (file("e").both(|h| h.method = 12), "E_ARCHIVE_FORMAT", F::Method { method: 12 }),
        (file("e").local(|h| h.name = b"f".to_vec()), "E_ARCHIVE_UNSAFE", disagrees("name")),
        (file("e").local(|h| h.name = b"../x".to_vec()), "E_ARCHIVE_UNSAFE", disagrees("name")),
        (whole().local(|h| h.method = 0), "E_ARCHIVE_UNSAFE", disagrees("method")),
        (file("e").local(|h| h.flags = 1), "E_ARCHIVE_UNSAFE", disagrees("flags")),
        (file("e").local(|h| h.flags = 8), "E_ARCHIVE_UNSAFE", disagrees("flags")),
        (file("e").local(|h| h.crc32 ^= 1), "E_ARCHIVE_UNSAFE", disagrees("CRC-32")),
        (file("e").local(|h| h.size += 1), "E_ARCHIVE_UNSAFE", disagrees("size")),
        (whole().local(|h| h.packed -= 1), "E_ARCHIVE_UNSAFE", disagrees("size")),
        (file("e").local(|h| h.size = 0), "E_ARCHIVE_UNSAFE", disagrees("size")),
        (file("e").both(|h| h.size += 1), "E_ARCHIVE_UNSAFE", disagrees("size")),
        (streamed("e", &[]), "E_ARCHIVE_UNSAFE", disagrees("data descriptor")),
        (streamed("e", &[descriptor[0], 1, 2, 3]), "E_ARCHIVE_UNSAFE", disagrees("data descriptor")),
        (
            whole().local(|h| (h.size, h.packed, h.extra) = (u32::MAX, u32::MAX, zip64(7))),
            "E_ARCHIVE_UNSAFE",
            disagrees("size"),
        ),
        (
            file("e").central(|h| h.extra = b"\x75\x70\x06\0\x01\0\0\0\0f".to_vec()),
            "E_ARCHIVE_UNSAFE",
            disagrees("Unicode name"),
        ),
        (file("e").central(|h| h.extra = vec![1, 2, 9, 0, 1]), "E_ARCHIVE_CORRUPT", F::Field { field: "extra fields" }),
        (file("e").local(|h| h.extra = vec![1, 2, 9, 0, 1]), "E_ARCHIVE_CORRUPT", F::Field { field: "extra fields" }),
        (
            file("e").central(|h| (h.size, h.extra) = (u32::MAX, vec![1, 0, 4, 0, 1, 2, 3, 4])),
            "E_ARCHIVE_CORRUPT",
            F::Field { field: "zip64 field" },
        ),
        (
            file("e").central(|h| h.extra = [1, 0, 0, 0, 1, 0, 0, 0].to_vec()),
            "E_ARCHIVE_CORRUPT",
            F::Field { field: "zip64 field" },
        ),
        // One byte into its own header, which is behind 46 bytes of the entry before.
        (Raw { offset: Some(47), ..file("e") }, "E_ARCHIVE_UNSAFE", F::NoHeader),
        (Raw { offset: Some(u32::MAX - 1), ..file("e") }, "E_ARCHIVE_UNSAFE", F::Overlap),
        (file("e").both(|h| (h.packed, h.size) = (4000, 4000)), "E_ARCHIVE_UNSAFE", F::Overlap),
        (file("e").local(|h| h.name = vec![b'n'; 60_000]), "E_ARCHIVE_UNSAFE", disagrees("name")),
        (whole().both(|h| h.crc32 ^= 1), "E_ARCHIVE_CORRUPT", crc_fault(content)),
        (file("e").both(|h| h.crc32 ^= 1), "E_ARCHIVE_CORRUPT", crc_fault(b"content")),
        (whole().both(|h| h.size -= 1), "E_ARCHIVE_CORRUPT", F::Longer { size: 30 }),
        (whole().both(|h| h.size = 0), "E_ARCHIVE_CORRUPT", F::Longer { size: 0 }),
        (whole().both(|h| h.size += 1), "E_ARCHIVE_CORRUPT", F::Shorter { size: 32 }),
        (whole().both(|h| h.size = 9 << 20), "E_ARCHIVE_CORRUPT", F::Shorter { size: 9 << 20 }),
        (Raw { data: vec![0xFF; packed as usize], ..whole() }, "E_ARCHIVE_CORRUPT", F::Stream),
        (cut(whole()), "E_ARCHIVE_CORRUPT", F::Stream),
        (
            Raw { data: [whole().data, vec![0]].concat(), ..whole().both(|h| h.packed += 1) },
            "E_ARCHIVE_CORRUPT",
            F::Trailing,
        ),
    ];
    for (row, code, fault) in cases {
        let bytes = zip(&[file("before/it"), row, file("behind/it")]).bytes;
        let error = Arena::new(&bytes).extract(&plain()).unwrap_err();
        assert_eq!((error.exit(), error.code()), (Exit::Trust, code), "{fault}: {error:?}");
        match &error.kind {
            ExtractErrorKind::Member { entry, fault: why } => {
                assert_eq!((entry.as_str(), why), ("e", &fault));
            }
            other => panic!("{fault}: {other}"),
        }
        assert!(error.hint().is_some());
        // What is copied from it must be whole too, but for what only unpacking tells.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        fs::write(&path, &bytes).unwrap();
        match (&fault, zip_members(&path)) {
            (F::Encrypted | F::Method { .. }, members) => {
                assert!(members.unwrap().keys().eq(["before/it", "behind/it"]), "it is not offered");
            }
            (F::Crc { .. } | F::Longer { .. } | F::Shorter { .. } | F::Stream | F::Trailing, members) => {
                assert_eq!(members.unwrap().len(), 3);
            }
            (_, members) => {
                assert!(members.unwrap_err().kind.to_string().contains(&fault.to_string()), "{fault}");
            }
        }
    }
}

fn crc_fault(content: &[u8]) -> MemberFault {
    MemberFault::Crc { expected: crc(content) ^ 1, actual: crc(content) }
}

/// The compressed bytes lack their end, which the headers do not tell.
fn cut(raw: Raw) -> Raw {
    let data = raw.data[..raw.data.len() - 1].to_vec();
    Raw { data, ..raw.both(|header| header.packed -= 1) }
}

#[test]
fn t2_entries_that_share_bytes_are_refused() {
    // All the same file: 3 entries, one copy of the data.
    let one = file("a");
    let twice = Raw { offset: Some(0), ..one.clone() };
    for rows in [vec![one.clone(), twice.clone()], vec![one.clone(), Raw { offset: Some(0), ..file("b") }]] {
        let error = Arena::new(&zip(&rows).bytes).extract(&plain()).unwrap_err();
        assert_eq!(error.code(), "E_ARCHIVE_UNSAFE", "{error:?}");
    }
    // A whole zip entry inside the data of another.
    let inner = &zip(&[file("inner")]).bytes[..30 + 5 + 7];
    let outer = raw("outer", 0, inner);
    let rows = [outer, Raw { offset: Some(30 + 5), ..file("inner") }];
    let error = Arena::new(&zip(&rows).bytes).extract(&plain()).unwrap_err();
    assert!(matches!(&error.kind, ExtractErrorKind::Member { entry, fault: MemberFault::Overlap } if entry == "outer"));
}

#[test]
fn t2_a_zip_whose_ends_can_be_read_in_two_ways_is_refused() {
    let good = zip(&[file("f")]);
    let patched = |at: usize, with: &[u8]| {
        let mut bytes = good.bytes.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let end = good.end;
    let inner = zip(&[]).bytes;
    let commented = |comment: &[u8]| {
        let mut bytes = good.bytes[..end + 20].to_vec();
        push(&mut bytes, &[comment.len() as u16]);
        [&bytes, comment].concat()
    };
    let locator = |record: u64, disks: u32| {
        [b"PK\x06\x07\0\0\0\0".as_slice(), &record.to_le_bytes(), &disks.to_le_bytes()].concat()
    };
    let with_locator = |locator: Vec<u8>| [&good.bytes[..end], &locator, &good.bytes[end..]].concat();
    let disk_of_entry = zip(&[file("f").central(|header| header.disk = 1)]).bytes;
    let cases = [
        // (bytes, reason)
        (good.bytes[..end + 10].to_vec(), "cut off"),
        (good.bytes[..end].to_vec(), "cut off"),
        ([&*good.bytes, b"appended"].concat(), "appended"),
        (commented(&inner), "second end record"),
        (commented(b"PK\x05\x06"), "second end record"),
        (commented(b"PK\x05\x06 and 18 bytes or more"), "cut off"),
        (patched(end + 4, &[1]), "one disk of several"),
        (patched(end + 6, &[1]), "one disk of several"),
        (patched(end + 8, &[0]), "one disk of several"),
        (patched(end + 8, &[2, 0, 2, 0]), "has 1 entries, its end record says 2"),
        (patched(end + 8, &[0, 0, 0, 0]), "has 1 entries, its end record says 0"),
        (patched(end + 8, &[255, 255, 255, 255]), "has 1 entries, its end record says 65535"),
        (patched(end + 12, &[0]), "does not lie between"),
        (patched(end + 16, &[0, 0, 0, 0]), "does not lie between"),
        (patched(end + 16, &[255, 255, 255, 255]), "does not lie between"),
        ([b"PK\x03\x04prepended", &*good.bytes].concat(), "does not lie between"),
        (patched(good.directory, b"PK\x01\x03"), "malformed"),
        (patched(good.directory + 28, &[255, 255]), "malformed"),
        (disk_of_entry, "malformed"),
        (with_locator(locator(0, 2)), "one disk of several"),
        (with_locator(locator(u64::MAX, 1)), "does not lie between"),
        (with_locator(locator(good.directory as u64, 1)), "does not lie between"),
    ];
    for (bytes, reason) in cases {
        let error = Arena::new(&bytes).extract(&plain()).unwrap_err();
        assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_ARCHIVE_CORRUPT"), "{reason}");
        assert!(error.kind.to_string().contains(reason), "{reason}: {}", error.kind);
    }
    for (length, _) in good.bytes.iter().enumerate() {
        let error = Arena::new(&good.bytes[..length]).extract(&plain()).unwrap_err();
        assert!(matches!(error.code(), "E_ARCHIVE_CORRUPT" | "E_ARCHIVE_FORMAT"), "cut to {length}: {error:?}");
    }
}

#[test]
fn t2_what_other_writers_make_is_read() {
    let packed = deflated("e", b"content").data.len() as u32;
    let rows = [packed, 7];
    let signed = [0x0807_4b50, crc(b"content"), rows[0], rows[1]];
    let long = [0x0807_4b50, crc(b"content"), rows[0], 0, rows[1], 0];
    let zip64 = [&[1, 0, 16, 0][..], &7_u64.to_le_bytes(), &7_u64.to_le_bytes()].concat();
    let large = |header: &mut Header| (header.size, header.packed, header.extra) = (u32::MAX, u32::MAX, zip64.clone());
    let cases = [
        streamed("e", &signed),
        streamed("e", &signed[1..]),
        streamed("e", &long),
        streamed("e", &long[1..]),
        file("e").local(large),
        file("e").both(large),
        file("e").both(|header| header.flags = 1 << 11),
        file("e").both(|header| header.extra = vec![0, 0]),
        file("e").central(|header| header.extra = b"\x55\x54\x05\0\x01\xe8\x03\0\0".to_vec()),
        file("e").central(|header| header.mode = 0o755),
    ];
    for row in cases {
        let tree = Arena::new(&zip(std::slice::from_ref(&row)).bytes).extract(&plain()).unwrap();
        let executable = cfg!(unix);
        assert_eq!(tree["e"], common::Node::File { executable, content: b"content".to_vec() });
    }
    // A comment, whatever is in it.
    let good = zip(&[file("e")]);
    let mut bytes = good.bytes[..good.end + 20].to_vec();
    push(&mut bytes, &[5]);
    bytes.extend(b"hello");
    Arena::new(&bytes).extract(&plain()).unwrap();
    // Nothing at all.
    assert!(Arena::new(&zip(&[]).bytes).extract(&plain()).unwrap().is_empty());
}

#[test]
fn zips_made_to_fill_a_disk_are_refused() {
    let three = zip(&[file("a"), file("b"), file("c")]).bytes;
    let bomb = zip(&[deflated("zeros", &vec![0; 64 << 20])]).bytes;
    let cases = [
        // (bytes, limits, message)
        (&three, ExtractLimits { entries: 2, ..ExtractLimits::default() }, "more than 2 entries"),
        (&three, ExtractLimits { bytes: 20, ..ExtractLimits::default() }, "more than 20 bytes"),
        (&bomb, ExtractLimits::default(), "bytes for one of its files as it is packed"),
    ];
    for (bytes, limits, message) in cases {
        let error = Arena::new(bytes).extract(&ExtractOptions { limits, ..plain() }).unwrap_err();
        assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_ARCHIVE_LIMIT"), "{error:?}");
        assert!(error.kind.to_string().contains(message), "{}", error.kind);
    }
}

#[test]
fn t3_without_exactly_one_top_folder_the_contents_are_listed() {
    let cases = [
        // (names, what is listed; absent when it is accepted)
        (vec!["python/bin/python3", "python/lib/"], None),
        (vec!["python/a", "other/b"], Some("`other`, `python`")),
        (vec!["only-a-file"], Some("`only-a-file`")),
        (vec![], Some("nothing")),
    ];
    let options = ExtractOptions { top_folder: TopFolder::StripSingle, ..plain() };
    for (names, listed) in cases {
        let row = |name: &&str| if name.ends_with('/') { raw(name, 0o040_755, "") } else { file(name) };
        let rows: Vec<_> = names.iter().map(row).collect();
        match (Arena::new(&zip(&rows).bytes).extract(&options), listed) {
            (Ok(tree), None) => assert!(tree.contains_key("bin/python3")),
            (Err(error), Some(listed)) => {
                assert_eq!((error.exit(), error.code()), (Exit::Build, "E_ARCHIVE_LAYOUT"));
                assert!(error.kind.to_string().ends_with(listed), "{}", error.kind);
            }
            (result, _) => panic!("{names:?}: {result:?}"),
        }
    }
}

#[test]
#[cfg(unix)]
fn links_of_foreign_zips_are_links() {
    let rows =
        [raw("bin/python", 0o120_777, "python3"), file("bin/python3"), deflated("long", &common::noise(9 << 20))];
    let tree = Arena::new(&zip(&rows).bytes).extract(&plain()).unwrap();
    assert_eq!(tree["bin/python"], common::Node::Symlink("python3".into()));
    assert_eq!(tree["bin/python3"], common::program("content"));
    assert!(tree["long"] == common::program(common::noise(9 << 20)));
}
