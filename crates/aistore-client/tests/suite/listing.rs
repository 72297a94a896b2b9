use aistore_client::{Error, ListFlags, ListOptions, ListingCoding};
use serde_json::json;

use crate::fake::{AIStoreReply, Ask as _, FakeAIStore, bucket, reply};

/// As AIStore lists: in the coding that was asked for.
pub fn page(request: &crate::fake::AIStoreRequest, token: &str, names: &[&str]) -> AIStoreReply {
    if request.header("accept") == "application/msgpack" {
        let entries: Vec<_> = names.iter().map(|name| json!({ "n": name, "s": 5, "f": 64 })).collect();
        let page = json!({ "UUID": "U", "ContinuationToken": token, "Entries": entries, "Flags": 0 });
        let body = rmp_serde::to_vec_named(&page).unwrap();
        return reply(200, body).header("Content-Type", "application/msgpack");
    }
    let entries: Vec<_> = names.iter().map(|name| json!({ "name": name, "size": "5", "flags": 64 })).collect();
    let entries = if entries.is_empty() { json!(null) } else { json!(entries) };
    let page = json!({ "uuid": "U", "continuation_token": token, "entries": entries, "flags": 0 });
    reply(200, page.to_string()).header("Content-Type", "application/json; charset=utf-8")
}

#[test]
fn ais_16_and_17_pages_follow_each_other_in_both_codings() {
    for coding in [ListingCoding::MessagePack, ListingCoding::Json] {
        let fake = FakeAIStore::start(|request, number| match number {
            0 => page(request, "b", &["a", "b"]),
            // Legal: nothing here, and more to come.
            1 => page(request, "c", &[]),
            _ => page(request, "", &["d"]),
        });
        let flags = ListFlags::NAMES_ONLY.and(ListFlags::NOT_RECURSIVE);
        let options = ListOptions { coding, page_size: 2, prefix: "p".to_owned(), flags, ..ListOptions::default() };
        let entries = bucket(&fake.client()).list_all(&options).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a", "b", "d"]);
        assert!(entries.iter().all(|entry| entry.size == 5 && entry.is_in_cluster()));
        let log = fake.log();
        let values: Vec<_> = log.iter().map(|request| request.json()["value"].clone()).collect();
        let told: Vec<_> =
            values.iter().map(|value| (value["uuid"].as_str(), value["continuation_token"].as_str())).collect();
        assert_eq!(told, [(Some(""), Some("")), (Some("U"), Some("b")), (Some("U"), Some("c"))]);
        assert_eq!((&values[0]["pagesize"], &values[0]["prefix"]), (&json!(2), &json!("p")));
        assert_eq!(values[0]["flags"], json!((16 + 2048).to_string()));
        assert_eq!((log[0].method.as_str(), log[0].header("content-type")), ("GET", "application/json"));
    }
}

#[test]
fn a_listing_that_does_not_get_on_ends() {
    let fake = FakeAIStore::start(|request, _| page(request, "same", &["a"]));
    let failure = bucket(&fake.client()).list_all(&ListOptions::default()).unwrap_err();
    assert!(matches!(failure, Error::Unreadable { .. }), "{failure}");
    assert_eq!(fake.log().len(), 2);
}

#[test]
fn a_page_that_is_cut_is_no_page() {
    let fake = FakeAIStore::start(|request, _| {
        let mut reply = page(request, "", &["a", "b"]);
        reply.body.truncate(reply.body.len() - 1);
        reply
    });
    assert!(matches!(bucket(&fake.client()).list_all(&ListOptions::default()), Err(Error::Unreadable { .. })));
}
