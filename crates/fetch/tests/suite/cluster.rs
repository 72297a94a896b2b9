//! Fetching from an AIStore cluster, by `ais://` and by the plain HTTP address of an object: a proxy redirects everybody
//! to a target.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use archive::{verify, write_manifest};
use fetch::{
    FetchError, FetchOutcome, FetchRequest, FetchSettings, FetchTarget, FetchWatch, ReuseMode, fetch, server_of,
};
use testkit::aistore::{AIStoreMemory, AIStoreMishap, AIStoreRequest, FakeAIStore, error, reply};
use vocab::{Exit, Fault as _, Manifest};

use testkit::runtime::{Runtime, manifest_beside};

const TOKEN: &str = "correct-horse";

struct Afar {
    folder: tempfile::TempDir,
    memory: AIStoreMemory,
    newer: Manifest,
    older: PathBuf,
}

impl Afar {
    /// `demo7` has another version in the newer one.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["old", "published", "out"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let (older, _) = Runtime::new().pack(&folder.path().join("old"), "old");
        let (artifact, newer) = Runtime::new().with("demo7", "1.1").pack(&folder.path().join("published"), "new");
        let memory = AIStoreMemory::default();
        memory.put("p/new.tar.zst", &fs::read(&artifact).unwrap());
        memory.put("p/new.tar.zst.json", &fs::read(manifest_beside(&artifact)).unwrap());
        Self { folder, memory, newer, older }
    }

    fn fetch(&self, place: &str, endpoint: &str, older: &[&Path]) -> Result<FetchOutcome, FetchError> {
        let variable = |name: &str| match name {
            "AIS_ENDPOINT" => Some(endpoint.to_owned()),
            "AIS_AUTHN_TOKEN" => Some(TOKEN.to_owned()),
            _ => None,
        };
        let settings = FetchSettings { first_pause: Duration::ZERO, at_once: 1, ..FetchSettings::of(&variable) };
        assert!(!format!("{settings:?}").contains(TOKEN));
        let request = FetchRequest {
            place: place.to_owned(),
            older: older.iter().map(|path| path.to_path_buf()).collect(),
            target: FetchTarget::File(self.folder.path().join("out/new")),
            expected: None,
            expected_manifest: None,
            keep: None,
            reuse: ReuseMode::Own,
            recorded: std::collections::HashMap::new(),
            digests: false,
        };
        fetch(&request, &settings, FetchWatch { tell: &|_| (), cancelled: &AtomicBool::new(false) })
    }

    fn assert_fetched(&self) {
        let out = self.folder.path().join("out/new");
        assert_eq!(fs::read_to_string(manifest_beside(&out)).unwrap(), write_manifest(&self.newer));
        verify(&out, &self.newer).unwrap();
        fs::remove_file(out).unwrap();
    }
}

fn ranges(server: &FakeAIStore) -> Vec<String> {
    server.log().iter().filter_map(|request| request.headers.get("range").cloned()).collect()
}

#[test]
fn ais_an_update_from_a_cluster_asks_the_target_for_what_has_changed_alone() {
    let afar = Afar::new();
    let (proxy, target) = afar.memory.serve_by_target();
    let addresses = [
        ("ais://b/p/new.tar.zst".to_owned(), true),
        (format!("ais://b/p/new.tar.zst?endpoint={}", proxy.url("")), true),
        (proxy.url("/v1/objects/b/p/new.tar.zst?provider=ais"), false),
        (proxy.url("/v1/objects/b/p/new.tar.zst"), false),
    ];
    for (address, native) in addresses {
        let before = target.log().len();
        let endpoint = if address.contains("endpoint") { "http://127.0.0.1:1".to_owned() } else { proxy.url("") };
        let fetched = afar.fetch(&address, &endpoint, &[&afar.older]).unwrap();
        assert_eq!((fetched.parts, fetched.reused, fetched.whole), (20, 18, false), "{address}: {fetched:?}");
        assert!(fetched.fetched < fetched.size / 10, "{address}: {fetched:?}");
        afar.assert_fetched();
        let asked = &target.log()[before..];
        assert!(asked.iter().all(|request| request.query.ends_with("pid=p1&utm=17&vpams=3")), "{asked:?}");
        // A token of AIStore goes to a cluster, and along with a redirect; never to a plain URL.
        let token = if native { format!("Bearer {TOKEN}") } else { String::new() };
        assert!(asked.iter().all(|request| request.header("authorization") == token), "{asked:?}");
    }
    assert_eq!(ranges(&target).len(), ranges(&proxy).len());
    let whole = afar.fetch("ais://b/p/new.tar.zst", &proxy.url(""), &[]).unwrap();
    assert_eq!((whole.reused, whole.fetched), (0, whole.size));
    afar.assert_fetched();
}

#[test]
fn ais_what_breaks_off_at_a_target_is_continued_where_it_broke() {
    let afar = Afar::new();
    let (memory, cut) = (afar.memory.clone(), AtomicBool::new(false));
    let server = FakeAIStore::start(move |request: &AIStoreRequest, _| {
        let reply = memory.answer(request);
        let first = !request.header("range").is_empty() && !cut.swap(true, Ordering::SeqCst);
        let half = reply.body.len() / 2;
        if first { reply.mishap(AIStoreMishap::CutAfter(half)) } else { reply }
    });
    let fetched = afar.fetch("ais://b/p/new.tar.zst", &server.url(""), &[]).unwrap();
    assert_eq!((fetched.requests, fetched.fetched), (2, fetched.size));
    afar.assert_fetched();
    let asked = ranges(&server);
    assert_eq!(asked[1], format!("bytes={}-{}", fetched.size / 2, fetched.size - 1));
}

#[test]
fn ais_an_artifact_that_is_replaced_between_two_ranges_is_noticed() {
    let afar = Afar::new();
    let (memory, count) = (afar.memory.clone(), AtomicBool::new(false));
    let server = FakeAIStore::start(move |request: &AIStoreRequest, _| {
        let reply = memory.answer(request);
        if !request.header("range").is_empty() && !count.swap(true, Ordering::SeqCst) {
            // The same bytes, as another version.
            memory.put("p/new.tar.zst", &memory.objects()["p/new.tar.zst"]);
        }
        reply
    });
    let fetched = afar.fetch("ais://b/p/new.tar.zst", &server.url(""), &[&afar.older]).unwrap();
    afar.assert_fetched();
    let manifests = server.log().iter().filter(|request| request.path.ends_with(".json")).count();
    assert_eq!((manifests, fetched.reused), (2, 18), "it began again");
}

#[test]
fn ais_a8_what_a_cluster_refuses_is_told_with_what_to_do_and_no_token() {
    let afar = Afar::new();
    let absent = AIStoreMemory::default().serve();
    let failed = afar.fetch("ais://b/p/new.tar.zst", &absent.url(""), &[]).unwrap_err();
    assert_eq!((failed.code(), failed.exit()), ("E_FETCH_NO_MANIFEST", Exit::Build));
    assert!(format!("{:?}", failed.kind).contains("ais://b/p/new.tar.zst.json"), "{:?}", failed.kind);
    let cases = [
        (error(401, "ErrInvalidToken", "token expired"), "E_FETCH", "token expired", Some("AIS_AUTHN_TOKEN")),
        (error(404, "ErrBckNotFound", "bucket \"ais://b\" does not exist"), "E_FETCH", "does not exist", None),
        (error(503, "", "starting up"), "E_FETCH", "after 5 attempts", Some("check the network")),
        (reply(200, "<html>"), "E_MANIFEST_MALFORMED", "", None),
    ];
    for (answer, code, expected, hint) in cases {
        let server = FakeAIStore::always(answer);
        let failed = afar.fetch("ais://b/p/new.tar.zst", &server.url(""), &[]).unwrap_err();
        let said = format!("{} {} {:?}", failed.kind, failed.hint().unwrap_or_default(), failed);
        assert_eq!(failed.code(), code, "{said}");
        assert!(said.contains(expected) && said.contains(hint.unwrap_or_default()) && !said.contains(TOKEN), "{said}");
    }
}

#[test]
fn ais_a12_a_wrong_address_is_refused_before_any_request() {
    let afar = Afar::new();
    let server = AIStoreMemory::default().serve();
    let endpoint = server.url("");
    let cases = [
        ("ais:///x", "it names no bucket"),
        ("ais://B%2F", "is not a valid bucket name"),
        ("ais://ada:correct-horse@b/x", "it contains a user name or password"),
        ("ais://b/x?token=1", "known settings are"),
        ("ais://b", "is not a valid object name"),
    ];
    for (address, expected) in cases {
        let failed = afar.fetch(address, &endpoint, &[]).unwrap_err();
        assert_eq!((failed.code(), failed.exit()), ("E_FETCH_PLACE", Exit::Usage), "{address}");
        let said = format!("{failed} {}", failed.kind);
        assert!(said.contains(expected) && !said.contains(TOKEN), "{said}");
    }
    let failed = afar.fetch("ais://b/x", "", &[]).unwrap_err();
    assert!(failed.kind.to_string().contains("AIS_ENDPOINT"), "{}", failed.kind);
    assert_eq!(server.log(), []);
}

#[test]
fn the_server_of_a_place_is_that_of_the_cluster() {
    let variable = |name: &str| (name == "AIS_ENDPOINT").then(|| "http://h:1".to_owned());
    let settings = FetchSettings::of(&variable);
    let of = |place: &str| server_of(place, &settings);
    assert_eq!(of("ais://b/x?endpoint=http://c:2").as_deref(), Some("http://c:2"));
    assert_eq!(of("ais://b/x").as_deref(), Some("http://h:1"));
    assert_eq!(of("http://c/x").as_deref(), Some("http://c/x"));
    assert_eq!((of("published"), of("file:///srv")), (None, None));
}
