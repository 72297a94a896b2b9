//! The remote store: one suite for every kind of place, and what its faults do to a build.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use store::Store;
use store::download::{DownloadSettings, Downloader};
use store::remote::{FolderStore, Placed, Remote, RemoteErrorKind, RemoteSettings, RemoteStore, open};
use testkit::{HttpServer, Mishap, S3Server, told};
use vocab::Environment;
use vocab::{Digest, Event};

use crate::support::{Bench, request, settings};

const BUCKET: &str = S3Server::BUCKET;
const SECRET: &str = S3Server::SECRET;
const KEY: &str = S3Server::KEY;
const GO_ON: &dyn Fn() -> Result<(), RemoteErrorKind> = &|| Ok(());

fn remote_of(address: &str, variables: &[(&str, String)], settings: DownloadSettings, strict: bool) -> Remote {
    let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
    let address = RemoteSettings { address: address.to_owned(), given: "--remote-store", read_only: false, strict };
    open(&address, &environment, &Downloader::new(settings), false).unwrap().unwrap()
}

/// What every kind of place does.
fn conforms(store: &dyn RemoteStore) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let get = |name: &str| {
        let path = folder.path().join("got");
        let found = store.get(name, &mut File::create(&path).unwrap(), u64::MAX, GO_ON).unwrap();
        found.then(|| fs::read(path).unwrap())
    };
    let put = |name: &str, content: &[u8]| {
        let from = file(&Digest::of(content).short(), content);
        store.put(name, &from, &Digest::of(content), GO_ON).unwrap()
    };

    assert_eq!(get("v1/blobs/ab/absent"), None);
    assert_eq!(put("v1/blobs/ab/one", b"first"), Placed::Ours);
    assert_eq!(get("v1/blobs/ab/one").unwrap(), b"first");
    assert_eq!(put("v1/blobs/ab/one", b"second"), Placed::Theirs, "what stands there stays");
    assert_eq!(get("v1/blobs/ab/one").unwrap(), b"first");
    assert_eq!(put("v1/blobs/ab/empty", b""), Placed::Ours);
    assert_eq!(get("v1/blobs/ab/empty").unwrap(), b"");
    let large: Vec<u8> = (0..9_000_000_u32).map(|number| (number % 251) as u8).collect();
    assert_eq!(put("v1/parts/cd/large", &large), Placed::Ours);
    assert!(get("v1/parts/cd/large").unwrap() == large);

    let contents: Vec<Vec<u8>> = (0..8_u8).map(|number| vec![number; 300_000]).collect();
    std::thread::scope(|scope| {
        for content in &contents {
            let put = &put;
            scope.spawn(move || put("v1/blobs/ef/raced", content));
        }
    });
    let winner = get("v1/blobs/ef/raced").unwrap();
    assert!(contents.contains(&winner), "one of them whole, not {} bytes of several", winner.len());

    let stop: &dyn Fn() -> Result<(), RemoteErrorKind> = &|| Err(RemoteErrorKind::Cancelled);
    let stopped = store.put("v1/blobs/ef/stopped", &file("s", b"x"), &Digest::of("x"), stop);
    assert!(matches!(stopped, Err(RemoteErrorKind::Cancelled)), "{stopped:?}");
    assert_eq!(get("v1/blobs/ef/stopped"), None);
    let mut sink = File::create(folder.path().join("sink")).unwrap();
    let stopped = store.get("v1/parts/cd/large", &mut sink, u64::MAX, stop);
    assert!(matches!(stopped, Err(RemoteErrorKind::Cancelled)), "{stopped:?}");
}

#[test]
fn attack_9_what_killed_builders_left_in_a_shared_folder_goes_after_a_day_and_nothing_else() {
    let at = tempfile::tempdir().unwrap();
    let shard = at.path().join("v1/blobs/ab");
    fs::create_dir_all(&shard).unwrap();
    let day = Duration::from_secs(24 * 3600);
    let files = [
        // (name, days since it was written to, whether it stays)
        (".put-0123456789abcdef", 2, false),
        (".put-fedcba9876543210", 0, true),
        (".put-somebodys notes", 400, true),
        ("0123456789abcdef", 400, true),
    ];
    for (name, days, _) in files {
        let file = File::create(shard.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - day * days).unwrap();
    }
    let object = at.path().join("object");
    fs::write(&object, "x").unwrap();
    let store = FolderStore::new(at.path().to_owned());
    assert_eq!(store.put("v1/blobs/ab/new", &object, &Digest::of("x"), GO_ON).unwrap(), Placed::Ours);
    for (name, _, stays) in files {
        assert_eq!(shard.join(name).exists(), stays, "{name}");
    }
}

#[test]
fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conforms(&FolderStore::new(folder.path().join("not there yet")));
    let left: Vec<_> = testkit::files_below(folder.path());
    assert!(!left.iter().any(|path| path.contains(".put-")), "{left:?}");
}

#[test]
fn a_bucket_conforms() {
    let server = S3Server::start();
    for prefix in ["", "/a/prefix"] {
        conforms(remote_of(&format!("s3://{BUCKET}{prefix}"), &server.variables(), settings(), false).store());
    }
    assert!(server.object("a/prefix/v1/blobs/ab/one").is_file());
}

/// What one blob's fetch ends with.
fn fault_of(remote: &Remote) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut to = File::create(folder.path().join("to")).unwrap();
    told(&remote.store().get("v1/blobs/ab/x", &mut to, u64::MAX, GO_ON).expect_err("it cannot be had"))
}

/// What is refused of an object, or what came of it.
fn got(store: &dyn RemoteStore, name: &str, limit: u64) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut to = File::create(folder.path().join("to")).unwrap();
    match store.get(name, &mut to, limit, GO_ON) {
        Ok(found) => format!("{found}: {} bytes", to.metadata().unwrap().len()),
        Err(error @ RemoteErrorKind::Damaged { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn attack_4_an_object_of_a_remote_store_has_a_bound_and_is_a_regular_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start();
    let in_folder: Box<dyn RemoteStore> = Box::new(FolderStore::new(folder.path().to_owned()));
    let bucket = remote_of(&format!("s3://{BUCKET}"), &server.variables(), settings(), false);
    let large = folder.path().join("large");
    fs::write(&large, vec![0; 300_000]).unwrap();
    let digest = Digest::of(vec![0; 300_000]);
    for store in [in_folder.as_ref(), bucket.store()] {
        store.put("v1/blobs/ab/large", &large, &digest, GO_ON).unwrap();
        assert_eq!(got(store, "v1/blobs/ab/large", 300_000), "true: 300000 bytes");
        let refused = "what it has is damaged and was not used: it has more than 299999 bytes";
        assert_eq!(got(store, "v1/blobs/ab/large", 299_999), refused);
    }
    let object = |name: &str| folder.path().join("v1/blobs/ab").join(name);
    fs::create_dir_all(object("folder")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/dev/zero", object("zero")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(object("pipe")).status().unwrap().success());
    }
    let others = if cfg!(unix) { &["folder", "zero", "pipe"][..] } else { &["folder"] };
    for name in others {
        let refused = "what it has is damaged and was not used: it is not a regular file";
        assert_eq!(got(in_folder.as_ref(), &format!("v1/blobs/ab/{name}"), u64::MAX), refused, "{name}");
    }
}

#[test]
fn each_fault_of_a_server_is_told_for_what_it_is_and_never_with_a_secret() {
    let server = S3Server::start();
    let endpoint = server.variables()[0].1.clone();
    let http = HttpServer::start();
    let path = format!("/{BUCKET}/v1/blobs/ab/x");
    let cases: [(&str, &str, &str, Option<Mishap>, &str); 6] = [
        // (bucket, endpoint, secret, mishap, what is told)
        (BUCKET, &endpoint, "another", None, "403 SignatureDoesNotMatch"),
        (BUCKET, "http://127.0.0.1:1", SECRET, None, "the connection was refused"),
        (BUCKET, &http.url(""), SECRET, Some(Mishap::Status(503)), "503"),
        (BUCKET, &http.url(""), SECRET, Some(Mishap::Status(301)), "another region"),
        (BUCKET, &http.url(""), SECRET, Some(Mishap::CutAfter(3)), "the connection broke"),
        (BUCKET, &http.url(""), SECRET, Some(Mishap::Delay(Duration::from_secs(600))), "the server went silent"),
    ];
    http.put(&path, *b"content");
    for (bucket, endpoint, secret, mishap, expected) in cases {
        if let Some(mishap) = mishap {
            http.every_time(&path, mishap);
        }
        let settings = DownloadSettings { stall_limit: Duration::from_millis(300), ..settings() };
        let remote = remote_of(&format!("s3://{bucket}"), &S3Server::variables_for(endpoint, secret), settings, false);
        let told = fault_of(&remote);
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(![SECRET, KEY, "X-Amz", "another/"].iter().any(|secret| told.contains(secret)), "{told}");
    }
}

#[test]
fn case_s3_endpoint_with_path_the_bucket_stands_behind_the_path() {
    let http = HttpServer::start();
    let path = "/s3/pub/pre/v1/blobs/ab/x";
    http.put(path, *b"content");
    let endpoint = http.url("/s3");
    let cases = [
        // (address, variables)
        (format!("s3://pub/pre?endpoint={endpoint}&path-style=true"), vec![]),
        ("s3://pub/pre".to_owned(), vec![("AWS_ENDPOINT_URL", endpoint.clone())]),
    ];
    for (address, variables) in cases {
        let remote = remote_of(&address, &variables, settings(), false);
        let folder = tempfile::tempdir().unwrap();
        let mut to = File::create(folder.path().join("to")).unwrap();
        assert!(
            remote.store().get("v1/blobs/ab/x", &mut to, u64::MAX, GO_ON).unwrap(),
            "{address}: {:?}",
            http.requests()
        );
    }
    assert_eq!(http.requests_of(path).len(), 2);
}

#[test]
fn a_server_without_conditional_requests_is_asked_first_and_then_given_the_object() {
    let http = HttpServer::start();
    let path = format!("/{BUCKET}/v1/blobs/ab/x");
    for status in [404, 501, 200] {
        http.next_time(&path, Mishap::Status(status));
    }
    let remote =
        remote_of(&format!("s3://{BUCKET}"), &S3Server::variables_for(&http.url(""), SECRET), settings(), false);
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("x");
    fs::write(&from, "x").unwrap();
    let placed = remote.store().put("v1/blobs/ab/x", &from, &Digest::of("x"), GO_ON).unwrap();
    assert_eq!(placed, Placed::Ours);
    let asked: Vec<(String, bool)> = http
        .requests()
        .iter()
        .map(|request| (request.method.clone(), request.headers.contains_key("if-none-match")))
        .collect();
    assert_eq!(asked, [("HEAD".into(), false), ("PUT".into(), true), ("PUT".into(), false)]);
}

fn with_remote(bench: &mut Bench, address: &Path, strict: bool) {
    let remote = remote_of(&address.display().to_string(), &[], settings(), strict);
    bench.context.store = Store::open(bench.context.store.root().to_owned()).unwrap().with_remote(remote);
}

fn warnings(bench: &Bench) -> Vec<String> {
    let text = |event| match event {
        Event::Warning { code, text, .. } => Some(format!("{code} {text}")),
        _ => None,
    };
    bench.events().into_iter().filter_map(text).collect()
}

#[test]
fn a_download_is_given_to_the_remote_store_and_another_machine_gets_it_there() {
    let (server, shared) = (HttpServer::start(), tempfile::tempdir().unwrap());
    server.put("/demo.whl", *b"content");
    let request = request(&server.url("/demo.whl"), b"content");
    for _ in 0..2 {
        let mut bench = Bench::new();
        with_remote(&mut bench, shared.path(), false);
        let blob = store::download::fetch(&bench.context, &request).unwrap();
        assert_eq!(fs::read(blob).unwrap(), b"content");
        assert_eq!(warnings(&bench), Vec::<String>::new());
    }
    assert_eq!(server.requests().len(), 1);
    // Offline a folder still serves.
    let mut bench = Bench::new();
    with_remote(&mut bench, shared.path(), false);
    bench.context.work.offline = true;
    store::download::fetch(&bench.context, &request).unwrap();
}

#[test]
fn a_damaged_object_is_refused_by_name_and_the_file_comes_from_its_source() {
    let (server, shared) = (HttpServer::start(), tempfile::tempdir().unwrap());
    server.put("/demo.whl", *b"content");
    let request = request(&server.url("/demo.whl"), b"content");
    let digest = request.sha256.to_string();
    let object = shared.path().join("v1/blobs").join(&digest[..2]).join(&digest);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, "CONTENT").unwrap();
    for strict in [false, true] {
        let mut bench = Bench::new();
        with_remote(&mut bench, shared.path(), strict);
        let blob = store::download::fetch(&bench.context, &request).unwrap();
        assert_eq!(fs::read(blob).unwrap(), b"content");
        assert_eq!(fs::read(&object).unwrap(), b"CONTENT", "objects are never changed");
        let outcome = bench.context.store.remote().unwrap().outcome();
        if strict {
            let fault = outcome.unwrap_err();
            assert_eq!((fault.code(), fault.exit()), ("E_REMOTE_STORE_DAMAGED", vocab::Exit::Trust));
        } else {
            outcome.unwrap();
            let warnings = warnings(&bench);
            assert!(warnings.len() == 1 && warnings[0].starts_with("W_REMOTE_STORE_DAMAGED"), "{warnings:?}");
            assert!(warnings[0].contains(&digest) && warnings[0].contains("demo.whl"), "{warnings:?}");
        }
    }
}

#[test]
fn a_remote_store_that_fails_is_told_once_and_left_alone() {
    let server = HttpServer::start();
    let mut bench = Bench::new();
    // A file stands where the folder should be.
    let place = bench.path("place");
    fs::write(&place, "").unwrap();
    with_remote(&mut bench, &place, false);
    for (number, name) in (0..).zip(["/a.whl", "/b.whl", "/c.whl"]) {
        server.put(name, vec![number; 5]);
        store::download::fetch(&bench.context, &request(&server.url(name), &[number; 5])).unwrap();
    }
    let warnings = warnings(&bench);
    assert!(warnings.len() == 1 && warnings[0].contains("place"), "{warnings:?}");
}
