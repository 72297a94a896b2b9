//! An export in every bad state: one error that names everything, and a second export that mends it.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use store::Store;
use store::export::{ExportError, ExportManifest, ExportedRuntime, Growing, Import, MANIFEST, SUMS, Wanted};
use testkit::{WheelBuilder, told};
use vocab::{Digest, Fault, PlatformKey};

use testkit::store_bench::StoreBench;

const HOST: PlatformKey = PlatformKey::LinuxX64;

fn lock() -> Digest {
    Digest::of("the locked rows")
}

/// A warm store with three files and one part of each other kind, and a stick.
struct Desk {
    bench: StoreBench,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { bench: StoreBench::new(), folder: tempfile::tempdir().unwrap() };
        let store = &desk.bench.context.store;
        for text in ["one", "two", "three"] {
            let path = store.blob(&Digest::of(text));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        desk
    }

    fn stick(&self) -> PathBuf {
        self.folder.path().join("stick")
    }

    /// An empty store of another machine.
    fn other(&self) -> Store {
        Store::open(self.folder.path().join("other")).unwrap()
    }

    fn export(&self, version: &str) -> Result<ExportManifest, ExportError> {
        self.export_to(&self.stick(), version)
    }

    fn export_to(&self, stick: &Path, version: &str) -> Result<ExportManifest, ExportError> {
        let mut growing = Growing::open(stick, "1.0.0")?;
        let given = growing.begin();
        let near = self.bench.context.near();
        for text in ["one", "two", "three"] {
            let sha256 = Digest::of(text);
            given.remote.give_blob(&near, &self.bench.context.store.blob(&sha256), &sha256);
        }
        let wheel = WheelBuilder::new("made", "1.0").build().write_to(self.folder.path());
        let sha256 = Digest::of(fs::read(&wheel).unwrap());
        given.remote.give_built(&near, &Digest::of("key"), b"{}", &wheel, &sha256);
        given.remote.outcome().unwrap();
        let row = ExportedRuntime {
            version: version.parse().unwrap(),
            platform: PlatformKey::LinuxX64,
            lock: lock(),
            hosts: BTreeSet::from([HOST]),
            objects: BTreeSet::new(),
        };
        growing.add_runtime(row, &given);
        let (manifest, lost) = growing.finish()?;
        assert!(lost.is_empty(), "{lost:?}");
        Ok(manifest)
    }

    fn wanted(platform: PlatformKey) -> Wanted {
        Wanted { version: "3.12.10".parse().unwrap(), platform, lock: Some(lock()) }
    }

    fn require(&self) -> Result<(), ExportError> {
        Import::open(&self.stick())?.require(&[Self::wanted(HOST)], HOST, &self.other())
    }

    /// Code, exit code and the whole text.
    fn refused(&self) -> (String, i32, String) {
        let fault = self.require().unwrap_err();
        (fault.code().to_owned(), fault.exit() as i32, told(&fault))
    }

    /// Every file of the stick, below it.
    fn files(&self) -> Vec<String> {
        files(&self.stick())
    }
}

fn files(folder: &Path) -> Vec<String> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = walk.filter(|entry| !entry.file_type().is_dir());
    files.map(|entry| entry.path().strip_prefix(folder).unwrap().display().to_string()).collect()
}

#[test]
fn an_export_that_was_interrupted_between_its_two_files_is_the_new_one() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let manifest = desk.stick().join(MANIFEST);
    let former = fs::read(&manifest).unwrap();
    desk.export("3.11.9").unwrap();
    fs::rename(&manifest, desk.stick().join("pydist-export.json.next")).unwrap();
    fs::write(&manifest, &former).unwrap();
    assert_eq!(Import::open(&desk.stick()).unwrap().manifest().runtimes.len(), 2);
    desk.require().unwrap();
    // The next export goes on from there, and puts the manifest in its place.
    assert_eq!(desk.export("3.10.4").unwrap().runtimes.len(), 3);
    assert!(!desk.stick().join("pydist-export.json.next").exists());
    // One that belongs to nothing is not believed.
    fs::write(desk.stick().join("pydist-export.json.next"), &former).unwrap();
    fs::write(&manifest, &former).unwrap();
    assert_eq!(desk.refused().0, "E_EXPORT_DAMAGED");
}

#[test]
fn a_runtime_whose_files_are_gone_is_no_longer_listed_and_named() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let sha256 = Digest::of("one");
    let text = sha256.to_string();
    fs::remove_file(desk.stick().join("v1/blobs").join(&text[..2]).join(&text)).unwrap();
    let mut growing = Growing::open(&desk.stick(), "1.0.0").unwrap();
    let given = growing.begin();
    let sha256 = Digest::of("two");
    given.remote.give_blob(&desk.bench.context.near(), &desk.bench.context.store.blob(&sha256), &sha256);
    let row = ExportedRuntime {
        version: "3.11.9".parse().unwrap(),
        platform: PlatformKey::LinuxX64,
        lock: lock(),
        hosts: BTreeSet::from([HOST]),
        objects: BTreeSet::new(),
    };
    growing.add_runtime(row, &given);
    let (manifest, lost) = growing.finish().unwrap();
    assert_eq!(lost, ["3.12.10 for linux-x64"]);
    assert_eq!((manifest.runtimes.len(), manifest.objects.len()), (1, 1), "{manifest:?}");
    assert_eq!(desk.refused().0, "E_EXPORT_LACKS");
    desk.export("3.12.10").unwrap();
    desk.require().unwrap();
}

#[test]
fn two_exports_have_equal_bytes_and_a_second_one_adds_only_what_is_new() {
    let desk = Desk::new();
    let manifest = desk.export("3.12.10").unwrap();
    assert_eq!((manifest.runtimes.len(), manifest.objects.len()), (1, 5), "{manifest:?}");
    desk.require().unwrap();
    let twin = desk.folder.path().join("twin");
    desk.export_to(&twin, "3.12.10").unwrap();
    assert_eq!(desk.files(), files(&twin));
    for file in desk.files() {
        assert_eq!(fs::read(desk.stick().join(&file)).unwrap(), fs::read(twin.join(&file)).unwrap(), "{file}");
    }
    let times = |desk: &Desk| -> Vec<_> {
        let objects = desk.files().into_iter().filter(|file| file.starts_with("v1"));
        objects.map(|file| fs::metadata(desk.stick().join(file)).unwrap().modified().unwrap()).collect()
    };
    let before = times(&desk);
    let grown = desk.export("3.10.11").unwrap();
    assert_eq!((grown.runtimes.len(), grown.objects.len()), (2, 5));
    assert_eq!(times(&desk), before, "nothing is written twice");
    desk.require().unwrap();
    // What the folder holds is what any tool can check.
    let sums = fs::read_to_string(desk.stick().join(SUMS)).unwrap();
    for line in sums.lines() {
        let (sha256, file) = line.split_once("  ").unwrap();
        assert_eq!(Digest::of(fs::read(desk.stick().join(file)).unwrap()).to_string(), sha256, "{file}");
    }
    assert_eq!(sums.lines().count(), desk.files().len() - 1, "all but the sums themselves");
}

#[test]
fn an_export_that_is_cut_or_changed_at_any_file_is_one_error_and_a_second_export_mends_it() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let whole = desk.files();
    let kept: Vec<Vec<u8>> = whole.iter().map(|file| fs::read(desk.stick().join(file)).unwrap()).collect();
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 5] = [
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("cut", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("one byte flipped", |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("a folder in its place", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for file in &whole {
        for (what, harm) in harms {
            let path = desk.stick().join(file);
            harm(&path);
            let (code, exit, text) = desk.refused();
            let is_absent = file == MANIFEST && what == "removed";
            let expected = if is_absent { ("E_EXPORT_READ", 2) } else { ("E_EXPORT_DAMAGED", 4) };
            assert_eq!((code.as_str(), exit), expected, "{file} {what}: {text}");
            let named = [file.as_str(), MANIFEST].iter().any(|name| text.contains(name));
            assert!(named, "{file} {what}: {text}");
            if what == "a folder in its place" {
                fs::remove_dir(&path).unwrap();
            }
            desk.export("3.12.10").unwrap();
            desk.require().unwrap();
            let now: Vec<Vec<u8>> = desk.files().iter().map(|it| fs::read(desk.stick().join(it)).unwrap()).collect();
            assert_eq!((desk.files(), now), (whole.clone(), kept.clone()), "{file} {what}: mended");
        }
    }
}

#[test]
fn all_that_is_missing_is_said_at_once_with_the_command_that_supplies_it() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    for text in ["one", "two"] {
        let name = Digest::of(text).to_string();
        fs::remove_file(desk.stick().join("v1/blobs").join(&name[..2]).join(&name)).unwrap();
    }
    let fault = desk.require().unwrap_err();
    let text = told(&fault);
    assert!(["one", "two"].iter().all(|it| text.contains(&Digest::of(it).to_string())), "{text}");
    assert!(!text.contains(&Digest::of("three").to_string()), "{text}");
    let stick = desk.stick().display().to_string();
    let command = format!("builder export 3.12.10 --platform linux-x64 --for-host linux-x64 --to {stick}");
    assert!(fault.hint().unwrap().contains(&command), "{:?}", fault.hint());
    // A store that has them needs nothing from the stick.
    let store = &desk.bench.context.store;
    let built = store.built(&Digest::of("key"));
    fs::create_dir_all(built).unwrap();
    Import::open(&desk.stick()).unwrap().require(&[Desk::wanted(HOST)], HOST, store).unwrap();
}

#[test]
fn an_export_of_another_platform_lock_or_host_says_so() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let import = Import::open(&desk.stick()).unwrap();
    let windows = PlatformKey::WindowsX64;
    let other = |version: &str| Wanted { version: version.parse().unwrap(), ..Desk::wanted(HOST) };
    let cases = [
        // (what is wanted, on, what is said)
        (vec![Desk::wanted(windows)], HOST, "3.12.10 for windows-x64 is not in it; it has 3.12.10 for linux-x64"),
        (vec![other("3.10.11")], HOST, "3.10.11 for linux-x64 is not in it"),
        (
            vec![Wanted { lock: Some(Digest::of("changed")), ..Desk::wanted(HOST) }],
            HOST,
            "3.12.10 for linux-x64 was exported with another lock",
        ),
        (vec![Desk::wanted(HOST)], windows, "can be built from it on linux-x64, and this machine is windows-x64"),
        (vec![other("3.10.11"), Desk::wanted(windows)], HOST, "3.12.10 for windows-x64 is not in it"),
    ];
    for (wanted, host, said) in cases {
        let fault = import.require(&wanted, host, &desk.other()).unwrap_err();
        assert_eq!((fault.code(), fault.exit() as i32), ("E_EXPORT_LACKS", 1));
        assert!(told(&fault).contains(said), "{}", told(&fault));
        let lines = told(&fault).matches(" for ").count();
        assert!(lines >= wanted.len(), "each is named: {}", told(&fault));
    }
}

#[test]
fn an_export_of_a_newer_pydist_is_refused_and_not_overwritten() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let path = desk.stick().join(MANIFEST);
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["format"] = 2.into();
    manifest["what nobody knows yet"] = true.into();
    fs::write(&path, manifest.to_string()).unwrap();
    let (code, exit, text) = desk.refused();
    assert_eq!((code.as_str(), exit), ("E_EXPORT_FORMAT", 2), "{text}");
    assert!(text.contains("has format 2; this pydist reads format 1"), "{text}");
    assert_eq!(desk.export("3.12.10").unwrap_err().code(), "E_EXPORT_FORMAT");
    assert_eq!(fs::read_to_string(path).unwrap(), manifest.to_string());
}

#[cfg(unix)]
#[test]
fn a_link_in_an_export_is_an_error_and_a_second_export_removes_it_and_leaves_its_target() {
    use std::os::unix::fs::symlink;

    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let outside = desk.folder.path().join("outside");
    for planted in ["v1", "v1/blobs"].into_iter().map(str::to_owned).chain(desk.files()) {
        let path = desk.stick().join(&planted);
        fs::rename(&path, &outside).unwrap();
        symlink(&outside, &path).unwrap();
        let before = files(&outside);
        let (code, exit, text) = desk.refused();
        assert_eq!((code.as_str(), exit), ("E_EXPORT_DAMAGED", 4), "{planted}: {text}");
        assert!(text.contains("a link") || planted == SUMS, "{planted}: {text}");
        desk.export("3.12.10").unwrap();
        desk.require().unwrap();
        assert!(!fs::symlink_metadata(&path).unwrap().is_symlink(), "{planted}");
        assert_eq!(files(&outside), before, "{planted}: what is behind it is untouched");
        if outside.is_dir() { fs::remove_dir_all(&outside).unwrap() } else { fs::remove_file(&outside).unwrap() }
    }
}

#[test]
fn what_the_manifest_does_not_list_is_never_read() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let planted = Digest::of("planted");
    let name = planted.to_string();
    let path = desk.stick().join("v1/blobs").join(&name[..2]).join(&name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "planted").unwrap();
    let remote = Import::open(&desk.stick()).unwrap().remote("--from");
    let near = desk.bench.context.near();
    assert!(!remote.bring_blob(&near, &planted, "planted", None));
    assert!(remote.has_blob(&near, &Digest::of("one")) && !remote.has_blob(&near, &planted));
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn the_schema_knows_what_is_written_and_the_example_and_refuses_other_shapes() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let schema = fs::read_to_string(repository("schemas/export.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let example = repository("fixtures/export/format-1");
    for folder in [desk.stick(), example.clone()] {
        let manifest: serde_json::Value = serde_json::from_slice(&fs::read(folder.join(MANIFEST)).unwrap()).unwrap();
        assert!(schema.is_valid(&manifest), "{:?}", schema.iter_errors(&manifest).next());
    }
    let import = Import::open(&example).unwrap();
    assert_eq!(import.manifest().text(), fs::read_to_string(example.join(MANIFEST)).unwrap());
    let manifest = serde_json::to_value(import.manifest()).unwrap();
    for (pointer, value) in [
        ("/format", serde_json::json!(2)),
        ("/runtimes/0/platform", serde_json::json!("linux-arm64")),
        ("/runtimes/0/lock", serde_json::json!("x")),
        ("/runtimes/0/objects/0", serde_json::json!("../x")),
        ("/runtimes/0/hosts/0", serde_json::json!("here")),
    ] {
        let mut wrong = manifest.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert!(!schema.is_valid(&wrong), "{pointer}");
    }
}
