use std::time::{Duration, Instant};

use aistore_client::{
    Bucket, Client, CopyBucketOptions, CreateOptions, Error, GetOptions, HeadOptions, ListOptions, RefusalKind,
};

use crate::fake::{AIStoreMishap, Ask as _, FakeAIStore, bucket, error, reply};

#[test]
fn ais_27_a_head_tells_its_reason_in_a_header_or_not_at_all() {
    let said = r#"{"tcode":"ErrNotFound","message":"t[x]: ais://b/nope does not exist","status":404}"#;
    let fake = FakeAIStore::always(reply(404, "").header("Hdr-Error", said));
    let failure = bucket(&fake.client()).object("nope").unwrap().properties(&HeadOptions::default()).unwrap_err();
    assert!(failure.is(RefusalKind::ObjectNotFound), "{failure}");
    assert_eq!(failure.refusal().unwrap().type_code.as_deref(), Some("ErrNotFound"));
    let bare = FakeAIStore::always(reply(404, ""));
    let client = bare.client();
    let failure = bucket(&client).object("nope").unwrap().properties(&HeadOptions::default()).unwrap_err();
    assert!(failure.is(RefusalKind::NotFound), "{failure}");
    assert!(!bucket(&client).object("nope").unwrap().exists().unwrap());
    assert!(!bucket(&client).exists().unwrap());
}

#[test]
fn ais_28_answers_that_are_not_aistores_keep_their_status_and_the_beginning_of_their_text() {
    let page = format!("<html>{}</html>", "x".repeat(5000));
    let cases = [
        (400, "not json", RefusalKind::Invalid),
        (500, "{}", RefusalKind::Other),
        (405, "Method Not Allowed", RefusalKind::NotAllowed),
        (418, page.as_str(), RefusalKind::Other),
        (400, "{\"tcode\":7}", RefusalKind::Invalid),
    ];
    for (status, text, kind) in cases {
        let fake = FakeAIStore::always(reply(status, text));
        let failure = bucket(&fake.client()).create(&CreateOptions::default()).unwrap_err();
        let refusal = failure.refusal().unwrap_or_else(|| panic!("{failure}"));
        assert_eq!((refusal.status, refusal.kind), (status, kind), "{text}");
        assert_eq!(refusal.text, text[..text.len().min(1024)]);
    }
    let fake = FakeAIStore::always(reply(503, ""));
    let failure = bucket(&fake.client()).create(&CreateOptions::default()).unwrap_err();
    assert!(failure.is(RefusalKind::Unavailable), "{failure}");
    assert_eq!(failure.refusal().unwrap().text, "");
}

#[test]
fn ais_29_what_may_pass_is_asked_again_and_what_will_not_is_not() {
    let fake = FakeAIStore::start(|_, number| if number < 2 { reply(503, "") } else { reply(200, "x") });
    let object = fake.client();
    let reader = bucket(&object).object("a").unwrap().get(&GetOptions::default()).unwrap();
    assert_eq!((reader.bytes().unwrap(), fake.log().len()), (b"x".to_vec(), 3));
    for status in [400, 404, 416, 500, 501, 507] {
        let fake = FakeAIStore::always(reply(status, ""));
        assert!(bucket(&fake.client()).object("a").unwrap().get(&GetOptions::default()).is_err());
        assert_eq!(fake.log().len(), 1, "{status}");
    }
}

#[test]
fn a_broken_connection_is_tried_again_only_where_that_does_no_harm() {
    let reset = |number: usize| if number == 0 { reply(200, "").mishap(AIStoreMishap::Reset) } else { reply(200, "x") };
    let fake = FakeAIStore::start(move |_, number| reset(number));
    bucket(&fake.client()).object("a").unwrap().get(&GetOptions::default()).unwrap();
    assert_eq!(fake.log().len(), 2);
    let fake = FakeAIStore::start(move |_, number| reset(number));
    let failure = bucket(&fake.client()).create(&CreateOptions::default()).unwrap_err();
    assert!(matches!(failure, Error::Unanswered { .. }), "{failure}");
    assert_eq!(fake.log().len(), 1);
}

#[test]
fn ais_30_a_server_that_never_answers_is_left_at_the_limit() {
    let fake = FakeAIStore::always(reply(200, "").mishap(AIStoreMishap::Silence));
    let mut settings = fake.settings();
    settings.limits.stall = Duration::from_millis(200);
    settings.retries.attempts = 1;
    let client = Client::new(settings).unwrap();
    let begun = Instant::now();
    let failure = bucket(&client).create(&CreateOptions::default()).unwrap_err();
    assert!(failure.is_timeout(), "{failure}");
    let failure = bucket(&client).object("a").unwrap().get(&GetOptions::default()).unwrap_err();
    assert!(failure.is_timeout(), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn ais_a2_a_busy_cluster_is_asked_again_within_the_limit_and_is_no_existing_bucket() {
    let busy =
        || error(409, "ErrLimitedCoexistence", "t[x]: rebalance[g1] is currently running, cannot run \"copy-bck\"");
    let fake = FakeAIStore::start(move |_, number| if number < 2 { busy() } else { reply(200, "x1") });
    let to = Bucket::new("dst").unwrap();
    let client = fake.client();
    assert_eq!(bucket(&client).copy(&to, &CopyBucketOptions::default()).unwrap().id(), "x1");
    assert_eq!(fake.log().len(), 3);
    let fake = FakeAIStore::always(busy());
    let mut settings = fake.settings();
    settings.busy_limit = Duration::ZERO;
    let client = Client::new(settings).unwrap();
    let failure = bucket(&client).copy(&to, &CopyBucketOptions::default()).unwrap_err();
    assert!(failure.is(RefusalKind::Busy), "{failure}");
    let failure = bucket(&client).create(&CreateOptions { exist_ok: true, ..CreateOptions::default() }).unwrap_err();
    assert!(failure.is(RefusalKind::Busy), "a busy cluster has made no bucket: {failure}");
}

#[test]
fn an_answer_of_success_that_makes_no_sense_is_said_with_its_text() {
    let fake = FakeAIStore::always(reply(200, "<html>a portal</html>"));
    let client = fake.client();
    for failure in [
        bucket(&client).list_all(&ListOptions::default()).unwrap_err(),
        client.cluster_map().unwrap_err(),
        client.list_buckets(None, None).unwrap_err(),
    ] {
        let Error::Unreadable { text, .. } = &failure else { panic!("{failure}") };
        assert_eq!(text, "<html>a portal</html>");
    }
}

#[test]
fn out_of_space_and_no_targets_are_told_by_type() {
    let cases = [
        (error(507, "ErrCapExceeded", "out of space: used 99%"), RefusalKind::OutOfSpace),
        (error(500, "ErrNoNodes", "no available targets"), RefusalKind::NoTargets),
        (error(501, "ErrUnsupp", "cannot use ETL in a build without ETL support"), RefusalKind::EtlNotAvailable),
    ];
    for (answer, kind) in cases {
        let fake = FakeAIStore::always(answer);
        let failure = bucket(&fake.client()).object("a").unwrap().get(&GetOptions::default()).unwrap_err();
        assert!(failure.is(kind), "{failure}");
    }
}

#[test]
fn an_error_or_a_page_that_breaks_off_at_any_byte_is_an_error_of_its_type() {
    let said = error(404, "ErrBckNotFound", "bucket \"ais://b\" does not exist");
    for at in 0..said.body.len() {
        let fake = FakeAIStore::always(said.clone().mishap(AIStoreMishap::CutAfter(at)));
        let failure = bucket(&fake.client()).object("a").unwrap().delete().unwrap_err();
        let refusal = failure.refusal().unwrap();
        assert_eq!((refusal.status, refusal.text.as_bytes()), (404, &said.body[..at]));
        assert_eq!(fake.log().len(), 1, "{at}");
    }
    let page = reply(200, r#"{"uuid":"U","entries":[]}"#);
    for at in 0..page.body.len() {
        let fake = FakeAIStore::always(page.clone().mishap(AIStoreMishap::CutAfter(at)));
        let failure = bucket(&fake.client()).list_all(&aistore_client::ListOptions::default()).unwrap_err();
        assert!(matches!(failure, Error::Unanswered { .. }), "{at}: {failure}");
    }
}
