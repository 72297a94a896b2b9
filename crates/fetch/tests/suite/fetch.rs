//! Fetching: what is transferred, what is believed, and what is left when it goes wrong.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use archive::{ExtractOptions, extract, verify, write_manifest};
use fetch::{
    Deadline, FetchError, FetchOutcome, FetchRequest, FetchSettings, FetchTarget, FetchWatch, Pace, ReuseMode, fetch,
};
use testkit::{HttpMishap, HttpServer};
use vocab::{ArtifactFormat, Digest, Event, Exit, Fault, Manifest};

use testkit::runtime::{Runtime, manifest_beside};
use testkit::trees::{Node, read_tree};

/// An older runtime on disk, a newer one on a server.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
    pub server: HttpServer,
    pub older: PathBuf,
    pub newer: Manifest,
    pub bytes: Vec<u8>,
    told: Mutex<Vec<Event>>,
}

pub(crate) const URL: &str = "/dist/new.tar.zst";

impl Scene {
    /// `demo7` has another version in the newer one.
    pub fn new() -> Self {
        Self::with(&Runtime::new(), &Runtime::new().with("demo7", "1.1"))
    }

    pub fn with(older: &Runtime, newer: &Runtime) -> Self {
        let folder = Self::folder();
        let older = older.pack(&folder.path().join("old"), "old");
        let newer = newer.pack(&folder.path().join("published"), "new");
        Self::of(folder, older, newer)
    }

    fn of(folder: tempfile::TempDir, (older, _): (PathBuf, Manifest), (artifact, newer): (PathBuf, Manifest)) -> Self {
        let bytes = fs::read(&artifact).unwrap();
        let server = HttpServer::start();
        let scene = Self { folder, server, older, newer, bytes, told: Mutex::default() };
        scene.publish(&scene.bytes, &scene.newer);
        scene
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["old", "published", "out"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        folder
    }

    fn publish(&self, artifact: &[u8], manifest: &Manifest) {
        self.server.put(URL, artifact);
        self.server.put(&format!("{URL}.json"), write_manifest(manifest));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// To `out/new`, from the older artifact.
    pub fn request(&self) -> FetchRequest {
        FetchRequest {
            place: self.server.url(URL),
            older: vec![self.older.clone()],
            target: FetchTarget::File(self.path("out/new")),
            expected: None,
            expected_manifest: None,
            keep: None,
            reuse: ReuseMode::Own,
            recorded: std::collections::HashMap::new(),
            digests: false,
        }
    }

    pub fn fetch(&self, request: &FetchRequest) -> Result<FetchOutcome, FetchError> {
        let settings = FetchSettings { first_pause: Duration::ZERO, ..FetchSettings::default() };
        let tell = |event| self.told.lock().unwrap().push(event);
        fetch(request, &settings, FetchWatch { tell: &tell, cancelled: &AtomicBool::new(false) })
    }

    /// The artifact is there as it was published, its manifest beside it, and nothing else.
    fn assert_fetched(&self) {
        assert_eq!(names(&self.path("out")), ["new", "new.json"]);
        assert!(fs::read(self.path("out/new")).unwrap() == self.bytes);
        assert_eq!(fs::read_to_string(self.path("out/new.json")).unwrap(), write_manifest(&self.newer));
        verify(&self.path("out/new"), &self.newer).unwrap();
    }

    /// Refused with this code, and nothing is left.
    fn assert_refused(&self, request: &FetchRequest, code: &str, exit: Exit) -> FetchError {
        let error = self.fetch(request).unwrap_err();
        assert_eq!((error.code(), error.exit()), (code, exit), "{error:?}");
        assert_eq!(names(&self.path("out")), [""; 0]);
        error
    }

    pub fn notes(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let note = |event: &Event| match event {
            Event::Note { text } => Some(text.clone()),
            _ => None,
        };
        told.iter().filter_map(note).collect()
    }

    fn retries(&self) -> usize {
        self.told.lock().unwrap().iter().filter(|event| matches!(event, Event::Retry { .. })).count()
    }

    /// Half of the changed wheel's part, counted from the part's first byte.
    fn half_a_part(&self) -> usize {
        let parts = &self.newer.artifact.as_ref().unwrap().parts;
        parts.iter().find(|part| part.content.starts_with("demo7")).unwrap().size as usize / 2
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn attack_11_a_slow_server_and_one_past_its_time_are_given_up_and_the_option_is_named() {
    let runtime = Runtime::new();
    let cases = [
        // (settings, code, option)
        (
            FetchSettings { pace: Pace { lowest: u64::MAX, window: Duration::ZERO }, ..FetchSettings::default() },
            "E_FETCH_SLOW",
            "`--min-rate",
        ),
        (
            FetchSettings { deadline: Deadline::after(Duration::ZERO), ..FetchSettings::default() },
            "E_FETCH_TIMEOUT",
            "`--max-time`",
        ),
    ];
    for (settings, code, option) in cases {
        let scene = Scene::with(&runtime, &runtime.clone().with("demo7", "1.1"));
        let request = scene.request();
        let cancelled = AtomicBool::new(false);
        let error = fetch(&request, &settings, FetchWatch { tell: &|_| {}, cancelled: &cancelled }).unwrap_err();
        assert_eq!((error.code(), error.exit()), (code, Exit::Build), "{error:?}");
        assert!(error.to_string().contains(&request.place), "{error}");
        assert!(error.hint().unwrap().contains(option), "{:?}", error.hint());
        assert!(scene.server.requests().len() <= 1);
    }
}

#[test]
fn a_retry_names_the_url_and_none_of_its_secrets() {
    let runtime = Runtime::new();
    let scene = Scene::with(&runtime, &runtime.clone().with("demo7", "1.1"));
    for path in [URL.to_owned(), format!("{URL}.json")] {
        scene.server.next_time(&path, HttpMishap::Status(503));
    }
    let place = scene.server.url(URL).replace("http://", "http://ada:secret@");
    scene.fetch(&FetchRequest { place, ..scene.request() }).unwrap();
    let told = scene.told.lock().unwrap();
    let named: Vec<&str> = told
        .iter()
        .filter_map(|event| match event {
            Event::Retry { what, .. } => Some(what.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(named, [format!("{}.json", scene.server.url(URL)), scene.server.url(URL)]);
}

#[cfg(unix)]
#[test]
fn attack_4_an_artifact_in_a_folder_is_a_regular_file() {
    let scene = Scene::with(&Runtime::new(), &Runtime::new());
    let pipe = scene.path("pipe.tar.zst");
    for path in [&pipe, &scene.path("pipe.tar.zst.json")] {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    }
    let request = FetchRequest { place: pipe.display().to_string(), ..scene.request() };
    let error = scene.fetch(&request).unwrap_err();
    assert_eq!(error.code(), "E_ARCHIVE_READ", "{error:?}");
}

#[test]
fn a_changed_pin_moves_only_its_part_and_the_metadata_in_every_format() {
    for format in [ArtifactFormat::TarZst, ArtifactFormat::TarGz, ArtifactFormat::Tar] {
        let runtime = Runtime { bytes: 400_000, ..Runtime::new().format(format) };
        let scene = Scene::with(&runtime, &Runtime { ..runtime.clone() }.with("demo7", "1.1"));
        let mut request = scene.request();
        request.expected = Some(Digest::of(&scene.bytes));
        request.expected_manifest = Some(Digest::of(write_manifest(&scene.newer)));
        let fetched = scene.fetch(&request).unwrap();
        scene.assert_fetched();
        let (sent, size) = (scene.server.bytes_sent(URL), scene.bytes.len() as u64);
        assert!(sent * 20 <= size, "{sent} of {size} bytes in {format:?}");
        // What stands before the first part of a tar.gz belongs to no part, and is far from what changed.
        let requests = if format == ArtifactFormat::TarGz { 3 } else { 2 };
        assert_eq!((fetched.fetched, fetched.reused, fetched.parts, fetched.requests), (sent, 18, 20, requests));
    }
}

#[test]
fn without_anything_older_everything_comes_with_one_request() {
    let scene = Scene::new();
    let fetched = scene.fetch(&FetchRequest { older: vec![], ..scene.request() }).unwrap();
    scene.assert_fetched();
    assert_eq!((fetched.fetched, fetched.requests, fetched.whole), (scene.bytes.len() as u64, 1, false));
}

#[test]
fn what_is_here_already_is_not_asked_for() {
    let scene = Scene::with(&Runtime::new(), &Runtime::new());
    let fetched = scene.fetch(&scene.request()).unwrap();
    scene.assert_fetched();
    assert_eq!((fetched.reused, fetched.requests), (20, 0), "an older artifact of other name and equal content");
    scene.fetch(&FetchRequest { older: vec![], ..scene.request() }).unwrap();
    scene.assert_fetched();
    assert_eq!(scene.server.bytes_sent(URL), 0, "the file itself");
}

/// attack 9
#[test]
fn what_a_killed_fetch_left_is_removed_by_the_next() {
    let scene = Scene::new();
    fs::write(scene.path("out/.fetch-0123456789abcdef"), "half").unwrap();
    scene.fetch(&scene.request()).unwrap();
    scene.assert_fetched();

    // The same of a folder that is put somewhere, and of an archive that is extracted.
    let staged = scene.path("trees/.stage-0123456789abcdef");
    let leave = || {
        fs::create_dir_all(staged.join("tree/bin")).unwrap();
        fs::write(staged.join("tree/bin/python"), "half").unwrap();
        fs::write(staged.join("lock"), "").unwrap();
    };
    leave();
    let target = FetchTarget::Folder(scene.path("trees/one"));
    scene.fetch(&FetchRequest { target, ..scene.request() }).unwrap();
    assert!(!staged.exists() && scene.path("trees/one").is_dir());
    leave();
    extract(&scene.path("out/new"), &scene.path("trees/two"), &ExtractOptions::default()).unwrap();
    assert_eq!(fs::read_dir(scene.path("trees")).unwrap().count(), 2);
}

#[test]
fn an_artifact_on_this_machine_is_put_together_the_same_way() {
    let scene = Scene::new();
    let path = scene.path("published/new.tar.zst");
    for place in [path.display().to_string(), url::Url::from_file_path(&path).unwrap().to_string()] {
        let fetched = scene.fetch(&FetchRequest { place, ..scene.request() }).unwrap();
        scene.assert_fetched();
        assert_eq!((fetched.reused, fetched.fetched < 250_000), (18, true));
        fs::remove_file(scene.path("out/new")).unwrap();
    }
}

#[test]
fn a_server_without_ranges_sends_everything_once() {
    let cases = [
        // (what goes wrong, bytes sent at most in wholes, what is told)
        (HttpMishap::NoRange, 1, "the server does not send single ranges: the whole artifact is fetched"),
        (
            HttpMishap::OtherRange,
            2,
            "the server sends other ranges than it is asked for: the whole artifact is fetched",
        ),
        (HttpMishap::Status(416), 2, "the server says that it has no such range: the whole artifact is fetched"),
    ];
    for (mishap, wholes, note) in cases {
        let scene = Scene::new();
        scene.server.next_time(URL, mishap.clone());
        let fetched = scene.fetch(&scene.request()).unwrap();
        scene.assert_fetched();
        assert!(fetched.whole, "{mishap:?}");
        assert_eq!(scene.notes(), [note], "{mishap:?}");
        assert!(scene.server.bytes_sent(URL) <= wholes * scene.bytes.len() as u64);
    }
}

#[test]
fn ranges_that_end_midway_are_no_end() {
    let scene = Scene::new();
    // The first request is for the last parts; what comes then is the changed wheel.
    scene.server.next_time(URL, HttpMishap::None);
    scene.server.next_time(URL, HttpMishap::NoRange);
    let fetched = scene.fetch(&scene.request()).unwrap();
    scene.assert_fetched();
    assert!(fetched.whole && scene.notes()[0].contains("does not send single ranges"));
}

#[test]
fn a_broken_connection_is_continued_where_it_broke() {
    let half = Scene::new().half_a_part();
    for mishap in
        [HttpMishap::CutAfter(half), HttpMishap::ShortBody(half), HttpMishap::Status(503), HttpMishap::CutAfter(0)]
    {
        let scene = Scene::new();
        scene.server.next_time(URL, HttpMishap::None);
        scene.server.next_time(URL, mishap.clone());
        scene.fetch(&scene.request()).unwrap();
        scene.assert_fetched();
        assert_eq!(scene.retries(), 1, "{mishap:?}");
        assert!(scene.server.bytes_sent(URL) < 230_000, "{mishap:?}: nothing is sent twice");
        let last = scene.server.requests_of(URL).pop().unwrap();
        assert!(last.headers.contains_key("if-range"), "{mishap:?}: {last:?}");
    }
}

#[test]
fn a_server_that_wishes_a_pause_gets_it() {
    let scene = Scene::new();
    scene.server.next_time(URL, HttpMishap::RetryAfter(429, 1));
    let begun = std::time::Instant::now();
    scene.fetch(&scene.request()).unwrap();
    scene.assert_fetched();
    assert_eq!(scene.retries(), 1);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn attempts_have_an_end() {
    let scene = Scene::new();
    scene.server.every_time(URL, HttpMishap::CutAfter(10));
    let error = scene.assert_refused(&scene.request(), "E_FETCH", Exit::Build);
    assert!(error.kind.to_string().contains("after 5 attempts"), "{error:?}");
    assert_eq!(scene.server.requests_of(URL).len(), 5);
}

#[test]
fn a_damaged_older_part_is_found_by_its_digest_and_fetched() {
    let scene = Scene::new();
    let mut bytes = fs::read(&scene.older).unwrap();
    let older: Manifest = archive::read_manifest(&fs::read(manifest_beside(&scene.older)).unwrap()).unwrap();
    bytes[older.artifact.unwrap().parts[3].offset as usize + 100] ^= 1;
    fs::write(&scene.older, &bytes).unwrap();
    let fetched = scene.fetch(&scene.request()).unwrap();
    scene.assert_fetched();
    assert_eq!(fetched.reused, 17);
    assert!(scene.notes()[0].contains("is damaged and is fetched"), "{:?}", scene.notes());

    // One that ends early as well.
    fs::remove_file(scene.path("out/new")).unwrap();
    fs::write(&scene.older, &bytes[..bytes.len() / 2]).unwrap();
    scene.fetch(&scene.request()).unwrap();
    scene.assert_fetched();
}

#[test]
fn a_damaged_part_from_the_server_is_refused() {
    let scene = Scene::new();
    let part = &scene.newer.artifact.as_ref().unwrap().parts[8];
    let mut bytes = scene.bytes.clone();
    let changed = scene.newer.artifact.as_ref().unwrap().parts.iter().find(|part| part.content.contains("-1.1-"));
    bytes[changed.unwrap().offset as usize + 9] ^= 1;
    scene.publish(&bytes, &scene.newer);
    let error = scene.assert_refused(&scene.request(), "E_ARCHIVE_CHECKSUM", Exit::Trust);
    assert!(error.kind.to_string().contains("demo7-1.1"), "{error:?}, not {}", part.content);

    // Bytes of no part: only the whole tells.
    let mut bytes = scene.bytes.clone();
    *bytes.last_mut().unwrap() ^= 1;
    scene.publish(&bytes, &scene.newer);
    scene.assert_refused(&scene.request(), "E_ARCHIVE_CHECKSUM", Exit::Trust);

    // Another length.
    scene.publish(&scene.bytes[..scene.bytes.len() - 1], &scene.newer);
    scene.assert_refused(&scene.request(), "E_ARCHIVE_CHECKSUM", Exit::Trust);
}

#[test]
fn what_is_expected_is_compared_with_the_manifest() {
    let scene = Scene::new();
    let wrong = Some(Digest::of("another"));
    let request = FetchRequest { expected: wrong, ..scene.request() };
    scene.assert_refused(&request, "E_FETCH_CHECKSUM", Exit::Trust);
    let request = FetchRequest { expected_manifest: wrong, ..scene.request() };
    scene.assert_refused(&request, "E_FETCH_CHECKSUM", Exit::Trust);
    assert_eq!(scene.server.bytes_sent(URL), 0);
}

#[test]
fn a_missing_or_senseless_manifest_is_told_before_anything_is_fetched() {
    let scene = Scene::new();
    let manifest = format!("{URL}.json");
    scene.server.next_time(&manifest, HttpMishap::Status(404));
    let error = scene.assert_refused(&scene.request(), "E_FETCH_NO_MANIFEST", Exit::Build);
    assert!(error.kind.to_string().ends_with("new.tar.zst.json`"), "{error:?}");
    assert!(error.hint().unwrap().contains("beside the artifact"));
    scene.server.put(&manifest, *b"<html>");
    scene.assert_refused(&scene.request(), "E_MANIFEST_MALFORMED", Exit::Trust);
    let mut wrong = scene.newer.clone();
    wrong.artifact.as_mut().unwrap().parts[2].offset = u64::MAX;
    scene.publish(&scene.bytes, &wrong);
    scene.assert_refused(&scene.request(), "E_MANIFEST_MALFORMED", Exit::Trust);
    wrong.artifact = None;
    scene.publish(&scene.bytes, &wrong);
    scene.assert_refused(&scene.request(), "E_MANIFEST_MALFORMED", Exit::Trust);
    assert_eq!(scene.server.bytes_sent(URL), 0);

    fs::remove_file(manifest_beside(&scene.older)).unwrap();
    let error = scene.assert_refused(&scene.request(), "E_FETCH_FROM", Exit::Usage);
    assert!(error.kind.to_string().contains("by the manifest beside it alone"), "{error:?}");
}

#[test]
fn an_artifact_that_is_replaced_meanwhile_is_noticed_and_the_new_one_fetched() {
    let mut scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let (artifact, newest) = Runtime::new().with("demo7", "1.2").pack(folder.path(), "new");
    let bytes = fs::read(&artifact).unwrap();
    scene.server.next_time(URL, HttpMishap::None);
    scene.server.next_time(URL, HttpMishap::Replaced(bytes.clone()));
    let manifest = format!("{URL}.json");
    scene.server.next_time(&manifest, HttpMishap::None);
    scene.server.next_time(&manifest, HttpMishap::Replaced(write_manifest(&newest).into_bytes()));
    (scene.bytes, scene.newer) = (bytes, newest);
    scene.fetch(&scene.request()).unwrap();
    scene.assert_fetched();
    assert!(scene.notes()[0].contains("was replaced while it was fetched"), "{:?}", scene.notes());
}

#[test]
fn a_replaced_artifact_with_the_former_manifest_is_refused() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let (artifact, _) = Runtime::new().with("demo7", "1.2").pack(folder.path(), "new");
    scene.server.next_time(URL, HttpMishap::None);
    scene.server.next_time(URL, HttpMishap::Replaced(fs::read(&artifact).unwrap()));
    scene.assert_refused(&scene.request(), "E_ARCHIVE_CHECKSUM", Exit::Trust);
}

#[test]
fn credentials_go_to_the_server_and_into_no_message() {
    let scene = Scene::new();
    scene.server.require_basic("/", "ada", "p@ss");
    let place = scene.server.url_as("ada", "p%40ss", URL);
    scene.fetch(&FetchRequest { place, ..scene.request() }).unwrap();
    scene.assert_fetched();
    fs::remove_file(scene.path("out/new")).unwrap();
    fs::remove_file(scene.path("out/new.json")).unwrap();
    let place = scene.server.url_as("ada", "wr0ng", URL);
    let error = scene.assert_refused(&FetchRequest { place, ..scene.request() }, "E_FETCH", Exit::Build);
    let shown = format!("{error:?} {error} {} {:?}", error.kind, error.hint());
    assert!(!shown.contains("wr0ng") && !shown.contains("ada") && shown.contains("401"), "{shown}");
}

#[test]
fn an_interrupted_fetch_leaves_nothing_and_runs_again() {
    let scene = Scene::new();
    let cancelled = AtomicBool::new(false);
    let tell = |event: Event| {
        if matches!(event, Event::TransferAdvanced { .. }) {
            cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let watch = FetchWatch { tell: &tell, cancelled: &cancelled };
    let error = fetch(&scene.request(), &FetchSettings::default(), watch).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_INTERRUPTED", Exit::Interrupted));
    assert_eq!(names(&scene.path("out")), [""; 0]);
    scene.fetch(&scene.request()).unwrap();
    scene.assert_fetched();
}

impl Scene {
    /// A fetch to a folder, in which `arrive` bytes of a request arrive and then nothing more; what has arrived is kept.
    pub fn interrupted(&self, request: &FetchRequest, arrive: usize) {
        self.server.next_time(URL, HttpMishap::CutAfter(arrive));
        for _ in 0..4 {
            self.server.next_time(URL, HttpMishap::Status(503));
        }
        let error = self.fetch(request).unwrap_err();
        assert_eq!((error.code(), error.exit()), ("E_FETCH", Exit::Build), "{error:?}");
        assert_eq!(names(&self.path("out")), [""; 0], "nothing half-written");
        assert_eq!(names(&self.path("keep")).len(), 1);
    }

    pub fn keeping(&self) -> FetchRequest {
        let target = FetchTarget::Folder(self.path("out/tree"));
        FetchRequest { older: vec![], target, keep: Some(self.path("keep")), ..self.request() }
    }

    pub fn assert_tree(&self) {
        extract(&self.path("published/new.tar.zst"), &self.path("plain"), &ExtractOptions::default()).unwrap();
        assert!(read_tree(&self.path("plain")) == read_tree(&self.path("out/tree")));
        assert_eq!(names(&self.path("keep")), [""; 0], "what was kept is not needed any more");
    }
}

#[test]
fn what_had_arrived_is_not_fetched_again() {
    let scene = Scene::new();
    let size = scene.bytes.len() as u64;
    scene.interrupted(&scene.keeping(), scene.bytes.len() * 3 / 4);
    let fetched = scene.fetch(&scene.keeping()).unwrap();
    assert!(fetched.resumed > size / 2 && fetched.fetched < size / 2, "{fetched:?} of {size}");
    scene.assert_tree();
}

#[test]
fn what_was_kept_and_is_damaged_is_fetched_again() {
    let scene = Scene::new();
    let (size, request) = (scene.bytes.len() as u64, scene.keeping());
    scene.interrupted(&request, scene.bytes.len() * 3 / 4);
    let kept = fs::read_dir(scene.path("keep")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&kept).unwrap();
    bytes[1000] ^= 1;
    fs::write(&kept, bytes).unwrap();
    let fetched = scene.fetch(&request).unwrap();
    assert!(fetched.resumed > 0 && fetched.resumed + fetched.fetched >= size, "{fetched:?} of {size}");
    scene.assert_tree();

    // Another artifact begins anew.
    fs::remove_dir_all(scene.path("out/tree")).unwrap();
    scene.interrupted(&request, scene.bytes.len() * 3 / 4);
    let other = Scene::with(&Runtime::new(), &Runtime::new().with("demo7", "1.2"));
    scene.publish(&other.bytes, &other.newer);
    assert_eq!(scene.fetch(&request).unwrap().resumed, 0);
}

/// With an installed prefix of the older runtime, as Python leaves it.
#[cfg(unix)]
mod prefix {
    use super::*;
    use testkit::runtime::SITE;

    fn installed(scene: &Scene) -> PathBuf {
        let prefix = scene.path("prefix");
        extract(&scene.older, &prefix, &ExtractOptions::default()).unwrap();
        for cache in ["lib/python3.12/__pycache__", &format!("{SITE}/demo3/__pycache__")] {
            fs::create_dir(prefix.join(cache)).unwrap();
            fs::write(prefix.join(cache).join("x.cpython-312.pyc"), "bytecode").unwrap();
        }
        prefix
    }

    fn request(scene: &Scene, prefix: PathBuf) -> FetchRequest {
        FetchRequest { older: vec![prefix], target: FetchTarget::Folder(scene.path("out/tree")), ..scene.request() }
    }

    /// What a plain extraction gives, with modes and times.
    fn assert_as_extracted(scene: &Scene) {
        let plain = scene.path("plain");
        extract(
            &scene.path("published").join(&scene.newer.artifact.as_ref().unwrap().file),
            &plain,
            &ExtractOptions::default(),
        )
        .unwrap();
        let tree = scene.path("out/tree");
        assert_eq!(names(&scene.path("out")), ["tree"]);
        let (one, other) = (read_tree(&plain), read_tree(&tree));
        assert!(one == other, "{:?}", one.keys().filter(|path| one.get(*path) != other.get(*path)).collect::<Vec<_>>());
        for (path, node) in &one {
            if matches!(node, Node::File { .. }) {
                let time = |root: &Path| fs::metadata(root.join(path)).unwrap().modified().unwrap();
                assert_eq!(time(&plain), time(&tree), "the time of {path}");
            }
        }
    }

    #[test]
    fn only_what_the_prefix_lacks_is_fetched() {
        let scene = Scene::new();
        let prefix = installed(&scene);
        let before = read_tree(&prefix);
        let fetched = scene.fetch(&request(&scene, prefix.clone())).unwrap();
        assert_as_extracted(&scene);
        assert_eq!((fetched.reused, fetched.parts), (18, 20));
        assert!(fetched.fetched < 230_000, "{fetched:?}");
        assert!(read_tree(&prefix) == before, "the older prefix stays as it is");
    }

    #[test]
    fn on_windows_what_stands_in_bin_is_in_the_part_of_what_it_stands_for() {
        let older = Runtime::new().on_windows();
        let scene = Scene::with(&older, &older.clone().with("demo7", "1.1"));
        let prefix = scene.path("prefix");
        extract(&scene.older, &prefix, &ExtractOptions::default()).unwrap();
        let fetched = scene.fetch(&request(&scene, prefix)).unwrap();
        assert_as_extracted(&scene);
        assert_eq!((fetched.reused, fetched.parts), (18, 20));
    }

    #[test]
    fn parts_of_a_tar_gz_are_extracted_alone_in_both_formats() {
        let (older, newer) = (Runtime::new(), Runtime::new().with("demo7", "1.1"));
        let gz = |runtime: &Runtime| runtime.clone().format(ArtifactFormat::TarGz);
        let former = || {
            let folder = Scene::folder();
            let older = older.pack_members(&folder.path().join("old"), "old");
            let newer = newer.pack_members(&folder.path().join("published"), "new");
            Scene::of(folder, older, newer)
        };
        for scene in [Scene::with(&gz(&older), &gz(&newer)), former()] {
            let prefix = installed(&scene);
            let fetched = scene.fetch(&request(&scene, prefix)).unwrap();
            assert_as_extracted(&scene);
            assert_eq!((fetched.reused, fetched.parts), (18, 20));
            // Nothing but the end, where the prefix holds all but the metadata.
            let (all, again) = (scene.path("out/tree"), scene.path("out/again"));
            let request = FetchRequest { target: FetchTarget::Folder(again.clone()), ..request(&scene, all.clone()) };
            assert_eq!(scene.fetch(&request).unwrap().reused, 19);
            assert!(read_tree(&all) == read_tree(&again));
        }
    }

    #[test]
    fn an_interrupted_update_goes_on() {
        let scene = Scene::new();
        let request = FetchRequest { keep: Some(scene.path("keep")), ..request(&scene, installed(&scene)) };
        // The metadata and the end come first.
        scene.server.next_time(URL, HttpMishap::None);
        scene.interrupted(&request, scene.half_a_part());
        let fetched = scene.fetch(&request).unwrap();
        assert!(fetched.resumed > 0, "{fetched:?}");
        assert_as_extracted(&scene);
        assert_eq!(names(&scene.path("keep")), [""; 0]);
    }

    #[test]
    fn a_file_that_was_changed_in_the_prefix_makes_its_part_be_fetched() {
        type Change = fn(&Path);
        let cases: [(&str, Change, usize); 6] = [
            ("a wheel's file", |root| fs::write(root.join(format!("{SITE}/demo3/data.bin")), "x").unwrap(), 17),
            ("a wheel's file is gone", |root| fs::remove_file(root.join("bin/demo4")).unwrap(), 17),
            ("the interpreter's", |root| fs::write(root.join("lib/python3.12/os.py"), "x").unwrap(), 17),
            ("a copied one", |root| fs::write(root.join("share/notice.txt"), "x").unwrap(), 17),
            ("one of nobody", |root| fs::write(root.join("lib/own.py"), "x").unwrap(), 17),
            (
                "a distribution that was installed later",
                |root| {
                    let info = root.join(format!("{SITE}/later-2.0.dist-info"));
                    fs::create_dir(&info).unwrap();
                    fs::write(info.join("RECORD"), "later.py,,\n").unwrap();
                    fs::write(root.join(format!("{SITE}/later.py")), "x").unwrap();
                },
                // It is not in the newer artifact, and is no reason to fetch anything.
                18,
            ),
        ];
        for (what, change, reused) in cases {
            let scene = Scene::new();
            let prefix = installed(&scene);
            change(&prefix);
            let fetched = scene.fetch(&request(&scene, prefix)).unwrap();
            assert_as_extracted(&scene);
            assert_eq!(fetched.reused, reused, "{what}");
        }
    }

    #[test]
    fn a_link_in_place_of_a_folder_is_not_followed() {
        let scene = Scene::new();
        let prefix = installed(&scene);
        let package = prefix.join(format!("{SITE}/demo3"));
        fs::rename(&package, scene.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(scene.path("elsewhere"), &package).unwrap();
        let fetched = scene.fetch(&request(&scene, prefix)).unwrap();
        assert_as_extracted(&scene);
        // Neither the wheel nor the interpreter, which the link would belong to.
        assert_eq!(fetched.reused, 16);
    }

    #[test]
    fn an_older_artifact_serves_what_the_prefix_lacks() {
        let scene = Scene::new();
        let prefix = installed(&scene);
        fs::write(prefix.join(format!("{SITE}/demo3/data.bin")), "x").unwrap();
        let mut request = request(&scene, prefix);
        request.older.push(scene.older.clone());
        let fetched = scene.fetch(&request).unwrap();
        assert_as_extracted(&scene);
        assert_eq!(fetched.reused, 18);
    }

    #[test]
    fn a_damaged_part_leaves_no_tree() {
        let scene = Scene::new();
        let prefix = installed(&scene);
        let mut bytes = scene.bytes.clone();
        let parts = &scene.newer.artifact.as_ref().unwrap().parts;
        bytes[parts.iter().find(|part| part.content.contains("-1.1-")).unwrap().offset as usize + 9] ^= 1;
        scene.publish(&bytes, &scene.newer);
        scene.assert_refused(&request(&scene, prefix), "E_ARCHIVE_CHECKSUM", Exit::Trust);
    }

    #[test]
    fn parts_that_clash_are_refused() {
        // A manifest that lies: the changed part is one that also brings a file of the interpreter.
        let scene = Scene::new();
        let prefix = installed(&scene);
        let mut lying = scene.newer.clone();
        let parts = &mut lying.artifact.as_mut().unwrap().parts;
        let base = parts.iter().find(|part| part.content == "base").unwrap().clone();
        let changed = parts.iter().position(|part| part.content.contains("-1.1-")).unwrap();
        // The interpreter's bytes a second time, under the wheel's name.
        let bytes = &scene.bytes[base.offset as usize..(base.offset + base.size) as usize];
        let at = parts[changed].offset as usize;
        let end = at + parts[changed].size as usize;
        let whole = [&scene.bytes[..at], bytes, &scene.bytes[end..]].concat();
        let moved = bytes.len() as i64 - (end - at) as i64;
        for part in parts.iter_mut().skip(changed + 1) {
            part.offset = (part.offset as i64 + moved) as u64;
        }
        parts[changed].size = base.size;
        parts[changed].sha256 = base.sha256;
        let artifact = lying.artifact.as_mut().unwrap();
        (artifact.size, artifact.sha256) = (whole.len() as u64, Digest::of(&whole));
        scene.publish(&whole, &lying);
        scene.assert_refused(&request(&scene, prefix), "E_ARCHIVE_UNSAFE", Exit::Trust);
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused_and_a_prefix_serves_no_file() {
        let scene = Scene::new();
        let prefix = installed(&scene);
        let into_itself =
            FetchRequest { target: FetchTarget::Folder(prefix.clone()), ..request(&scene, prefix.clone()) };
        scene.assert_refused(&into_itself, "E_ARCHIVE_WRITE", Exit::Build);
        let to_file = FetchRequest { older: vec![prefix], ..scene.request() };
        scene.assert_refused(&to_file, "E_FETCH_FROM", Exit::Usage);
        let no_prefix = FetchRequest { older: vec![scene.path("old")], ..request(&scene, scene.path("old")) };
        scene.assert_refused(&no_prefix, "E_FETCH_FROM", Exit::Usage);
    }

    #[test]
    fn the_artifacts_digest_alone_is_told_to_prove_nothing_here() {
        let scene = Scene::new();
        let prefix = installed(&scene);
        let mut request = request(&scene, prefix);
        request.expected = Some(Digest::of(&scene.bytes));
        scene.fetch(&request).unwrap();
        let told = scene.told.lock().unwrap();
        assert!(told.iter().any(|event| matches!(event, Event::Warning { code: "W_FETCH_UNPROVEN", .. })));
    }
}

#[test]
fn a_folder_can_be_had_from_older_artifacts_too() {
    let scene = Scene::new();
    let request = FetchRequest { target: FetchTarget::Folder(scene.path("out/tree")), ..scene.request() };
    let fetched = scene.fetch(&request).unwrap();
    assert_eq!((names(&scene.path("out")), fetched.reused), (vec!["tree".to_owned()], 18));
    extract(&scene.path("published/new.tar.zst"), &scene.path("plain"), &ExtractOptions::default()).unwrap();
    assert!(read_tree(&scene.path("plain")) == read_tree(&scene.path("out/tree")));
    assert!(matches!(read_tree(&scene.path("out/tree"))["pydist.json"], Node::File { .. }));
}
