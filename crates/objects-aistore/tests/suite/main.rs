//! The place against an AIStore in memory: what every place promises, and what goes wrong.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

#[path = "../../../objects/tests/suite/conformance.rs"]
mod conformance;
#[path = "../../../aistore-client/tests/suite/fake.rs"]
#[allow(dead_code, reason = "made for another crate's tests")]
mod fake;
#[path = "../../../aistore-client/tests/suite/memory.rs"]
mod memory;

use aistore_client::Address;
use conformance::{Sender, Skills, conforms_without_conditions, key};
use fake::{Fake, error};
use objects::{Place, PlaceErrorKind, Placed, UNWATCHED};
use objects_aistore::AistorePlace;
use vocab::Fault as _;

fn place(server: &Fake, prefix: &str) -> AistorePlace {
    let address = Address::parse(&format!("ais://b/{prefix}"), Some(&server.url(""))).unwrap();
    AistorePlace::with(address, server.settings()).unwrap()
}

#[test]
fn a_cluster_conforms_but_for_conditions() {
    let server = memory::aistore();
    conforms_without_conditions(&place(&server, "a/prefix"), Skills::default());
}

#[test]
fn a_range_is_asked_for_as_one() {
    let server = memory::aistore();
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
        (error(507, "ErrCapExceeded", "out of space: used 99%"), "E_DESTINATION_REFUSED"),
        (error(503, "", "starting up"), "E_DESTINATION_BUSY"),
        (fake::reply(200, "<html>"), "E_DESTINATION_REFUSED"),
    ];
    for (answer, code) in cases {
        let server = Fake::always(answer);
        let failure = place(&server, "").list("").unwrap_err();
        assert_eq!(failure.code(), code, "{failure:?}");
    }
    let server = Fake::always(error(507, "ErrCapExceeded", "out of space: used 99%"));
    let failure = place(&server, "").get(&key("a")).unwrap_err();
    assert!(format!("{:?}", failure.kind).contains("out of space"), "{failure:?}");
}

#[test]
fn an_upload_whose_parts_changed_on_the_way_is_removed() {
    let server = {
        let inner = std::sync::Mutex::new(Vec::new());
        Fake::start(move |request, _| {
            let mut removed = inner.lock().unwrap();
            match request.method.as_str() {
                "POST" => fake::reply(200, "u1"),
                "DELETE" => {
                    removed.push(request.path.clone());
                    fake::reply(200, "")
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
                "HEAD" => fake::reply(200, "")
                    .header("Content-Length", &(17 << 20).to_string())
                    .header("Ais-Checksum-Type", "crc32c")
                    .header("Ais-Checksum-Value", "00000000"),
                _ => fake::reply(200, ""),
            }
        })
    };
    let bytes = conformance::noise(17 << 20, 4);
    let failure = Sender::new().send(&place(&server, ""), &key("a"), &bytes, None).unwrap_err();
    assert!(matches!(failure.kind, PlaceErrorKind::Checksum { .. }), "{failure:?}");
    assert_eq!(server.log().last().unwrap().line(), "DELETE /v1/objects/b/a?provider=ais");
}

#[test]
fn an_address_is_opened_or_named_as_wrong_before_any_request() {
    let variables = |name: &str| (name == "AIS_ENDPOINT").then(|| "http://127.0.0.1:9".to_owned());
    assert_eq!(AistorePlace::open("ais://b/p", "--to", &variables).unwrap().place(), "ais://b/p at http://127.0.0.1:9");
    for address in ["ais:///x", "ais://B%2F", "ais://ada:pw@b", "ais://b?x=1"] {
        let failure = AistorePlace::open(address, "--to", &variables).unwrap_err();
        assert_eq!(failure.code(), "E_STORE_ADDRESS");
        assert!(failure.to_string().starts_with("--to: ") && !failure.to_string().contains("pw"), "{failure}");
    }
    assert!(AistorePlace::open("ais://b", "--to", &|_| None).is_err());
    let server = memory::aistore();
    assert_eq!(place(&server, "p").create(&key("a"), b"x").unwrap(), Placed::Ours);
}
