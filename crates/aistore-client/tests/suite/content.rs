//! The bytes of objects, and what goes wrong with them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use aistore_client::{ByteRange, Checksum, ChecksumKind, Client, Error, GetOptions, ObjectContent, PutOptions, Reads};
use serde_json::json;

use crate::fake::{AIStoreMishap, AIStoreReply, AIStoreRequest, Ask as _, FakeAIStore, bucket, error, reply};

fn content() -> Vec<u8> {
    (0..100_000_u32).map(|index| (index % 253) as u8).collect()
}

fn described(reply: AIStoreReply, bytes: &[u8]) -> AIStoreReply {
    let checksum = Checksum::of(bytes, ChecksumKind::Xxhash2);
    reply
        .header("Ais-Checksum-Type", "xxhash2")
        .header("Ais-Checksum-Value", &checksum.value)
        .header("Ais-Version", "1")
}

/// Answers with the range that is asked for.
fn served(request: &AIStoreRequest, bytes: &[u8]) -> AIStoreReply {
    let Some((start, end)) = request.header("range").strip_prefix("bytes=").and_then(|it| it.split_once('-')) else {
        return described(reply(200, bytes), bytes);
    };
    let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
    let range = format!("bytes {start}-{end}/{}", bytes.len());
    described(reply(206, &bytes[start..=end]), bytes).header("Content-Range", &range)
}

#[test]
fn an_object_that_breaks_off_is_gone_on_with_where_it_did() {
    let fake = FakeAIStore::start(|request, number| {
        let reply = served(request, &content());
        let at = reply.body.len() / 2;
        if number < 2 { reply.mishap(AIStoreMishap::CutAfter(at)) } else { reply }
    });
    let client = fake.client();
    let bytes = bucket(&client).object("a").unwrap().get(&GetOptions::default()).unwrap().bytes().unwrap();
    assert!(bytes == content());
    let log = fake.log();
    let ranges: Vec<_> = log.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, ["", "bytes=50000-99999", "bytes=75000-99999"]);
}

#[test]
fn another_version_is_never_joined_to_the_first() {
    let fake = FakeAIStore::start(|request, number| match number {
        0 => served(request, &content()).mishap(AIStoreMishap::CutAfter(50_000)),
        _ => served(request, &vec![1; 100_000]),
    });
    let failure = bucket(&fake.client()).object("a").unwrap().get(&GetOptions::default()).unwrap().bytes().unwrap_err();
    assert!(matches!(failure, Error::Unanswered { .. }), "{failure}");
}

#[test]
fn a_body_cut_at_any_byte_is_an_error() {
    for at in 0..5 {
        let fake = FakeAIStore::always(described(reply(200, "hello"), b"hello").mishap(AIStoreMishap::CutAfter(at)));
        let options = GetOptions { resumes: 0, ..GetOptions::default() };
        assert!(bucket(&fake.client()).object("a").unwrap().get(&options).unwrap().bytes().is_err(), "{at}");
    }
}

#[test]
fn what_arrives_is_compared_with_the_objects_checksum() {
    let fake = FakeAIStore::always(described(reply(200, "hellO"), b"hello"));
    let client = fake.client();
    let object = bucket(&client).object("a").unwrap();
    let failure = object.get(&GetOptions::default()).unwrap().bytes().unwrap_err();
    assert!(matches!(failure, Error::Mismatch { .. }), "{failure}");
    let unverified = GetOptions { verify: false, ..GetOptions::default() };
    assert_eq!(object.get(&unverified).unwrap().bytes().unwrap(), b"hellO");
    // A kind that is not known here is no fault.
    let fake =
        FakeAIStore::always(reply(200, "x").header("Ais-Checksum-Type", "sha3").header("Ais-Checksum-Value", "00"));
    assert_eq!(bucket(&fake.client()).object("a").unwrap().get(&GetOptions::default()).unwrap().bytes().unwrap(), b"x");
}

#[test]
fn what_was_put_is_compared_with_the_servers_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, vec![9; 400 << 10]).unwrap();
    let stored = Arc::new(vec![9; 400 << 10]);
    let fake = FakeAIStore::start(move |_, _| described(reply(200, ""), &stored));
    let client = fake.client();
    let object = bucket(&client).object("a").unwrap();
    let result = object.put(ObjectContent::file(&file), &PutOptions::default()).unwrap();
    assert!(result.is_verified);
    let other = PutOptions { checksum_kind: Some(ChecksumKind::Md5), ..PutOptions::default() };
    assert!(!object.put(ObjectContent::file(&file), &other).unwrap().is_verified, "kinds that differ say nothing");
    std::fs::write(&file, vec![8; 400 << 10]).unwrap();
    let failure = object.put(ObjectContent::file(&file), &PutOptions::default()).unwrap_err();
    assert!(matches!(failure, Error::Mismatch { .. }), "{failure}");
    let failure = object.put(ObjectContent::bytes("x"), &PutOptions::default()).unwrap_err();
    assert!(matches!(failure, Error::Mismatch { .. }), "{failure}");
    assert_eq!(fake.log().last().unwrap().header("ais-checksum-type"), "xxhash2");
}

#[test]
fn a_file_is_sent_again_from_its_beginning_when_the_connection_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, vec![9; 400 << 10]).unwrap();
    let stored = vec![9; 400 << 10];
    let fake = FakeAIStore::start(move |_, number| {
        let reply = described(reply(200, ""), &stored);
        // The first time it is asked before it has read the content, and does not redirect.
        if number == 0 { reply.mishap(AIStoreMishap::Reset) } else { reply }
    });
    let result = bucket(&fake.client()).object("a").unwrap().put(ObjectContent::file(&file), &PutOptions::default());
    assert!(result.unwrap().is_verified);
    assert_eq!(fake.log().last().unwrap().body.len(), 400 << 10);
}

#[test]
fn ranges_are_written_as_they_are_meant() {
    for (range, text) in [
        (ByteRange::From(3), "bytes=3-"),
        (ByteRange::Of { start: 1, length: 2 }, "bytes=1-2"),
        (ByteRange::Last(2), "bytes=-2"),
    ] {
        assert_eq!(range.to_string(), text);
    }
}

/// A cluster whose map names one target.
fn cluster(target: &Arc<FakeAIStore>, version: &'static str) -> FakeAIStore {
    let target = Arc::clone(target);
    FakeAIStore::start(move |request, _| {
        if request.path == "/v1/daemon" {
            let node = json!({ "daemon_id": "t1", "daemon_type": "target", "id_digest": u64::MAX,
                "public_net": { "direct_url": target.url("") } });
            return reply(200, json!({ "tmap": { "t1": node }, "pmap": null, "version": version }).to_string());
        }
        reply(200, "by the proxy")
    })
}

#[test]
fn a_read_that_picks_its_target_asks_once_and_asks_the_proxy_when_that_fails() {
    let target = Arc::new(FakeAIStore::start(|_, number| {
        if number < 2 { reply(200, "by the target") } else { error(404, "ErrNotFound", "moved") }
    }));
    let proxy = cluster(&target, "7");
    let mut settings = proxy.settings();
    settings.reads = Reads::Direct;
    let client = Client::new(settings).unwrap();
    let read = || bucket(&client).object("a").unwrap().get(&GetOptions::default()).unwrap().bytes().unwrap();
    assert_eq!((read(), read()), (b"by the target".to_vec(), b"by the target".to_vec()));
    assert_eq!(proxy.log().len(), 1, "the map, once");
    assert_eq!(read(), b"by the proxy");
    assert_eq!(read(), b"by the proxy");
    let log = proxy.log();
    let paths: Vec<_> = log.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/v1/daemon", "/v1/objects/b/a", "/v1/daemon", "/v1/objects/b/a"], "the map is had anew");
}

#[test]
fn a_read_that_picks_its_target_goes_by_the_new_map_once_the_old_one_is_wrong() {
    let (first, second) =
        (FakeAIStore::always(reply(200, "by the first")), Arc::new(FakeAIStore::always(reply(200, "by the second"))));
    let node =
        |id: &str, url: String| json!({ id: { "daemon_id": id, "id_digest": 5, "public_net": { "direct_url": url } } });
    let (before, after) = (node("t1", first.url("")), node("t2", second.url("")));
    let is_changed = Arc::new(AtomicBool::new(false));
    let proxy = FakeAIStore::start({
        let is_changed = Arc::clone(&is_changed);
        move |request, _| {
            let (targets, version) = if is_changed.load(Relaxed) { (&after, "8") } else { (&before, "7") };
            let map = json!({ "tmap": targets, "pmap": null, "version": version }).to_string();
            if request.path == "/v1/daemon" { reply(200, map) } else { reply(200, "by the proxy") }
        }
    });
    let mut settings = proxy.settings();
    settings.reads = Reads::Direct;
    let client = Client::new(settings).unwrap();
    let read = || bucket(&client).object("a").unwrap().get(&GetOptions::default()).unwrap().bytes().unwrap();
    assert_eq!(read(), b"by the first");
    // It leaves the cluster.
    is_changed.store(true, Relaxed);
    drop(first);
    let read: Vec<_> = (0..3).map(|_| read()).collect();
    assert_eq!(read, [&b"by the proxy"[..], b"by the second", b"by the second"]);
    assert_eq!((proxy.log().len(), second.log().len()), (3, 2), "two maps, and one read");
}
