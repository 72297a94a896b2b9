use std::io::Cursor;
use std::sync::Arc;

use aistore_client::{Client, CustomMetadata, Error, GetOptions, ObjectContent, PutOptions, RefusalKind, Settings};
use web::Secret;

use crate::fake::{AIStoreRequest, Ask as _, FakeAIStore, bucket, error, redirect, reply};

const SECRET: &str = "s3cr3t-t0ken";

/// A proxy that sends everything to the target, with this status.
fn proxy(status: u16, target: &Arc<FakeAIStore>) -> FakeAIStore {
    let target = Arc::clone(target);
    FakeAIStore::start(move |request, _| redirect(status, &location(&target, request)))
}

fn location(target: &FakeAIStore, request: &AIStoreRequest) -> String {
    target.url(&format!("{}?{}&pid=p%5Bx%5D&utm=dn7&vpams=4", request.path, request.query))
}

fn with_token(fake: &FakeAIStore) -> Client {
    let mut settings: Settings = fake.settings();
    settings.token = Some(Secret::new(SECRET));
    Client::new(settings).unwrap()
}

/// The ways in which content comes, long enough to be held back.
fn contents(bytes: &[u8], file: &std::path::Path) -> [ObjectContent; 3] {
    std::fs::write(file, bytes).unwrap();
    let stream = ObjectContent::stream(Cursor::new(bytes.to_vec()), bytes.len() as u64);
    [ObjectContent::bytes(bytes.to_vec()), ObjectContent::file(file), stream]
}

#[test]
fn ais_3_and_7_content_arrives_complete_at_the_target_with_headers_and_the_query_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    for size in [5, 300 << 10, 3 << 20] {
        let bytes: Vec<u8> = (0..size).map(|index: u32| (index % 251) as u8).collect();
        for content in contents(&bytes, &folder.path().join("file")) {
            let target = Arc::new(FakeAIStore::always(reply(200, "")));
            let proxy = proxy(307, &target);
            let client = with_token(&proxy);
            let custom = CustomMetadata::from([("k".to_owned(), "v".to_owned())]);
            let what = format!("{content:?}");
            let options = PutOptions { custom, ..PutOptions::default() };
            bucket(&client).object("a b").unwrap().put(content, &options).unwrap();
            let (first, second) = (proxy.only(), target.only());
            assert_eq!(second.body.len(), bytes.len(), "{what}");
            assert!(second.body == bytes, "{what}");
            for request in [&first, &second] {
                assert_eq!(request.header("authorization"), format!("Bearer {SECRET}"));
                assert_eq!(request.header("ais-custom-md"), "k=v");
                assert_eq!(request.header("content-length"), bytes.len().to_string());
            }
            assert_eq!(second.line(), "PUT /v1/objects/b/a%20b?provider=ais&pid=p%5Bx%5D&utm=dn7&vpams=4");
        }
    }
}

#[test]
fn ais_7_a_stream_that_was_begun_is_not_sent_a_second_time() {
    // This proxy reads everything before it redirects.
    let target = Arc::new(FakeAIStore::always(reply(200, "")));
    let to = Arc::clone(&target);
    let proxy = FakeAIStore::start(move |request, _| {
        if request.body.is_empty() { reply(200, "") } else { redirect(307, &location(&to, request)) }
    });
    let client = proxy.client();
    let bytes = vec![7; 300 << 10];
    let content = ObjectContent::stream(Cursor::new(bytes.clone()), bytes.len() as u64);
    let failure = bucket(&client).object("a").unwrap().put(content, &PutOptions::default()).unwrap_err();
    assert!(matches!(failure, Error::SentOnce { .. }), "{failure}");
    assert_eq!(target.log().len(), 0);
    // Memory can be sent again.
    bucket(&client).object("a").unwrap().put(ObjectContent::bytes(bytes.clone()), &PutOptions::default()).unwrap();
    assert!(target.only().body == bytes);
}

#[test]
fn ais_4_a_301_is_not_remembered() {
    let target = Arc::new(FakeAIStore::always(reply(200, "x")));
    let proxy = proxy(301, &target);
    let client = proxy.client();
    for _ in 0..2 {
        assert_eq!(bucket(&client).object("a").unwrap().get(&GetOptions::default()).unwrap().bytes().unwrap(), b"x");
    }
    assert_eq!((proxy.log().len(), target.log().len()), (2, 2));
}

#[test]
fn ais_5_redirects_that_lead_in_circles_end() {
    let fake = FakeAIStore::start(|request, number| redirect(307, &format!("{}?hop={number}", request.path)));
    let client = fake.client();
    let failure = bucket(&client).object("a").unwrap().get(&GetOptions::default()).unwrap_err();
    assert!(failure.to_string().contains("too many redirects"), "{failure}");
    assert_eq!(fake.log().len(), 6, "the request and five hops");
}

#[test]
fn ais_6_a_redirect_to_another_scheme_is_refused() {
    for location in ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x", "", "//", "http://ada:pw@127.0.0.1:9/x"] {
        let fake = FakeAIStore::always(redirect(307, location));
        let failure = bucket(&fake.client()).object("a").unwrap().delete().unwrap_err();
        assert!(matches!(failure, Error::Redirect { .. }), "{location}: {failure}");
        assert!(!failure.to_string().contains("pw"), "{failure}");
        assert_eq!(fake.log().len(), 1);
    }
    let nowhere = FakeAIStore::always(reply(307, ""));
    assert!(matches!(bucket(&nowhere.client()).object("a").unwrap().delete(), Err(Error::Redirect { .. })));
}

#[test]
fn a_301_does_not_turn_a_put_into_a_get() {
    let target = Arc::new(FakeAIStore::always(reply(200, "")));
    let proxy = proxy(301, &target);
    let put = bucket(&proxy.client()).object("a").unwrap().put(ObjectContent::bytes("x"), &PutOptions::default());
    assert!(matches!(put, Err(Error::Redirect { .. })));
    assert_eq!(target.log().len(), 0);
}

#[test]
fn ais_a8_a_token_that_ends_between_proxy_and_target_is_said_and_never_shown() {
    let target = Arc::new(FakeAIStore::always(error(401, "ErrTokenExpired", "token expired")));
    let proxy = proxy(307, &target);
    let client = with_token(&proxy);
    let failure = bucket(&client).object("a").unwrap().put(ObjectContent::bytes("x"), &PutOptions::default());
    let failure = failure.unwrap_err();
    assert!(failure.is(RefusalKind::Unauthorized), "{failure}");
    assert_eq!(failure.refusal().unwrap().status, 401);
    let shown =
        format!("{failure} {failure:?} {client:?} {:?}", client.bucket(aistore_client::Bucket::new("b").unwrap()));
    assert!(!shown.contains(SECRET), "{shown}");
    assert_eq!((proxy.log().len(), target.log().len()), (1, 1), "401 is not tried again");
}
