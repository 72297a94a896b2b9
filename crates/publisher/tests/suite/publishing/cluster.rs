//! Publishing to an AIStore cluster, by the fake one: a proxy that sends everybody on to a target, and no conditions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use catalogue::Catalogue;
use objects::{FolderPlace, PlaceAddress};
use objects_aistore::AistorePlace;
use testkit::aistore::{AIStoreMemory, AIStoreMishap, AIStoreReply, AIStoreRequest, FakeAIStore, error, reply};

use super::{Bench, Place, Sketch, artifacts_of, dangling, many_publishers, publishers_at_once};
use crate::support::crowd::indexed_at_once;

fn bench_on(server: &FakeAIStore) -> Bench {
    let mut bench = Bench::new();
    bench.to = format!("ais://b/p?endpoint={}", server.url(""));
    bench
}

fn place(server: &FakeAIStore) -> AistorePlace {
    let PlaceAddress::Cluster(address) = PlaceAddress::parse("ais://b/p", "--to").unwrap() else { unreachable!() };
    let variable = |name: &str| (name == "AIS_ENDPOINT").then(|| server.url(""));
    AistorePlace::open(&address, "--to", &variable).unwrap()
}

/// Goes wrong where `fault` says so, and answers as usual otherwise.
fn faulty(
    memory: &AIStoreMemory,
    fault: impl Fn(&AIStoreRequest, usize) -> Option<AIStoreReply> + Send + Sync + 'static,
) -> FakeAIStore {
    let memory = memory.clone();
    FakeAIStore::start(move |request, number| fault(request, number).unwrap_or_else(|| memory.answer(request)))
}

#[test]
fn ais_every_command_works_in_a_cluster_and_the_token_goes_along_and_is_never_told() {
    let memory = AIStoreMemory::default();
    let (proxy, target) = memory.serve_by_target();
    let mut bench = Bench::new();
    bench.to = "ais://b/p".to_owned();
    bench.variables.push(("AIS_ENDPOINT", proxy.url("")));
    bench.variables.push(("AIS_AUTHN_TOKEN", "correct-horse".to_owned()));
    let artifacts = artifacts_of(&bench, 2);
    let run = bench.good(&["publish", &artifacts[0]]);
    assert!(run.out.starts_with("entries/3.12.10/linux-x64/"), "{}", run.out);
    assert_eq!(run.told.matches("does not keep conditions on writes").count(), 1, "{}", run.told);
    assert!(run.told.contains("ais://b/p/catalogue.json: 1 entry"), "{}", run.told);
    bench.good(&["publish", &artifacts[1]]);
    let verified = bench.good(&["verify"]);
    assert!(verified.out.starts_with("2 entries") && verified.out.contains("0 faults"), "{}", verified.out);

    let catalogue = || Catalogue::read(&memory.objects()["p/catalogue.json"]).unwrap();
    let digest = catalogue().entries[0].artifact.sha256.to_string();
    bench.good(&["promote", &digest, "--channel", "stable"]);
    bench.good(&["retract", &digest, "--reason", "a test"]);
    assert_eq!((catalogue().entries.len(), catalogue().retracted.len()), (1, 1));
    bench.good(&["restore", &digest]);
    bench.good(&["show", &digest]);
    assert!(bench.good(&["list"]).out.contains("stable"));
    bench.good(&["gc", "--dry-run"]);
    // What uv gets is plain HTTP, at the cluster itself or whatever stands before it.
    let readers = format!("{}/v1/objects/b/p", proxy.url(""));
    bench.good(&["reindex", "--public-url", &readers]);
    let pages = memory.objects();
    assert!(pages.contains_key("p/downloads.json"));
    let link = format!("{readers}/artifacts/");
    assert!(pages.values().any(|page| String::from_utf8_lossy(page).contains(&link)), "no {link} in the site");

    let asked: Vec<AIStoreRequest> = [proxy.log(), target.log()].concat();
    assert!(asked.iter().all(|request| request.header("authorization") == "Bearer correct-horse"));
    assert!(target.log().iter().any(|request| request.method == "PUT" && request.query.ends_with("&vpams=3")));
}

#[test]
fn ais_a12_a_wrong_address_is_one_error_before_any_request() {
    let server = AIStoreMemory::default().serve();
    let endpoint = server.url("");
    let cases = [
        ("ais://b".to_owned(), "AIS_ENDPOINT"),
        (format!("ais:///x?endpoint={endpoint}"), "it names no bucket"),
        (format!("ais://B%2F?endpoint={endpoint}"), "is not a valid bucket name"),
        (format!("ais://ada:correct-horse@b?endpoint={endpoint}"), "it contains a user name or password"),
        (
            format!("ais://b?endpoint={}", endpoint.replace("://", "://ada:correct-horse@")),
            "it contains a user name or password",
        ),
    ];
    for (address, expected) in cases {
        let mut bench = Bench::new();
        Sketch::new("3.12.10").make(&bench.dist(), |_| ());
        bench.to = address;
        for command in ["publish", "list", "verify", "gc"] {
            let run = bench.run(&[command]);
            assert_eq!(run.code, 2, "{}", run.told);
            assert!(run.told.contains("E_STORE_ADDRESS") && run.told.contains("--to: "), "{}", run.told);
            assert!(run.told.contains(expected), "no {expected:?} in: {}", run.told);
        }
    }
    assert_eq!(server.log(), []);
}

#[test]
fn ais_a3_two_clients_that_write_one_index_at_once_lose_no_entry_in_fifty_rounds() {
    let bench = Bench::new();
    let artifacts = artifacts_of(&bench, 2);
    for artifact in &artifacts {
        bench.good(&["publish", artifact]);
    }
    let published = FolderPlace::new(bench.to.clone().into());
    for round in 0..50 {
        let server = AIStoreMemory::default().serve();
        let open = || -> Box<dyn Place> { Box::new(place(&server)) };
        assert_eq!(indexed_at_once(&published, &open), 2, "round {round}");
    }
}

#[test]
fn ais_a4_publishing_that_is_killed_after_any_request_leaves_no_pointer_to_what_is_absent_and_is_completed() {
    let whole = AIStoreMemory::default();
    let counted = whole.serve();
    let bench = bench_on(&counted);
    let artifacts = artifacts_of(&bench, 2);
    bench.good(&["publish", &artifacts[0]]);
    let former = counted.log().len();
    bench.good(&["publish", &artifacts[1]]);
    let requests = counted.log().len() - former;
    assert!(requests > 20, "{requests}");
    for last in 0..requests {
        let (memory, open) = (AIStoreMemory::default(), Arc::new(AtomicUsize::new(usize::MAX)));
        let server = faulty(&memory, {
            let open = Arc::clone(&open);
            // Requests beyond these are never answered.
            move |_, number| {
                (number >= open.load(Ordering::SeqCst)).then(|| reply(200, "").mishap(AIStoreMishap::Silence))
            }
        });
        let bench = Bench { to: format!("ais://b/p?endpoint={}", server.url("")), ..Bench::new() };
        bench.good(&["publish", &artifacts[0]]);
        let before = server.log().len();
        open.store(before + last, Ordering::SeqCst);
        let mut killed = bench.command(&["publish", "--quiet", &artifacts[1]]).spawn().unwrap();
        while server.log().len() <= before + last && killed.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        let _ = killed.kill();
        killed.wait().unwrap();
        open.store(usize::MAX, Ordering::SeqCst);
        let to = place(&server);
        assert!(dangling(&to).is_empty(), "after request {last}");
        bench.good(&["publish", "--quiet", &artifacts[1]]);
        let found: Vec<String> = memory.objects().into_keys().collect();
        let expected: Vec<String> = whole.objects().into_keys().collect();
        assert_eq!(found, expected, "after request {last}");
        assert!(memory.objects()["p/catalogue.json"] == whole.objects()["p/catalogue.json"], "after request {last}");
    }
}

#[test]
fn ais_fifty_publishers_to_a_cluster_at_once_some_of_them_killed_lose_no_entry() {
    let memory = AIStoreMemory::default();
    let server = memory.serve();
    let bench = bench_on(&server);
    let artifacts = artifacts_of(&bench, publishers_at_once(50));
    many_publishers("a cluster in memory", &bench, &place(&server), &artifacts);
    let catalogue = Catalogue::read(&memory.objects()["p/catalogue.json"]).unwrap();
    assert_eq!(catalogue.entries.len(), artifacts.len());
}

#[test]
fn ais_a7_a8_a10_what_goes_wrong_at_the_target_is_told_and_nothing_is_published() {
    let is_artifact = |request: &AIStoreRequest| request.method == "PUT" && request.path.contains("/artifacts/");
    type Fault = fn() -> AIStoreReply;
    let cases: [(&str, Fault, &str, &str); 3] = [
        // (case, what the target does with artifacts, code, what is told)
        ("A7", || reply(200, "").mishap(AIStoreMishap::Reset), "E_DESTINATION_UNREACHABLE", "the connection"),
        ("A8", || error(401, "ErrInvalidToken", "token expired"), "E_DESTINATION_CREDENTIALS", "AIS_AUTHN_TOKEN"),
        ("A10", || error(507, "ErrCapExceeded", "out of space: used 99%"), "E_DESTINATION_FULL", "out of space"),
    ];
    for (case, fault, code, expected) in cases {
        let memory = AIStoreMemory::default();
        let server = faulty(&memory, move |request, _| is_artifact(request).then(fault));
        let mut bench = bench_on(&server);
        bench.variables.push(("AIS_AUTHN_TOKEN", "correct-horse".to_owned()));
        Sketch::new("3.12.10").make(&bench.dist(), |_| ());
        let run = bench.run(&["publish"]);
        assert_eq!(run.code, 1, "{case}: {}", run.told);
        assert!(run.told.contains(code) && run.told.contains(expected), "{case}: {}", run.told);
        let there: Vec<String> = memory.objects().into_keys().collect();
        assert!(!there.iter().any(|name| name.contains("entries/") || name.contains("catalogue")), "{case}: {there:?}");
    }
}
