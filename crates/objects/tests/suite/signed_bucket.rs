//! Buckets whose requests are signed here: the suite, and what servers answer to conditional puts.

use std::time::Duration;

use objects::{ExpectedState, Place, PlaceAddress, PutOutcome, ReplaceOutcome, SignedBucket, UNWATCHED};
use testkit::{HttpServer, S3Fault, S3Proxy, S3Server, told};
use vocab::Environment;
use web::{Proxies, WebClient, WebLimits};

use testkit::conformance::{Sender, Skills, conforms, conforms_without_conditions, key};

fn bucket(address: &str, endpoint: &str) -> SignedBucket {
    let variables = S3Server::variables_for(endpoint, S3Server::SECRET);
    let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
    let PlaceAddress::Bucket(address) = PlaceAddress::parse(address, "--to").unwrap() else { unreachable!() };
    let client = WebClient::new(Proxies::default(), WebLimits::default());
    SignedBucket::open(&address, &environment, client, Duration::from_millis(1)).unwrap()
}

#[test]
fn a_signed_bucket_conforms() {
    let server = S3Server::start();
    for prefix in ["", "/a/prefix"] {
        let bucket = bucket(&format!("s3://{}{prefix}", S3Server::BUCKET), &format!("http://{}", server.address()));
        conforms(&bucket, Skills { unit: Skills::SMALL, ..Skills::default() });
    }
    assert!(server.object("a/prefix/uploads/small.zip").is_file());
}

#[test]
fn a_signed_bucket_conforms_where_conditions_are_refused() {
    let server = S3Server::start();
    let proxy = S3Proxy::without_conditions(server.address());
    conforms_without_conditions(
        &bucket(&format!("s3://{}", S3Server::BUCKET), &proxy.url()),
        Skills { unit: Skills::SMALL, ..Skills::default() },
    );
}

#[test]
fn ais_a5_the_endpoints_path_stands_before_the_bucket() {
    let http = HttpServer::start();
    for endpoint in [http.url("/s3"), http.url("/s3/")] {
        let before = http.requests().len();
        let bucket = bucket(&format!("s3://pub/pre?endpoint={endpoint}"), "http://127.0.0.1:1");
        assert_eq!(bucket.get(&key("a/b.json")).unwrap(), None);
        bucket.list("a/").unwrap_err();
        let sent = http.requests()[before..].iter().map(|request| request.path.clone()).collect::<Vec<_>>();
        assert!(sent[0].starts_with("/s3/pub/pre/a/b.json?"), "{sent:?}");
        assert!(sent[1].starts_with("/s3/pub/?") && sent[1].contains("prefix=pre%2Fa%2F"), "{sent:?}");
    }
}

#[test]
fn a_put_that_another_stood_in_the_way_of_is_made_again_and_a_condition_that_does_not_hold_is_not() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.address());
    let bucket = bucket(&format!("s3://{}", S3Server::BUCKET), &proxy.url());
    let conflict = S3Fault::Refused(409, "ConditionalRequestConflict");
    proxy.spoil(0, 2, conflict);
    assert_eq!(bucket.create(&key("a.json"), b"1").unwrap(), PutOutcome::Ours, "not taken for somebody else's");
    assert_eq!(proxy.requests().len(), 3);
    proxy.spoil(0, 1, conflict);
    assert_eq!(bucket.create(&key("a.json"), b"2").unwrap(), PutOutcome::Theirs);
    assert_eq!(proxy.requests().len(), 2);
    let tag = bucket.get(&key("a.json")).unwrap().unwrap().tag;
    proxy.spoil(0, 1, conflict);
    assert_eq!(bucket.replace(&key("a.json"), b"3", &ExpectedState::State(tag)).unwrap(), ReplaceOutcome::Done);
    // The object is looked for before it is sent.
    proxy.spoil(1, 2, conflict);
    let uploaded = Sender::new().send(&bucket, &key("b.zip"), b"content", None).unwrap();
    assert_eq!((uploaded.placed, proxy.requests().len()), (PutOutcome::Ours, 4));
    proxy.spoil(0, 1, S3Fault::Refused(409, "InvalidBucketState"));
    let error = bucket.create(&key("c.json"), b"1").unwrap_err();
    assert!(told(&error).contains("InvalidBucketState"), "another 409 is no conflict: {}", told(&error));
}

#[test]
fn a_server_without_conditional_requests_is_asked_first_and_then_given_the_object() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.address());
    let bucket = bucket(&format!("s3://{}", S3Server::BUCKET), &proxy.url());
    let unknown = S3Fault::Refused(501, "NotImplemented");
    proxy.spoil(1, 1, unknown);
    let uploaded = Sender::new().send(&bucket, &key("a.zip"), b"content", None).unwrap();
    assert_eq!(uploaded.placed, PutOutcome::Ours);
    let methods = |requests: Vec<String>| -> Vec<String> {
        requests.iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(methods(proxy.requests()), ["HEAD", "PUT", "HEAD", "PUT"]);
    proxy.spoil(0, 1, unknown);
    assert_eq!(bucket.create(&key("a.zip"), b"other").unwrap(), PutOutcome::Theirs);
    assert_eq!(methods(proxy.requests()), ["PUT", "HEAD"]);
    let mut read = Vec::new();
    bucket.read(&key("a.zip"), None, &mut read, UNWATCHED).unwrap();
    assert_eq!(read, b"content");
    proxy.spoil(0, 1, unknown);
    assert!(!bucket.conditional_puts().unwrap());
}

#[test]
fn ais_a6_a_server_that_ignores_conditions_is_found_out_by_two_puts_once() {
    let server = S3Server::without_conditions();
    let proxy = S3Proxy::start(server.address());
    let bucket = bucket(&format!("s3://{}", S3Server::BUCKET), &proxy.url());
    for _ in 0..2 {
        assert!(!bucket.conditional_puts().unwrap());
    }
    assert_eq!(proxy.requests().len(), 2, "{:?}", proxy.requests());
    assert_eq!(bucket.create(&key("a"), b"1").unwrap(), PutOutcome::Ours);
    assert_eq!(bucket.create(&key("a"), b"2").unwrap(), PutOutcome::Ours, "it says so of each");
}
