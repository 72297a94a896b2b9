//! Every kind of destination against one suite, and what each fault on the way to a server ends with.

use std::path::Path;
use std::time::Duration;

use objects::{Place, PutOutcome, UNWATCHED};
use objects_aws::{Pace, S3Settings};
use testkit::{S3Fault, S3Proxy, S3Server};
use vocab::{Exit, Fault as _};

use crate::support::{bucket, bucket_named, settings, told};
use testkit::conformance::{Sender, Skills, conforms, conforms_without_conditions, key, noise};

#[test]
fn a_bucket_conforms() {
    let server = S3Server::start();
    let endpoint = format!("http://{}", server.address());
    for prefix in ["", "a/prefix"] {
        let bucket = bucket(&endpoint, prefix, settings(S3Server::SECRET));
        conforms(&bucket, Skills { copies_ranges: true, resumes: false, ..Skills::default() });
    }
    assert!(server.object("a/prefix/uploads/small.zip").is_file());
}

#[test]
fn a_bucket_conforms_where_conditions_are_refused() {
    let server = S3Server::start();
    let proxy = S3Proxy::without_conditions(server.address());
    let bucket = bucket(&proxy.url(), "", settings(S3Server::SECRET));
    conforms_without_conditions(&bucket, Skills { copies_ranges: true, resumes: false, ..Skills::default() });
}

/// Create, replace, read, upload in parts: a little of everything. The number of bytes that were read at the end.
fn a_session(to: &dyn Place, sender: &Sender, file: &Path, bytes: &[u8]) -> Result<usize, objects::PlaceError> {
    let (small, large) = (key("f/small.json"), key("f/large.zip"));
    to.create(&small, b"small")?;
    sender.send_file(to, &large, file, bytes, None)?;
    let state = to.get(&small)?;
    to.list("f/")?;
    if let Some(state) = state {
        to.replace(&small, b"other", &objects::ExpectedState::State(state.tag))?;
    }
    let mut read = Vec::new();
    to.read(&large, None, &mut read, UNWATCHED)?;
    Ok(read.len())
}

#[test]
fn a_passing_fault_at_any_request_is_survived_or_told_and_the_next_run_succeeds() {
    let server = S3Server::start();
    let faults = [
        S3Fault::Reset,
        S3Fault::LostAnswer,
        S3Fault::HalfAnswer,
        S3Fault::HalfRequest,
        S3Fault::OtherByte,
        S3Fault::Refused(500, "InternalError"),
        S3Fault::Refused(503, "SlowDown"),
    ];
    let bytes = noise(11 << 20, 9);
    // Most of the time passes waiting, so the faults are tried at once.
    let outcomes: Vec<Outcomes> = std::thread::scope(|scope| {
        let (server, bytes) = (&server, &bytes);
        let runs = faults.map(|fault| scope.spawn(move || passing_fault(server, fault, bytes)));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let survived: usize = outcomes.iter().map(|it| it.survived).sum();
    let requests: usize = outcomes.iter().map(|it| it.requests).sum();
    let failed: Vec<&String> = outcomes.iter().flat_map(|it| &it.failed).collect();
    // A body that changes on its way must be refused; everything else is worth another attempt, unless what had
    // arrived could not be taken back.
    for line in &failed {
        let known = ["E_DESTINATION_CHECKSUM", "E_DESTINATION_UNREACHABLE"].iter().any(|code| line.contains(code));
        assert!(known && !line.contains(S3Server::SECRET) && !line.contains(S3Server::KEY), "{line}");
    }
    assert!(survived + 4 >= requests / faults.len() * (faults.len() - 1), "{survived} of {requests}: {failed:#?}");
}

/// What became of one fault at each request of a session.
struct Outcomes {
    requests: usize,
    survived: usize,
    /// A line for each session that ended with an error.
    failed: Vec<String>,
}

fn passing_fault(server: &S3Server, fault: S3Fault, bytes: &[u8]) -> Outcomes {
    let proxy = S3Proxy::start(server.address());
    let sender = Sender::new();
    let file = sender.file(bytes);
    let session = |to: &dyn Place| a_session(to, &sender, &file, bytes);
    let named = |it: &str| format!("{fault:?}-{it}").replace(['(', ')', ' ', '"', ','], "");
    proxy.behave();
    session(&bucket(&proxy.url(), &named("count"), settings(S3Server::SECRET))).unwrap();
    let requests = proxy.requests().len();
    assert!(requests >= 8, "{:?}", proxy.requests());
    let mut outcomes = Outcomes { requests, survived: 0, failed: Vec::new() };
    for at in 0..requests {
        let to = bucket(&proxy.url(), &named(&at.to_string()), settings(S3Server::SECRET));
        proxy.spoil(at, 1, fault);
        match session(&to) {
            Ok(read) => {
                assert_eq!(read, bytes.len(), "{fault:?} at {at}");
                outcomes.survived += 1;
            }
            Err(error) => {
                outcomes.failed.push(format!("{fault:?} at {at} {}: {}", error.code(), told(&error)));
                proxy.behave();
                let read = session(&to).unwrap_or_else(|error| panic!("{fault:?} at {at}: {}", told(&error)));
                assert_eq!(read, bytes.len(), "{fault:?} at {at}, the next run");
            }
        }
    }
    outcomes
}

#[test]
fn attack_11_a_bucket_that_sends_too_little_is_given_up_at_once() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.address());
    let pace = Pace { lowest: 100_000, window: Duration::from_millis(200) };
    let to = bucket(&proxy.url(), "slow", S3Settings { pace, ..settings(S3Server::SECRET) });
    let object = key("f/object");
    to.create(&object, &noise(50_000, 3)).unwrap();
    proxy.spoil(0, usize::MAX, S3Fault::SlowAnswer);
    let read = to.read(&object, None, &mut Vec::new(), UNWATCHED).map(|_| ());
    let got = to.get(&object).map(|_| ());
    for outcome in [read, got] {
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), "E_DESTINATION_SLOW", "{}", told(&error));
        assert!(told(&error).contains("and at least 100000 B/s are asked for"), "{}", told(&error));
    }
    assert_eq!(proxy.requests().len(), 2, "nobody asks a slow server again");
}

#[test]
fn a_lasting_fault_is_one_clear_error_without_secrets() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.address());
    let cases = [
        // (fault, code, what is told)
        (S3Fault::Reset, "E_DESTINATION_UNREACHABLE", "the server cannot be reached"),
        (S3Fault::HalfRequest, "E_DESTINATION_UNREACHABLE", "the server cannot be reached"),
        (S3Fault::Refused(500, "InternalError"), "E_DESTINATION_BUSY", "after 3 attempts"),
        (S3Fault::Refused(503, "SlowDown"), "E_DESTINATION_BUSY", "SlowDown"),
        (S3Fault::Refused(400, "ExpiredToken"), "E_DESTINATION_CREDENTIALS", "the credentials have expired"),
        (S3Fault::Refused(403, "RequestTimeTooSkewed"), "E_DESTINATION_CLOCK", "clock"),
        (S3Fault::Refused(404, "NoSuchBucket"), "E_DESTINATION_BUCKET", "the bucket does not exist"),
        (S3Fault::Refused(403, "AccessDenied"), "E_DESTINATION_PERMISSION", "do not allow this"),
        (S3Fault::Refused(403, "InvalidAccessKeyId"), "E_DESTINATION_CREDENTIALS", "InvalidAccessKeyId"),
        (S3Fault::Refused(301, "PermanentRedirect"), "E_DESTINATION_REGION", "another region"),
        (S3Fault::Refused(400, "BadDigest"), "E_DESTINATION_CHECKSUM", "differ from those sent"),
    ];
    for (fault, code, expected) in cases {
        proxy.spoil(0, usize::MAX, fault);
        let to = bucket(&proxy.url(), "lasting", settings(S3Server::SECRET));
        let error = to.create(&key("a.json"), b"a").expect_err("it cannot be written");
        let text = format!("{} {}", told(&error), error.hint().unwrap_or_default());
        assert_eq!(error.code(), code, "{text}");
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(text.starts_with("cannot write `a.json` at `s3://shared/lasting`"), "{text}");
        assert!(!text.contains(S3Server::SECRET) && !text.contains(S3Server::KEY), "{text}");
    }
    proxy.behave();
    let wrong = bucket(&proxy.url(), "x", settings("another secret"));
    let error = wrong.list("").expect_err("the signature is wrong");
    assert_eq!((error.code(), error.exit()), ("E_DESTINATION_CREDENTIALS", Exit::Build));
    let missing = bucket_named("missing", &proxy.url(), "x", settings(S3Server::SECRET));
    assert_eq!(missing.list("").expect_err("no such bucket").code(), "E_DESTINATION_BUCKET");
    let nowhere = bucket("http://127.0.0.1:1", "x", settings(S3Server::SECRET));
    let error = nowhere.list("").expect_err("nobody listens");
    assert!(told(&error).contains("refused"), "{}", told(&error));
}

#[test]
fn a_put_that_another_stood_in_the_way_of_is_made_again_and_servers_without_conditions_are_asked_first() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.address());
    let to = bucket(&proxy.url(), "puts", settings(S3Server::SECRET));
    let (conflict, unknown) =
        (S3Fault::Refused(409, "ConditionalRequestConflict"), S3Fault::Refused(501, "NotImplemented"));
    proxy.spoil(0, 2, conflict);
    assert_eq!(to.create(&key("a.json"), b"1").unwrap(), PutOutcome::Ours);
    assert_eq!(proxy.requests().len(), 3);
    proxy.spoil(0, 1, conflict);
    assert_eq!(to.create(&key("a.json"), b"2").unwrap(), PutOutcome::Theirs);
    proxy.spoil(0, 1, unknown);
    assert_eq!(to.create(&key("a.json"), b"2").unwrap(), PutOutcome::Theirs);
    proxy.spoil(0, 1, unknown);
    assert_eq!(to.create(&key("b.json"), b"2").unwrap(), PutOutcome::Ours);
    proxy.spoil(0, 1, unknown);
    assert!(!to.conditional_puts().unwrap());

    let sender = Sender::new();
    let methods = || -> String {
        let of_upload = |line: &String| line.starts_with("POST") || line.starts_with("HEAD");
        proxy.requests().iter().filter(|line| of_upload(line)).map(|line| &line[..1]).collect()
    };
    for (name, size, fault, expected) in [
        // (object, its size, what its last request is answered, HEAD and POST requests)
        ("small-409.zip", 1000, conflict, "H"),
        // Looked for once more, right before it is sent without a condition.
        ("small-501.zip", 1000, unknown, "HH"),
        // Begun and completed, looked for, begun and completed again.
        ("large-409.zip", 7 << 20, conflict, "HPPHPP"),
        ("large-501.zip", 7 << 20, unknown, "HPPHP"),
    ] {
        let bytes = noise(size, 21);
        proxy.behave();
        sender.send(&to, &key(&format!("count-{name}")), &bytes, None).unwrap();
        let last = proxy.requests().len() - 1;
        proxy.spoil(last, 1, fault);
        let object = key(name);
        let uploaded = sender.send(&to, &object, &bytes, None).unwrap();
        assert_eq!(
            (uploaded.placed, methods().as_str()),
            (PutOutcome::Ours, expected),
            "{name}: {:?}",
            proxy.requests()
        );
        let mut read = Vec::new();
        to.read(&object, None, &mut read, UNWATCHED).unwrap();
        assert!(read == bytes, "{name}");
    }
}

#[test]
fn ais_a6_a_server_that_ignores_conditions_is_found_out_by_two_puts_once() {
    let server = S3Server::without_conditions();
    let proxy = S3Proxy::start(server.address());
    let to = bucket(&proxy.url(), "careless", settings(S3Server::SECRET));
    for _ in 0..2 {
        assert!(!to.conditional_puts().unwrap());
    }
    assert_eq!(proxy.requests().len(), 2, "{:?}", proxy.requests());
}
