use aistore_client::former::{Client, ListObjects, PROVIDER_AIS};
use aistore_client::{CreateOptions, DestroyOptions, Error};
use serde_json::json;

use crate::fake::{Ask as _, FakeAIStore, bucket, reply};
use crate::listing::page;

/// Bucket of many objects, ten at most to a page whatever was asked for.
fn many() -> FakeAIStore {
    FakeAIStore::start(|request, _| {
        let value = request.json()["value"].clone();
        let after = value["continuation_token"].as_str().unwrap().parse().unwrap_or(0);
        // More than was asked for, as some servers do.
        let size = value["pagesize"].as_u64().unwrap().max(4) as usize;
        let names: Vec<String> = (after..(after + size).min(40)).map(|number| format!("{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let end = after + names.len();
        page(request, &if end < 40 { end.to_string() } else { String::new() }, &names)
    })
}

fn sizes(fake: &FakeAIStore) -> Vec<u64> {
    fake.log().iter().map(|request| request.json()["value"]["pagesize"].as_u64().unwrap()).collect()
}

#[test]
fn ais_18_count_and_page_size_share_the_last_page() {
    let fake = many();
    let options = ListObjects { count: 10, page_size: 4, ..ListObjects::default() };
    let entries = Client::of(fake.client()).list_objects("b", &options).unwrap();
    assert_eq!(sizes(&fake), [4, 4, 2]);
    assert_eq!(entries.len(), 10, "what the server gave beyond is cut");
    assert_eq!(entries.last().unwrap().name, "009");
}

#[test]
fn ais_19_count_alone_is_the_page_size() {
    let fake = many();
    let options = ListObjects { count: 10, ..ListObjects::default() };
    assert_eq!(Client::of(fake.client()).list_objects("b", &options).unwrap().len(), 10);
    assert_eq!(sizes(&fake), [10]);
    let fake = many();
    assert_eq!(Client::of(fake.client()).list_objects("b", &ListObjects::default()).unwrap().len(), 40);
}

#[test]
fn ais_20_negative_numbers_are_refused_before_any_request() {
    let fake = many();
    let client = Client::of(fake.client());
    for (count, page_size) in [(-1, 0), (0, -1), (i64::MAX, 0)] {
        let options = ListObjects { count, page_size, ..ListObjects::default() };
        assert!(matches!(client.list_objects("b", &options), Err(Error::Invalid { .. })), "{count} {page_size}");
    }
    assert_eq!(fake.log().len(), 0);
}

#[test]
fn ais_45_the_former_calls_ask_what_the_present_ones_ask() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "hello").unwrap();
    let stored = || {
        let answer = reply(200, "[]").header("Ais-Checksum-Type", "xxhash2");
        answer.header("Ais-Checksum-Value", "26c7827d889f6da3").header("Ais-Version", "1")
    };
    let fake = FakeAIStore::start(move |_, _| stored());
    let (client, former) = (fake.client(), Client::new(&fake.url("")).unwrap());
    former.create_bucket("b").unwrap();
    bucket(&client).create(&CreateOptions::default()).unwrap();
    former.destroy_bucket("b").unwrap();
    bucket(&client).destroy(&DestroyOptions::default()).unwrap();
    former.list_buckets(PROVIDER_AIS).unwrap();
    client.list_buckets(Some(aistore_client::Provider::Ais), None).unwrap();
    former.list_buckets("").unwrap();
    client.list_buckets(None, None).unwrap();
    let put = former.put_object("b", "dir/o", &file, PROVIDER_AIS).unwrap();
    let content = aistore_client::ObjectContent::file(&file);
    bucket(&client).object("dir/o").unwrap().put(content, &aistore_client::PutOptions::default()).unwrap();
    assert_eq!(put.checksum.unwrap().value, "26c7827d889f6da3");
    assert_eq!((put.version.as_deref(), put.is_verified), (Some("1"), true));
    let log = fake.log();
    let told = |request: &crate::fake::AIStoreRequest| {
        let mut headers = request.headers.clone();
        headers.remove("host");
        (request.line(), headers, request.body.clone())
    };
    for pair in log.chunks(2) {
        assert_eq!(told(&pair[0]), told(&pair[1]));
    }
    assert_eq!(log[4].json(), json!({ "action": "list", "name": "", "value": null }));
    assert_eq!((log[4].query.as_str(), log[6].query.as_str()), ("provider=ais", ""));
    assert!(former.create_bucket("a/b").is_err() && former.list_buckets("nope").is_err());
    assert_eq!(fake.log().len(), 10);
}
