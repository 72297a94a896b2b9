//! The remote store: what a build gets from it and gives it, and what its faults do to a build.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use store::download::{DownloadSettings, Downloader};
use store::remote::{RemoteSettings, RemoteStore, open};
use testkit::aistore::{AIStoreMemory, FakeAIStore, error};
use testkit::{HttpMishap, HttpServer, S3Server, told};
use vocab::Environment;
use vocab::{Digest, Event};

use testkit::store_bench::{StoreBench, request, settings};

const BUCKET: &str = S3Server::BUCKET;
const SECRET: &str = S3Server::SECRET;
const KEY: &str = S3Server::KEY;

fn remote_of(address: &str, variables: &[(&str, String)], settings: DownloadSettings, strict: bool) -> RemoteStore {
    let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
    let address = RemoteSettings { address: address.to_owned(), given: "--remote-store", read_only: false, strict };
    open(&address, &environment, &Downloader::new(settings), false).unwrap().unwrap()
}

/// What comes of asking for a blob: whether it was brought, or the fault that ends a strict build.
fn brought(
    address: &str,
    variables: &[(&str, String)],
    settings: DownloadSettings,
    blob: &Digest,
    limit: u64,
) -> String {
    let bench = StoreBench::new();
    let remote = remote_of(address, variables, settings, true);
    let found = remote.bring_blob(&bench.context.near(), blob, "demo.whl", Some(limit));
    match remote.outcome() {
        Ok(()) => found.to_string(),
        Err(fault) => format!("{} {}", fault.code(), told(&*fault)),
    }
}

fn name_of(blob: &Digest) -> String {
    format!("v1/blobs/{}/{blob}", &blob.to_string()[..2])
}

#[test]
fn attack_4_an_object_of_a_remote_store_has_a_bound_and_is_a_regular_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start();
    let bytes = vec![0; 300_000];
    let blob = Digest::of(&bytes);
    let in_folder = folder.path().join(name_of(&blob));
    let places = [
        (folder.path().display().to_string(), vec![], in_folder.clone()),
        (format!("s3://{BUCKET}"), server.variables().to_vec(), server.object(&name_of(&blob))),
    ];
    for (address, variables, object) in &places {
        fs::create_dir_all(object.parent().unwrap()).unwrap();
        fs::write(object, &bytes).unwrap();
        assert_eq!(brought(address, variables, settings(), &blob, 300_000), "true");
        let refused = brought(address, variables, settings(), &blob, 299_999);
        let damaged = "what it has is damaged and was not used: it has more than 299999 bytes";
        assert!(refused.starts_with("E_REMOTE_STORE_DAMAGED") && refused.ends_with(damaged), "{refused}");
    }
    let refuses = |what: &str| {
        let refused = brought(&places[0].0, &[], settings(), &blob, u64::MAX);
        let damaged = "what it has is damaged and was not used: it is not a regular file";
        assert!(refused.starts_with("E_REMOTE_STORE_DAMAGED") && refused.ends_with(damaged), "{what}: {refused}");
    };
    fs::remove_file(&in_folder).unwrap();
    fs::create_dir(&in_folder).unwrap();
    refuses("a folder");
    fs::remove_dir(&in_folder).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/dev/zero", &in_folder).unwrap();
        refuses("a device");
        fs::remove_file(&in_folder).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&in_folder).status().unwrap().success());
        refuses("a pipe");
    }
}

#[test]
fn each_fault_of_a_server_is_told_for_what_it_is_and_never_with_a_secret() {
    let server = S3Server::start();
    let endpoint = server.variables()[0].1.clone();
    let http = HttpServer::start();
    let blob = Digest::of(b"content");
    let path = format!("/{BUCKET}/{}", name_of(&blob));
    let cases: [(&str, &str, &str, Option<HttpMishap>, &str); 6] = [
        // (bucket, endpoint, secret, mishap, what is told)
        (BUCKET, &endpoint, "another", None, "the credentials are not valid: SignatureDoesNotMatch"),
        (BUCKET, "http://127.0.0.1:1", SECRET, None, "the connection was refused"),
        (BUCKET, &http.url(""), SECRET, Some(HttpMishap::Status(503)), "503"),
        (BUCKET, &http.url(""), SECRET, Some(HttpMishap::Status(301)), "another region"),
        (BUCKET, &http.url(""), SECRET, Some(HttpMishap::CutAfter(3)), "the connection broke"),
        (BUCKET, &http.url(""), SECRET, Some(HttpMishap::Delay(Duration::from_secs(600))), "the server went silent"),
    ];
    http.put(&path, *b"content");
    for (bucket, endpoint, secret, mishap, expected) in cases {
        if let Some(mishap) = mishap {
            http.every_time(&path, mishap);
        }
        let settings = DownloadSettings { stall_limit: Duration::from_millis(300), ..settings() };
        let variables = S3Server::variables_for(endpoint, secret);
        let told = brought(&format!("s3://{bucket}"), &variables, settings, &blob, 7);
        assert!(told.starts_with("E_REMOTE_STORE ") && told.contains(expected), "{expected}: {told}");
        assert!(![SECRET, KEY, "X-Amz", "another/"].iter().any(|secret| told.contains(secret)), "{told}");
    }
}

fn with_remote(bench: &mut StoreBench, address: &Path, strict: bool) {
    let remote = remote_of(&address.display().to_string(), &[], settings(), strict);
    bench.context = bench.context.clone().with_remote(remote);
}

fn warnings(bench: &StoreBench) -> Vec<String> {
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
        let mut bench = StoreBench::new();
        with_remote(&mut bench, shared.path(), false);
        let blob = store::download::fetch(&bench.context, &request).unwrap();
        assert_eq!(fs::read(blob).unwrap(), b"content");
        assert_eq!(warnings(&bench), Vec::<String>::new());
    }
    assert_eq!(server.requests().len(), 1);
    // Offline a folder still serves.
    let mut bench = StoreBench::new();
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
        let mut bench = StoreBench::new();
        with_remote(&mut bench, shared.path(), strict);
        let blob = store::download::fetch(&bench.context, &request).unwrap();
        assert_eq!(fs::read(blob).unwrap(), b"content");
        assert_eq!(fs::read(&object).unwrap(), b"CONTENT", "objects are never changed");
        let outcome = bench.context.remote.as_ref().unwrap().outcome();
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
    let mut bench = StoreBench::new();
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

#[test]
fn ais_a_cluster_is_a_remote_store_with_the_same_rules() {
    let (server, memory) = (HttpServer::start(), AIStoreMemory::default());
    server.put("/demo.whl", *b"content");
    let request = request(&server.url("/demo.whl"), b"content");
    let (proxy, target) = memory.serve_by_target();
    let variables = [("AIS_ENDPOINT", proxy.url("")), ("AIS_AUTHN_TOKEN", "correct-horse".to_owned())];
    for _ in 0..2 {
        let mut bench = StoreBench::new();
        let remote = remote_of("ais://b/shared", &variables, settings(), true);
        bench.context = bench.context.clone().with_remote(remote);
        let blob = store::download::fetch(&bench.context, &request).unwrap();
        assert_eq!(fs::read(blob).unwrap(), b"content");
        assert_eq!(warnings(&bench), Vec::<String>::new());
    }
    assert_eq!(server.requests().len(), 1, "the second machine got it from the cluster");
    let blob = Digest::of(b"content");
    let name = format!("shared/{}", name_of(&blob));
    assert_eq!(memory.objects().into_keys().collect::<Vec<_>>(), [name.as_str()]);
    assert!(target.log().iter().all(|request| request.header("authorization") == "Bearer correct-horse"));

    // What is damaged there is not believed, and what cannot be reached is a fault of the step alone.
    memory.put(&name, b"CONTENT");
    let told = brought("ais://b/shared", &variables, settings(), &blob, 7);
    assert!(told.starts_with("E_REMOTE_STORE_DAMAGED"), "{told}");
    let expired = FakeAIStore::always(error(401, "ErrInvalidToken", "token expired"));
    for (endpoint, expected) in [("http://127.0.0.1:1".to_owned(), "refused"), (expired.url(""), "token expired")] {
        let variables = [("AIS_ENDPOINT", endpoint), ("AIS_AUTHN_TOKEN", "correct-horse".to_owned())];
        let told = brought("ais://b/shared", &variables, settings(), &blob, 7);
        assert!(told.starts_with("E_REMOTE_STORE ") && told.contains(expected), "{expected}: {told}");
        assert!(!told.contains("correct-horse"), "{told}");
    }
    let offline = RemoteSettings {
        address: "ais://b?endpoint=http://127.0.0.1:1".to_owned(),
        given: "--remote-store",
        read_only: false,
        strict: true,
    };
    assert!(open(&offline, &Environment::default(), &Downloader::default(), true).unwrap().is_none());
}

#[test]
fn a_local_file_that_is_absent_comes_from_the_remote_store_and_one_that_is_there_is_given() {
    let shared = tempfile::tempdir().unwrap();
    let mut first = StoreBench::new();
    with_remote(&mut first, shared.path(), true);
    let archive = first.path("base.tar.gz");
    fs::write(&archive, "content").unwrap();
    let in_url = archive.display().to_string().replace('\\', "/");
    let in_url = format!("file://{}{in_url}", if in_url.starts_with('/') { "" } else { "/" });
    for url in [archive.display().to_string(), in_url] {
        let request = request(&url, b"content");
        let mut machine = StoreBench::new();
        with_remote(&mut machine, shared.path(), true);
        machine.context.work.offline = true;
        store::download::fetch(&machine.context, &request).unwrap();
        assert!(shared.path().join(name_of(&Digest::of(b"content"))).is_file(), "given");

        fs::remove_file(&archive).unwrap();
        let mut other = StoreBench::new();
        with_remote(&mut other, shared.path(), true);
        other.context.work.offline = true;
        let blob = store::download::fetch(&other.context, &request).unwrap();
        assert_eq!(fs::read(blob).unwrap(), b"content");
        fs::remove_file(shared.path().join(name_of(&Digest::of(b"content")))).unwrap();
        let mut third = StoreBench::new();
        with_remote(&mut third, shared.path(), true);
        let absent = told(&store::download::fetch(&third.context, &request).unwrap_err());
        assert!(absent.contains("base.tar.gz"), "{absent}");
        fs::write(&archive, "content").unwrap();
    }
}
