//! The place against an AIStore in memory: what every place promises, and what goes wrong.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::time::Duration;

use aistore_client::{Address, Retries, Settings};
use objects::{Place, PlaceErrorKind, UNWATCHED};
use objects_aistore::AistorePlace;
use testkit::aistore::{AIStoreMemory, FakeAIStore, error, reply};
use testkit::conformance::{Sender, Skills, conforms_without_conditions, key};
use vocab::Fault as _;

fn place(server: &FakeAIStore, prefix: &str) -> AistorePlace {
    let address = Address::parse(&format!("ais://b/{prefix}")).unwrap();
    let mut settings = Settings::new(server.url(""));
    settings.redirect_wait = Duration::from_millis(300);
    settings.retries = Retries { attempts: 5, first_pause: Duration::ZERO };
    AistorePlace::with(&address, settings).unwrap()
}

#[test]
fn a_cluster_conforms_but_for_conditions() {
    let server = AIStoreMemory::default().serve();
    conforms_without_conditions(&place(&server, "a/prefix"), Skills::default());
}

#[test]
fn ais_a9_ten_thousand_entries_come_in_pages_each_once() {
    let memory = AIStoreMemory::with_pages(1000);
    let names: Vec<String> = (0..10_000).map(|number| format!("entries/{number:05}.json")).collect();
    names.iter().for_each(|name| memory.put(&format!("p/{name}"), b"{}"));
    memory.put("other/x", b"{}");
    let server = memory.serve();
    let rows = place(&server, "p").list("entries/").unwrap();
    assert_eq!(rows.iter().map(|row| row.key.to_string()).collect::<Vec<_>>(), names);
    let pages = server.log();
    assert_eq!(pages.len(), 11, "the last one may be empty");
    assert!(pages.iter().all(|page| page.header("accept").contains("msgpack")));
}

#[test]
fn a_range_is_asked_for_as_one() {
    let server = AIStoreMemory::default().serve();
    let place = place(&server, "p");
    place.create(&key("a/b.bin"), b"0123456789").unwrap();
    let mut read = Vec::new();
    assert_eq!(place.read(&key("a/b.bin"), Some(2..5), &mut read, UNWATCHED).unwrap(), Some(3));
    assert_eq!(read, b"234");
    let last = server.log().pop().unwrap();
    assert_eq!((last.line().as_str(), last.header("range")), ("GET /v1/objects/b/p/a/b.bin?provider=ais", "bytes=2-4"));
    assert_eq!(place.read(&key("a/b.bin"), Some(2..2), &mut read, UNWATCHED).unwrap(), Some(0));
}

#[test]
fn what_the_cluster_refuses_is_told_by_what_to_do() {
    let cases = [
        (error(401, "", "token expired"), "E_DESTINATION_CREDENTIALS"),
        (error(403, "", "no"), "E_DESTINATION_PERMISSION"),
        (error(404, "ErrBckNotFound", "bucket \"ais://b\" does not exist"), "E_DESTINATION_BUCKET"),
        (error(507, "ErrCapExceeded", "out of space: used 99%"), "E_DESTINATION_FULL"),
        (error(503, "", "starting up"), "E_DESTINATION_BUSY"),
        (reply(200, "<html>"), "E_DESTINATION_REFUSED"),
    ];
    for (answer, code) in cases {
        let server = FakeAIStore::always(answer);
        let failure = place(&server, "").list("").unwrap_err();
        assert_eq!(failure.code(), code, "{failure:?}");
        assert!(!failure.hint().unwrap_or_default().contains("AWS_SECRET"), "{failure:?}");
    }
    let server = FakeAIStore::always(error(507, "ErrCapExceeded", "out of space: used 99%"));
    let failure = place(&server, "").get(&key("a")).unwrap_err();
    assert!(format!("{:?}", failure.kind).contains("out of space"), "{failure:?}");
}

#[test]
fn an_upload_whose_parts_changed_on_the_way_is_removed() {
    let server = {
        let inner = std::sync::Mutex::new(Vec::new());
        FakeAIStore::start(move |request, _| {
            let mut removed = inner.lock().unwrap();
            match request.method.as_str() {
                "POST" => reply(200, "u1"),
                "DELETE" => {
                    removed.push(request.path.clone());
                    reply(200, "")
                }
                // Nothing is there at first; later something else.
                "HEAD"
                    if request.path.starts_with("/v1/objects")
                        && removed.is_empty()
                        && request.query.contains("version") =>
                {
                    error(404, "ErrNotFound", "")
                        .header("Hdr-Error", r#"{"tcode":"ErrNotFound","message":"ais://b/a does not exist"}"#)
                }
                "HEAD" if request.path.starts_with("/v1/buckets") => {
                    reply(200, "").header("Ais-Bucket-Props", r#"{"checksum":{"type":"crc32c"}}"#)
                }
                "HEAD" => reply(200, "")
                    .header("Content-Length", &(17 << 20).to_string())
                    .header("Ais-Checksum-Type", "crc32c")
                    .header("Ais-Checksum-Value", "00000000"),
                _ => reply(200, ""),
            }
        })
    };
    let bytes = testkit::conformance::noise(17 << 20, 4);
    let failure = Sender::new().send(&place(&server, ""), &key("a"), &bytes, None).unwrap_err();
    assert!(matches!(failure.kind, PlaceErrorKind::Checksum { .. }), "{failure:?}");
    assert_eq!(server.log().last().unwrap().line(), "DELETE /v1/objects/b/a?provider=ais");
}

#[test]
fn ais_a12_an_address_without_an_endpoint_is_that_of_the_variable_or_an_error_that_names_it() {
    let variables = |name: &str| (name == "AIS_ENDPOINT").then(|| "http://127.0.0.1:9".to_owned());
    let address = Address::parse("ais://b/p").unwrap();
    assert_eq!(AistorePlace::open(&address, "--to", &variables).unwrap().place(), "ais://b/p");
    let failure = AistorePlace::open(&address, "--to", &|_| None).unwrap_err();
    assert_eq!((failure.code(), failure.exit()), ("E_STORE_ADDRESS", vocab::Exit::Usage));
    assert!(failure.to_string().starts_with("--to: ") && failure.to_string().contains("AIS_ENDPOINT"), "{failure}");
    let with_password = |name: &str| (name == "AIS_ENDPOINT").then(|| "http://ada:pw@127.0.0.1:9".to_owned());
    let failure = AistorePlace::open(&address, "--to", &with_password).unwrap_err().to_string();
    assert!(failure.contains("it contains a user name or password") && !failure.contains("pw@"), "{failure}");
}
