//! Wheels that must not be unpacked, and what is said about them.

#![allow(clippy::unwrap_used, reason = "a helper that cannot do its work is a failed test")]

mod wheel_support;

use std::fs;
use std::io::{Cursor, Write as _};

use testkit::{FixtureFile, RecordFault, WheelBuilder};
use vocab::{Digest, Exit, Fault};
use wheel_support::{Bench, told};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Why unpacking fails; the store must be as it was.
fn refusal(wheel: &FixtureFile) -> (Exit, String) {
    let bench = Bench::new();
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
fn a_record_that_does_not_fit_is_refused_with_exit_4_naming_the_file() {
    let file = || "demo/b.py".to_owned();
    let cases = [
        (RecordFault::WrongDigest(file()), "its file `demo/b.py` has another digest than its RECORD says"),
        (RecordFault::WrongSize(file()), "its file `demo/b.py` has another size than its RECORD says"),
        (RecordFault::NotListed(file()), "its file `demo/b.py` is not listed in its RECORD with a digest"),
        (RecordFault::NotThere("demo/c.py".into()), "its RECORD lists `demo/c.py`, which it does not have"),
        (RecordFault::Missing, "its `demo-1.0.dist-info/RECORD` is not as wheels have it: there is none"),
    ];
    for (fault, expected) in cases {
        let wheel = demo().record_fault(fault.clone()).build();
        assert_eq!(refusal(&wheel), (Exit::Trust, expected.to_owned()), "for {fault:?}");
    }
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
        ("../aaaaaaaaaa.py", "its entry `../aaaaaaaaaa.py` is refused: it leaves its root with `..`"),
        ("demo/../aaaaa.py", "its entry `demo/../aaaaa.py` is refused: it leaves its root with `..`"),
        ("/emo/aaaaaaaa.py", "its entry `/emo/aaaaaaaa.py` is refused: it is absolute"),
        ("C:mo/aaaaaaaa.py", "its entry `C:mo/aaaaaaaa.py` is refused: it names a drive"),
        ("demo\\aaaaaaaa.py", "its entry `demo\\aaaaaaaa.py` is refused: it holds a backslash; write `/`"),
        ("demo/aaaa\naaa.py", "its entry `demo/aaaa\naaa.py` is refused: its name holds a control character"),
        ("demo/.//././b.py", "its entry `demo/b.py` is refused: another entry has the same path"),
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
        "its `.dist-info` is not as wheels have it: `demo-1.0.dist-info` belongs to another wheel"
    );
    let text = FixtureFile { bytes: b"no archive".to_vec(), ..demo().build() };
    assert!(refusal(&text).1.starts_with("it is no zip archive that can be read"), "{}", refusal(&text).1);
    let whole = demo().build();
    let half = FixtureFile { bytes: whole.bytes[..whole.bytes.len() / 2].to_vec(), ..whole };
    assert_eq!(refusal(&half).0, Exit::Trust);
    let smuggled = demo().console_script("x", "a:b; import os").build();
    assert!(refusal(&smuggled).1.ends_with("`x = a:b; import os` makes no script"), "{}", refusal(&smuggled).1);
}

#[test]
fn no_damaged_byte_makes_a_panic_or_a_wrong_file() {
    let wheel = demo().build();
    let bench = Bench::new();
    let sound = bench.unpack(&wheel).unwrap().contents.entries;
    for at in 0..wheel.bytes.len() {
        let mut bytes = wheel.bytes.clone();
        bytes[at] ^= 0x55;
        let damaged = FixtureFile { bytes, ..wheel.clone() };
        if let Ok(unpacked) = bench.unpack(&damaged) {
            // A time stamp, say: the files are the same all the same.
            let files = |entries: &[builder::wheel::Entry]| {
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
    let bench = Bench::new();
    let wheel = demo().build();
    let mut blob = bench.blob(&wheel);
    let stored = bench.context.store.blob(&blob.sha256);
    fs::create_dir_all(stored.parent().unwrap()).unwrap();
    fs::write(&stored, &wheel.bytes[..100]).unwrap();
    blob.path.clone_from(&stored);
    let error = builder::wheel::unpack(&bench.context, &blob).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_DIGEST", Exit::Trust));
    assert!(!stored.exists());
}

#[test]
fn the_fixture_itself_is_a_sound_zip() {
    assert_eq!(ZipArchive::new(Cursor::new(demo().build().bytes)).unwrap().len(), 5);
}
