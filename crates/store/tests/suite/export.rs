//! An export in every bad state: one error that names everything, and a second export that mends it.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use store::Store;
use store::export::{
    ExportError, ExportManifest, ExportedBuild, ExportedRuntime, Given, Growing, Import, MANIFEST, MadeWith, SUMS,
    Wanted, refuse_as_remote_store,
};
use store::remote::{ChosenInterpreter, RemoteSettings};
use testkit::{WheelBuilder, told};
use vocab::{Digest, Fault, PlatformKey};

use testkit::store_bench::StoreBench;

const HOST: PlatformKey = PlatformKey::LinuxX64;

/// The file that stays beside the manifest, whatever becomes of it.
const LOCK: &str = "pydist-export.lock";

fn lock() -> Digest {
    Digest::of("the locked rows")
}

fn made_with(sources: &str) -> MadeWith {
    MadeWith { settings: BTreeMap::from([("python.sources".to_owned(), sources.to_owned())]), building: None }
}

fn row(version: &str, hosts: &[(PlatformKey, &Given)]) -> ExportedRuntime {
    let build = |given: &Given| ExportedBuild {
        made_with: Some(made_with("go-module")),
        objects: given.objects(),
        ..ExportedBuild::default()
    };
    ExportedRuntime {
        version: version.parse().unwrap(),
        platform: PlatformKey::LinuxX64,
        lock: lock(),
        hosts: hosts.iter().map(|(host, given)| (*host, build(given))).collect(),
    }
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
        let mut growing = Growing::open(stick)?;
        let given = growing.begin();
        let near = self.bench.context.near();
        self.give(&given, &["one", "two", "three"]);
        let wheel = WheelBuilder::new("made", "1.0").build().write_to(self.folder.path());
        let sha256 = Digest::of(fs::read(&wheel).unwrap());
        given.remote.give_built(&near, &Digest::of("key"), b"{}", &wheel, &sha256);
        given.remote.outcome().unwrap();
        growing.add_runtime(row(version, &[(HOST, &given)]));
        let finished = growing.finish("1.0.0")?;
        assert!(finished.lost.is_empty() && !finished.unlocked, "{finished:?}");
        Ok(finished.manifest)
    }

    fn give(&self, given: &Given, texts: &[&str]) {
        for text in texts {
            let sha256 = Digest::of(text);
            given.remote.give_blob(&self.bench.context.near(), &self.bench.context.store.blob(&sha256), &sha256);
        }
    }

    fn wanted(platform: PlatformKey) -> Wanted {
        let version = "3.12.10".parse().unwrap();
        Wanted { version, platform, lock: Some(lock()), made_with: made_with("go-module") }
    }

    fn require(&self) -> Result<(), ExportError> {
        Import::open(&self.stick())?.require(&[Self::wanted(HOST)], HOST, &self.other())
    }

    /// Code, exit code and the whole text.
    fn refused(&self) -> (String, i32, String) {
        let fault = self.require().unwrap_err();
        (fault.code().to_owned(), fault.exit() as i32, told(&fault))
    }

    fn remove(&self, text: &str) {
        fs::remove_file(self.stick().join(blob(text))).unwrap();
    }

    /// Every file of the stick, below it, but for the empty one that marks it.
    fn files(&self) -> Vec<String> {
        files(&self.stick())
    }
}

/// The name of this blob in an export.
fn blob(text: &str) -> String {
    let name = Digest::of(text).to_string();
    format!("v1/blobs/{}/{name}", &name[..2])
}

fn files(folder: &Path) -> Vec<String> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = walk.filter(|entry| !entry.file_type().is_dir() && entry.file_name() != LOCK);
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
    desk.remove("one");
    let mut growing = Growing::open(&desk.stick()).unwrap();
    let given = growing.begin();
    desk.give(&given, &["two"]);
    growing.add_runtime(row("3.11.9", &[(HOST, &given)]));
    let finished = growing.finish("1.0.0").unwrap();
    let (manifest, lost) = (finished.manifest, finished.lost);
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
    ["one", "two"].iter().for_each(|text| desk.remove(text));
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
    manifest["format"] = 3.into();
    manifest["what nobody knows yet"] = true.into();
    fs::write(&path, manifest.to_string()).unwrap();
    let (code, exit, text) = desk.refused();
    assert_eq!((code.as_str(), exit), ("E_EXPORT_FORMAT", 2), "{text}");
    assert!(text.contains("has format 3; this pydist reads format 2"), "{text}");
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
    let remote = Import::open(&desk.stick()).unwrap().remote("--from", [].iter(), HOST);
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
    let example = repository("fixtures/export/format-2");
    for folder in [desk.stick(), example.clone()] {
        let manifest: serde_json::Value = serde_json::from_slice(&fs::read(folder.join(MANIFEST)).unwrap()).unwrap();
        assert!(schema.is_valid(&manifest), "{:?}", schema.iter_errors(&manifest).next());
    }
    let import = Import::open(&example).unwrap();
    assert_eq!(import.manifest().text(), fs::read_to_string(example.join(MANIFEST)).unwrap());
    let manifest = serde_json::to_value(import.manifest()).unwrap();
    for (pointer, value) in [
        ("/format", serde_json::json!(1)),
        ("/runtimes/0/platform", serde_json::json!("linux-arm64")),
        ("/runtimes/0/lock", serde_json::json!("x")),
        ("/runtimes/0/hosts/linux-x64/objects/0", serde_json::json!("../x")),
        ("/runtimes/0/hosts/linux-x64/made_with/settings/python.sources", serde_json::json!(1)),
        ("/runtimes/0/hosts", serde_json::json!({ "here": {} })),
    ] {
        let mut wrong = manifest.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert!(!schema.is_valid(&wrong), "{pointer}");
    }
}

#[test]
fn an_export_of_format_1_is_read_and_the_next_export_writes_format_2() {
    let example = repository("fixtures/export/format-1");
    let import = Import::open(&example).unwrap();
    let runtime = import.manifest().runtimes[0].clone();
    let build = &runtime.hosts[&HOST];
    assert_eq!((build.objects.len(), build.interpreters.len(), &build.made_with), (6, 1, &None));
    let version = "3.12.10-slim".parse().unwrap();
    let wanted = Wanted { version, lock: Some(runtime.lock), ..Desk::wanted(HOST) };
    let desk = Desk::new();
    // Only its objects are not there.
    let fault = import.require(std::slice::from_ref(&wanted), HOST, &desk.other()).unwrap_err();
    assert_eq!(fault.code(), "E_EXPORT_DAMAGED", "{}", told(&fault));
    let (question, chosen) = build.interpreters.iter().next().unwrap();
    assert_eq!(import.remote("--from", [wanted].iter(), HOST).interpreter(question), Some(chosen));

    fs::create_dir(desk.stick()).unwrap();
    for file in [MANIFEST, SUMS] {
        fs::copy(example.join(file), desk.stick().join(file)).unwrap();
    }
    let growing = Growing::open(&desk.stick()).unwrap();
    assert!(!growing.restarted());
    assert_eq!(growing.finish("1.0.0").unwrap().lost, ["3.12.10-slim for linux-x64"], "its files are not here");
    assert_eq!(Import::open(&desk.stick()).unwrap().manifest().format, 2);
}

#[test]
fn what_was_exported_with_other_settings_is_said_at_once_with_both_values() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let import = Import::open(&desk.stick()).unwrap();
    let mut here = made_with("system");
    here.settings.insert("python.flavor".to_owned(), "debug".to_owned());
    // Nothing is built from a source, so what a source would become does not matter.
    here.building = Some(BTreeMap::from([("CFLAGS".to_owned(), "-O3".to_owned())]));
    let wanted = Wanted { made_with: here.clone(), ..Desk::wanted(HOST) };
    let fault = import.require(&[wanted], HOST, &desk.other()).unwrap_err();
    let text = told(&fault);
    assert_eq!((fault.code(), fault.exit() as i32), ("E_EXPORT_LACKS", 1), "{text}");
    assert!(text.contains("`python.sources` was `go-module`, and is `system` here"), "{text}");
    assert!(text.contains("`python.flavor` was not set, and is `debug` here") && !text.contains("CFLAGS"), "{text}");
    let hint = fault.hint().unwrap();
    assert!(hint.contains("build with what it was exported with") && hint.contains("builder export 3.12.10"), "{hint}");
    let exported = MadeWith { building: Some(BTreeMap::new()), ..made_with("system") };
    let differences = MadeWith { settings: exported.settings.clone(), ..here };
    assert_eq!(exported.differences(&differences), ["`CFLAGS` was not set, and is `-O3` here"]);
}

#[test]
fn a_file_that_only_another_host_needs_does_not_stop_a_build() {
    let desk = Desk::new();
    let windows = PlatformKey::WindowsX64;
    let mut growing = Growing::open(&desk.stick()).unwrap();
    let (here, there) = (growing.begin(), growing.begin());
    desk.give(&here, &["one", "two"]);
    desk.give(&there, &["one", "three"]);
    growing.add_runtime(row("3.12.10", &[(HOST, &here), (windows, &there)]));
    growing.finish("1.0.0").unwrap();
    desk.remove("three");
    desk.require().unwrap();
    let fault = Import::open(&desk.stick()).unwrap().require(&[Desk::wanted(HOST)], windows, &desk.other());
    let fault = fault.unwrap_err();
    assert!(told(&fault).contains(&blob("three")) && !told(&fault).contains(&blob("one")), "{}", told(&fault));
    assert!(fault.hint().unwrap().contains("--for-host windows-x64 --to"), "{:?}", fault.hint());
    // Whatever is exported next, only that host is no longer listed.
    let finished = Growing::open(&desk.stick()).unwrap().finish("1.0.0").unwrap();
    assert_eq!(finished.lost, ["3.12.10 for linux-x64 on windows-x64"]);
    desk.require().unwrap();
    assert_eq!(finished.manifest.runtimes[0].hosts.keys().collect::<Vec<_>>(), [&HOST]);
}

#[test]
fn each_runtime_keeps_the_interpreter_that_was_chosen_for_it() {
    let desk = Desk::new();
    let question = Digest::of("which 3.12.10?");
    let chosen = |actual: &str| ChosenInterpreter {
        requested: "3.12.10".parse().unwrap(),
        actual: actual.parse().unwrap(),
        platform: PlatformKey::LinuxX64,
        source: "system".to_owned(),
        origin: format!("CPython {actual} of this machine"),
        digest: Digest::of(actual),
    };
    // From two machines that have different Pythons of their own.
    for (version, actual) in [("3.12.10", "3.12.1"), ("3.12.10-slim", "3.12.3")] {
        let mut growing = Growing::open(&desk.stick()).unwrap();
        let given = growing.begin();
        desk.give(&given, &["one"]);
        let mut row = row(version, &[(HOST, &given)]);
        row.hosts.get_mut(&HOST).unwrap().interpreters.insert(question, chosen(actual));
        growing.add_runtime(row);
        growing.finish("1.0.0").unwrap();
    }
    let import = Import::open(&desk.stick()).unwrap();
    let slim = Wanted { version: "3.12.10-slim".parse().unwrap(), ..Desk::wanted(HOST) };
    for (wanted, actual) in [(Desk::wanted(HOST), "3.12.1"), (slim, "3.12.3")] {
        let remote = import.remote("--from", [wanted].iter(), HOST);
        assert_eq!(remote.interpreter(&question), Some(&chosen(actual)));
    }
}

#[test]
fn a_folder_with_something_of_others_is_refused_and_left_as_it_is() {
    let desk = Desk::new();
    let stick = desk.stick();
    for foreign in [SUMS, "v1/blobs/00/of-a-remote-store"] {
        fs::create_dir_all(stick.join(foreign).parent().unwrap()).unwrap();
        fs::write(stick.join(foreign), "of others").unwrap();
        let fault = desk.export("3.12.10").unwrap_err();
        let name = foreign.split('/').next().unwrap();
        assert_eq!((fault.code(), fault.exit() as i32), ("E_EXPORT_FOREIGN", 2));
        assert!(told(&fault).contains(&format!("holds `{name}`, which an export would replace")), "{}", told(&fault));
        assert_eq!(files(&stick), [foreign]);
        assert_eq!(fs::read_to_string(stick.join(foreign)).unwrap(), "of others");
        fs::remove_dir_all(&stick).unwrap();
    }
    // What lies beside is not touched, and what an interrupted export left is its own.
    fs::create_dir(&stick).unwrap();
    fs::write(stick.join("holiday.jpg"), "of others").unwrap();
    desk.give(&Growing::open(&stick).unwrap().begin(), &["one"]);
    assert!(stick.join("v1").is_dir() && !stick.join(MANIFEST).exists());
    let settings = RemoteSettings {
        address: stick.display().to_string(),
        given: "--remote-store",
        read_only: false,
        strict: true,
    };
    assert!(refuse_as_remote_store(&settings).is_err(), "an unfinished export is not a remote store either");
    desk.export("3.12.10").unwrap();
    desk.require().unwrap();
    assert_eq!(fs::read_to_string(stick.join("holiday.jpg")).unwrap(), "of others");
}

#[test]
fn two_exports_into_one_folder_at_once_keep_each_others_rows() {
    let desk = Desk::new();
    // Both begin before either ends.
    let begin = |version: &str, text: &str| {
        let mut growing = Growing::open(&desk.stick()).unwrap();
        let given = growing.begin();
        desk.give(&given, &[text]);
        growing.add_runtime(row(version, &[(HOST, &given)]));
        growing
    };
    let (one, other) = (begin("3.12.10", "one"), begin("3.11.9", "two"));
    one.finish("1.0.0").unwrap();
    let manifest = other.finish("1.0.0").unwrap().manifest;
    assert_eq!((manifest.runtimes.len(), manifest.objects.len()), (2, 2), "{manifest:?}");
    desk.require().unwrap();
    // And while the manifest is written, the other waits.
    let threads: Vec<_> = (0..8).map(|number| begin(&format!("3.10.{number}"), "three")).collect();
    std::thread::scope(|scope| {
        for growing in threads {
            scope.spawn(|| growing.finish("1.0.0").unwrap());
        }
    });
    assert_eq!(Import::open(&desk.stick()).unwrap().manifest().runtimes.len(), 10);
}

#[test]
fn names_in_an_export_suit_fat_and_windows_and_need_no_links() {
    let desk = Desk::new();
    desk.export("3.12.10").unwrap();
    let names: Vec<String> = walkdir::WalkDir::new(desk.stick())
        .into_iter()
        .map(|entry| entry.unwrap())
        .inspect(|entry| assert!(!entry.path_is_symlink(), "{entry:?}"))
        .map(|entry| entry.path().strip_prefix(desk.stick()).unwrap().display().to_string())
        .collect();
    let folded: std::collections::BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(folded.len(), names.len(), "{names:?}");
    for name in names {
        // What FAT and Windows refuse in a name, or would change.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-./\\".contains(c);
        assert!(name.chars().all(is_plain), "{name}");
        if !name.is_empty() {
            let path: vocab::TreePath = name.replace('\\', "/").parse().unwrap();
            assert_eq!(vocab::refused_by_windows(&path), None, "{name}");
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        for file in desk.files() {
            assert_eq!(fs::metadata(desk.stick().join(&file)).unwrap().nlink(), 1, "{file}");
        }
    }
}
