//! `pydist get` from an AIStore cluster.

use std::fs;

use catalogue::Channel;
use serde_json::Value;
use testkit::aistore::{AIStoreMemory, FakeAIStore};
use testkit::noise;

use super::{Place, installed, refused, told};

fn filled(place: &Place) -> (AIStoreMemory, FakeAIStore, FakeAIStore) {
    let memory = AIStoreMemory::default();
    fill(&memory, place);
    let (proxy, target) = memory.serve_by_target();
    (memory, proxy, target)
}

fn fill(memory: &AIStoreMemory, place: &Place) {
    for name in testkit::files_below(&place.root()) {
        memory.put(&format!("p/{name}"), &fs::read(place.root().join(&name)).unwrap());
    }
}

#[test]
fn ais_a_runtime_is_installed_from_a_cluster_and_updated_with_what_has_changed() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let (memory, proxy, target) = filled(&place);
    let key = place.pair.pk.to_base64();
    let from = format!("ais://b/p?endpoint={}", proxy.url(""));
    refused(&place.get_from(&from, &["--offline"]), 1, &["E_GET_OFFLINE", "never read"]);
    let folder = installed(&place.get_from(&from, &["--public-key", &key]));
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), noise(1));
    let asked = target.log();
    assert!(asked.iter().any(|request| request.path == "/v1/objects/b/p/catalogue.signed.json"), "{asked:?}");

    // Another build of the same files: its metadata alone is new. The endpoint may come from the variable, too.
    place.publish_as(&noise(1), "again", 2, Channel::Stable, true);
    fill(&memory, &place);
    let mut command = place.command("ais://b/p", &["--json", "--public-key", &key]);
    let (code, out, said) = told(&command.env("AIS_ENDPOINT", proxy.url("")).output().unwrap());
    assert_eq!(code, 0, "{said}");
    let got: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let (fetched, size) = (got["fetched"].as_u64().unwrap(), got["size"].as_u64().unwrap());
    assert!(fetched > 0 && fetched < size / 10, "{got}");

    // The same by plain HTTP, as from any server: the target is asked for ranges here as well.
    let plain = format!("{}/v1/objects/b/p", proxy.url(""));
    assert!(told(&place.get_from(&plain, &["--public-key", &key])).2.contains("up to date"));
    assert!(told(&place.get_from(&format!("{plain}?provider=ais"), &[])).2.contains("up to date"));
    drop((proxy, target));
    // What was read last from there, by either way of naming the server, is kept for itself.
    assert_eq!(told(&place.get_from("ais://b/p", &["--offline", "--public-key", &key])).0, 0);
}

#[test]
fn ais_a12_a_wrong_address_is_told_before_any_request() {
    let place = Place::new();
    refused(&place.get_from("ais://b", &[]), 2, &["E_FETCH_PLACE", "AIS_ENDPOINT"]);
    refused(&place.get_from("ais:///x", &[]), 2, &["E_FETCH_PLACE", "it names no bucket"]);
    let (_, _, said) = told(&place.get_from("ais://ada:correct-horse@b", &[]));
    assert!(said.contains("it contains a user name or password") && !said.contains("correct-horse"), "{said}");
}
