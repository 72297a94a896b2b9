//! Wheels that must not be unpacked, and what is said about them.

#![allow(clippy::unwrap_used, reason = "a helper that cannot do its work is a failed test")]

use std::fs;
use std::io::{Cursor, Write as _};

use store::Scrutiny;
use testkit::{FixtureFile, RecordFault, WheelBuilder, told};
use vocab::{Digest, Exit, Fault};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use testkit::store_bench::StoreBench;

/// Why unpacking fails; the store must be as it was.
fn refusal(wheel: &FixtureFile) -> (Exit, String) {
    let bench = StoreBench::new();
    let error = bench.unpack(wheel).unwrap_err();
    assert!(!bench.context.store.wheel(&Digest::of(&wheel.bytes)).exists());
    let prefix = format!("cannot unpack the wheel `{}`: ", wheel.file_name);
    let text = told(&error);
    (error.exit(), text.strip_prefix(&prefix).unwrap_or(&text).to_owned())
}

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0").file("demo/aaaaaaaa.py", "a").file("demo/b.py", "b")
}

#[test]
fn code_that_is_not_what_its_record_says_is_refused_with_exit_4_naming_the_file() {
    let file = || "demo/b.py".to_owned();
    let cases = [
        (vec![RecordFault::WrongDigest(file())], "its file `demo/b.py` does not match the digest in its RECORD"),
        (
            vec![RecordFault::WrongDigest(file()), RecordFault::Absolute(file())],
            "its file `demo/b.py` does not match the digest in its RECORD",
        ),
        (
            vec![RecordFault::WrongDigest(file()), RecordFault::Hex(file())],
            "its file `demo/b.py` does not match the digest in its RECORD",
        ),
        (vec![RecordFault::Missing], "its `demo-1.0.dist-info/RECORD` is not valid in a wheel: there is none"),
        (
            vec![RecordFault::NotThere("/etc/passwd".into())],
            "its RECORD cannot be used: its row for `/etc/passwd` leads out of the wheel",
        ),
        (
            vec![RecordFault::NotThere("../x".into())],
            "its RECORD cannot be used: `../x` is not a path inside the tree: it leaves its root with `..`",
        ),
    ];
    for (faults, expected) in cases {
        let wheel = faults.iter().cloned().fold(demo(), WheelBuilder::record_fault).build();
        assert_eq!(refusal(&wheel), (Exit::Trust, expected.to_owned()), "for {faults:?}");
    }
}

#[test]
fn case_field_record_wrong_size_a_careless_record_is_a_remark_with_the_facts() {
    let (code, metadata) = (|| "demo/b.py".to_owned(), || "demo-1.0.dist-info/WHEEL".to_owned());
    let cases = [
        (RecordFault::WrongSize(metadata()), "`demo-1.0.dist-info/WHEEL` has 85 bytes, its RECORD says 86"),
        (RecordFault::WrongDigest(metadata()), "`demo-1.0.dist-info/WHEEL` does not match the digest in its RECORD"),
        (RecordFault::NotListed(metadata()), "`demo-1.0.dist-info/WHEEL` is not in its RECORD"),
        (RecordFault::Md5(metadata()), "`demo-1.0.dist-info/WHEEL` has a digest that says nothing in its RECORD"),
        (RecordFault::WrongSize(code()), "`demo/b.py` has 1 bytes, its RECORD says 2"),
        (RecordFault::NotListed(code()), "`demo/b.py` is not in its RECORD"),
        (RecordFault::Absolute(code()), "its RECORD calls `demo/b.py` `/demo/b.py`"),
        (RecordFault::NotThere("demo/c.py".into()), "`demo/c.py` is in its RECORD and not in the wheel"),
    ];
    for (fault, expected) in cases {
        let bench = StoreBench::new();
        let wheel = demo().record_fault(fault.clone()).build();
        for _ in 0..2 {
            let unpacked = bench.unpack(&wheel).unwrap();
            let texts: Vec<&str> = unpacked.contents.remarks.iter().map(|remark| remark.text.as_str()).collect();
            assert_eq!(texts, [expected], "for {fault:?}");
            assert_eq!(unpacked.contents.entries.len(), 4);
        }
    }
    // The same digest, spelled otherwise.
    let hex = demo().record_fault(RecordFault::Hex(code())).build();
    assert!(StoreBench::new().unpack(&hex).unwrap().contents.remarks.is_empty());
    let many = (0..9).fold(demo(), |demo, index| demo.record_fault(RecordFault::NotThere(format!("demo/x{index}.py"))));
    let unpacked = StoreBench::new().unpack(&many.build()).unwrap();
    assert!(unpacked.contents.remarks[0].text.ends_with("; and 4 more of the kind"), "{:?}", unpacked.contents.remarks);
}

/// The demo wheel, with one entry's name replaced by another of the same length, in all of its headers.
fn renamed(from: &str, to: &str) -> FixtureFile {
    let mut wheel = demo().build();
    let (from, to) = (from.as_bytes(), to.as_bytes());
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        (0..wheel.bytes.len() - from.len()).filter(|at| wheel.bytes[*at..].starts_with(from)).collect();
    assert_eq!(places.len(), 2, "one local header and one row of the table");
    for at in places {
        wheel.bytes[at..at + to.len()].copy_from_slice(to);
    }
    wheel
}

#[test]
fn names_that_leave_the_wheel_or_clash_are_refused() {
    let cases = [
        ("../aaaaaaaaaa.py", "its entry `../aaaaaaaaaa.py` is refused: its name leaves the tree with `..`"),
        ("demo/../aaaaa.py", "its entry `demo/../aaaaa.py` is refused: its name leaves the tree with `..`"),
        ("/emo/aaaaaaaa.py", "its entry `/emo/aaaaaaaa.py` is refused: its name is absolute"),
        ("C:mo/aaaaaaaa.py", "its entry `C:mo/aaaaaaaa.py` is refused: its name begins with a drive letter"),
        ("demo\\aaaaaaaa.py", "its entry `demo\\aaaaaaaa.py` is refused: its name contains a backslash"),
        ("demo/aaaa\naaa.py", "its entry `demo/aaaa\naaa.py` is refused: its name contains a control character"),
        ("demo/.//././b.py", "its entry `demo/.//././b.py` is refused: its name has an empty component"),
        ("demo/b.py/aaa.py", "its entry `demo/b.py` is refused: it is a file and a folder at once"),
    ];
    for (name, expected) in cases {
        assert_eq!(refusal(&renamed("demo/aaaaaaaa.py", name)), (Exit::Trust, expected.to_owned()), "for {name:?}");
    }
    let mut latin = demo().build();
    let at: Vec<usize> =
        (0..latin.bytes.len() - 16).filter(|at| latin.bytes[*at..].starts_with(b"demo/aaaaaaaa.py")).collect();
    at.iter().for_each(|at| latin.bytes[*at + 6] = 0xe9);
    assert!(refusal(&latin).1.ends_with("its name is not UTF-8"));
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let mut wheel = demo().file("demo/aaaaaaab.py", "other").build();
    for at in 0..wheel.bytes.len() - 16 {
        if wheel.bytes[at..].starts_with(b"demo/aaaaaaab.py") {
            wheel.bytes[at + 12] = b'a';
        }
    }
    assert!(refusal(&wheel).1.contains("same"), "{}", refusal(&wheel).1);
}

/// The demo wheel and one more entry, whatever it is; RECORD does not know it.
fn with_entry(add: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> FixtureFile {
    let mut wheel = demo().build();
    let mut writer = ZipWriter::new_append(Cursor::new(wheel.bytes)).unwrap();
    add(&mut writer);
    wheel.bytes = writer.finish().unwrap().into_inner();
    wheel
}

#[test]
fn links_and_entries_that_inflate_without_end_are_refused() {
    let link =
        with_entry(|writer| writer.add_symlink("demo/link", "/etc/passwd", SimpleFileOptions::default()).unwrap());
    let expected = "its entry `demo/link` is refused: it is a symbolic link, which wheels do not have";
    assert_eq!(refusal(&link), (Exit::Trust, expected.to_owned()));

    let bomb = with_entry(|writer| {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
        writer.start_file("demo/zeros", options).unwrap();
        let zeros = vec![0; 1 << 20];
        (0..600).for_each(|_| writer.write_all(&zeros).unwrap());
    });
    let (exit, text) = refusal(&bomb);
    assert!(exit == Exit::Trust && text.contains("claim to hold"), "{text}");
}

#[test]
fn what_is_no_wheel_is_refused() {
    let other_name = FixtureFile { file_name: "other-1.0-py3-none-any.whl".into(), ..demo().build() };
    assert_eq!(
        refusal(&other_name).1,
        "its `.dist-info` is not valid in a wheel: `demo-1.0.dist-info` belongs to another wheel"
    );
    let text = FixtureFile { bytes: b"no archive".to_vec(), ..demo().build() };
    assert!(refusal(&text).1.starts_with("it is not a readable zip archive"), "{}", refusal(&text).1);
    let whole = demo().build();
    let half = FixtureFile { bytes: whole.bytes[..whole.bytes.len() / 2].to_vec(), ..whole };
    assert_eq!(refusal(&half).0, Exit::Trust);
    let smuggled = demo().console_script("x", "a:b; import os").build();
    assert!(refusal(&smuggled).1.ends_with("`x = a:b; import os` makes no script"), "{}", refusal(&smuggled).1);
}

#[test]
fn no_damaged_byte_makes_a_panic_or_a_wrong_file() {
    let wheel = demo().build();
    let bench = StoreBench::new();
    let sound = bench.unpack(&wheel).unwrap().contents.entries;
    for at in 0..wheel.bytes.len() {
        let mut bytes = wheel.bytes.clone();
        bytes[at] ^= 0x55;
        let damaged = FixtureFile { bytes, ..wheel.clone() };
        if let Ok(unpacked) = bench.unpack(&damaged) {
            // A time stamp, say: the files are the same all the same.
            let files = |entries: &[wheel::WheelEntry]| {
                entries.iter().map(|entry| (entry.path.clone(), entry.sha256)).collect::<Vec<_>>()
            };
            let dist_info = |path: &vocab::TreePath| path.as_str().contains(".dist-info/");
            let own = |entries| files(entries).into_iter().filter(|(path, _)| !dist_info(path)).collect::<Vec<_>>();
            assert_eq!(own(&unpacked.contents.entries), own(&sound), "byte {at}");
        }
    }
}

#[test]
fn a_damaged_blob_of_the_store_is_blamed_and_removed() {
    let bench = StoreBench::new();
    let wheel = demo().build();
    let mut blob = bench.blob(&wheel);
    let stored = bench.context.store.blob(&blob.sha256);
    fs::create_dir_all(stored.parent().unwrap()).unwrap();
    fs::write(&stored, &wheel.bytes[..100]).unwrap();
    blob.path.clone_from(&stored);
    let error = wheel::unpack(&bench.context, &blob, Scrutiny::Glance).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_DIGEST", Exit::Trust));
    assert!(!stored.exists());
}

#[test]
fn attack_5_a_blob_that_was_exchanged_is_not_unpacked() {
    let bench = StoreBench::new();
    let (wheel, other) = (demo().build(), demo().file("demo/b.py", "evil").build());
    let mut blob = bench.blob(&wheel);
    let stored = bench.context.store.blob(&blob.sha256);
    fs::create_dir_all(stored.parent().unwrap()).unwrap();
    fs::write(&stored, &other.bytes).unwrap();
    blob.path.clone_from(&stored);
    let error = wheel::unpack(&bench.context, &blob, Scrutiny::Glance).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_DIGEST", Exit::Trust));
    assert!(told(&error).contains(&Digest::of(&other.bytes).to_string()), "{}", told(&error));
    assert!(!stored.exists() && !bench.context.store.wheel(&blob.sha256).exists());
    // Elsewhere it is not ours to remove.
    blob.path = bench.path("elsewhere.whl");
    fs::write(&blob.path, &other.bytes).unwrap();
    wheel::unpack(&bench.context, &blob, Scrutiny::Glance).unwrap_err();
    assert!(blob.path.exists());
}

#[test]
fn attack_5_what_is_unpacked_is_held_to_the_wheel_where_digests_count() {
    let bench = StoreBench::new();
    let metadata = "demo-1.0.dist-info/WHEEL".to_owned();
    let wheel = demo().record_fault(RecordFault::NotListed(metadata)).build();
    let blob = bench.blob(&wheel);
    let unpack = |scrutiny| wheel::unpack(&bench.context, &blob, scrutiny);
    let unpacked = unpack(Scrutiny::Glance).unwrap();
    assert_eq!(unpack(Scrutiny::Digests).unwrap(), unpacked);
    assert!(bench.events().is_empty(), "{:?}", bench.events());
    let read = |name: &str| fs::read_to_string(unpacked.tree.join(name)).unwrap();
    // As somebody would who knows what a glance looks at: the size and the time stamp stay.
    let exchange = |path: &std::path::Path, content: &str| {
        let time = fs::metadata(path).unwrap().modified().unwrap();
        fs::remove_file(path).unwrap();
        fs::write(path, content).unwrap();
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    exchange(&unpacked.tree.join("demo/b.py"), "X");
    unpack(Scrutiny::Glance).unwrap();
    assert_eq!(read("demo/b.py"), "X");
    unpack(Scrutiny::Digests).unwrap();
    assert_eq!(read("demo/b.py"), "b");

    // Its table as well, so that both agree.
    for (name, content) in [
        ("demo/b.py", "X".to_owned()),
        ("demo-1.0.dist-info/WHEEL", read("demo-1.0.dist-info/WHEEL").replace("1.0", "1.9")),
    ] {
        let (genuine, table) = (read(name), unpacked.tree.with_file_name("entries.json"));
        let text = fs::read_to_string(&table).unwrap();
        exchange(&unpacked.tree.join(name), &content);
        fs::write(&table, text.replace(&Digest::of(&genuine).to_string(), &Digest::of(&content).to_string())).unwrap();
        unpack(Scrutiny::Digests).unwrap();
        assert_eq!(read(name), genuine, "for {name}");
    }
    // A file more.
    fs::write(unpacked.tree.join("demo/more.py"), "evil").unwrap();
    unpack(Scrutiny::Digests).unwrap();
    assert!(!unpacked.tree.join("demo/more.py").exists());

    // And the wheel file.
    fs::write(&blob.path, &demo().file("demo/b.py", "evil").build().bytes).unwrap();
    assert_eq!(unpack(Scrutiny::Digests).unwrap_err().code(), "E_DIGEST");
}

#[test]
fn attack_13_local_headers_that_disagree_are_refused() {
    let wheel = demo().build();
    let at = (0..wheel.bytes.len()).find(|at| wheel.bytes[*at..].starts_with(b"demo/aaaaaaaa.py")).unwrap();
    let changed = |at: usize, byte: u8| {
        let mut bytes = wheel.bytes.clone();
        bytes[at] = byte;
        FixtureFile { bytes, ..wheel.clone() }
    };
    // The name, the method and the size: what a reader that starts at the front would see.
    for (at, byte) in [(at + 5, b'b'), (at - 30 + 8, 0), (at - 30 + 22, 9)] {
        let (exit, text) = refusal(&changed(at, byte));
        assert!(exit == Exit::Trust && text.starts_with("its entry `demo/aaaaaaaa.py` is refused: "), "{text}");
    }
}

#[test]
fn attack_13_names_too_long_are_the_wheels_fault() {
    let long = |length: usize| format!("demo/{}.py", "x".repeat(length));
    let (exit, text) = refusal(&demo().file(&long(300), "").build());
    assert!(exit == Exit::Trust && text.contains("a component of its name is longer than 255 bytes"), "{text}");
    // Each part is short, and the whole is longer than systems open.
    let deep = vec!["y".repeat(250); 20].join("/");
    let (exit, text) = refusal(&demo().file(&deep, "").build());
    assert!(exit == Exit::Trust, "{text}");
    assert!(refusal(&demo().file(&vec!["y"; 40].join("/"), "").build()).1.contains("more than 32 components"));
    StoreBench::new().unpack(&demo().file(&long(252), "").build()).unwrap();
}

#[test]
fn attack_8_a_second_dist_info_is_refused_however_it_is_spelled() {
    for folder in ["other-1.0.dist-info", "other-1.0.DIST-INFO"] {
        let (exit, text) = refusal(&demo().file(&format!("{folder}/METADATA"), "").build());
        assert!(exit == Exit::Trust && text.ends_with("there must be one such folder, there are 2"), "{text}");
    }
}

#[test]
fn the_fixture_itself_is_a_sound_zip() {
    assert_eq!(ZipArchive::new(Cursor::new(demo().build().bytes)).unwrap().len(), 5);
}
