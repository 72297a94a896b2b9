//! Downloads against a server whose answers go wrong as told.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use store::download::{DownloadSettings, FetchRequest, HostCredentials, Pace, fetch, fetch_all, fetch_bytes, probe};
use testkit::{HttpMishap, HttpServer, told};
use vocab::{Digest, Event, Exit, Fault};

use testkit::store_bench::{StoreBench, request, settings};

/// What a server waits that nobody waits for: half of it is not reached on the slowest machine.
const LONG: Duration = Duration::from_secs(600);

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn served() -> (HttpServer, Vec<u8>, FetchRequest) {
    let (server, content) = (HttpServer::start(), content());
    server.put("/demo.whl", content.clone());
    let request = request(&server.url("/demo.whl"), &content);
    (server, content, request)
}

#[test]
fn every_passing_fault_is_overcome() {
    let ok = |mishaps: &[HttpMishap]| {
        let (server, content, request) = served();
        for mishap in mishaps {
            server.next_time("/demo.whl", mishap.clone());
        }
        let bench = StoreBench::new();
        let path = fetch(&bench.context, &request).unwrap();
        assert!(fs::read(path).unwrap() == content, "for {mishaps:?}");
        (bench.retries(), server.requests())
    };
    assert_eq!(ok(&[]).0, [""; 0]);
    assert_eq!(ok(&[HttpMishap::Status(500), HttpMishap::Status(503)]).0.len(), 2);
    assert_eq!(ok(&[HttpMishap::RetryAfter(429, 0)]).0, ["the server answered 429"]);
    // The answer to the second request ignores the range and begins anew.
    assert_eq!(ok(&[HttpMishap::CutAfter(1000), HttpMishap::NoRange]).0.len(), 1);

    let (retries, requests) = ok(&[HttpMishap::CutAfter(1000), HttpMishap::Status(502), HttpMishap::CutAfter(2000)]);
    assert_eq!(retries.len(), 3);
    let ranges: Vec<_> = requests.iter().map(|request| request.headers.get("range").map(String::as_str)).collect();
    assert_eq!(ranges, [None, Some("bytes=1000-"), Some("bytes=1000-"), Some("bytes=3000-")]);
    assert!(requests[1].headers["if-range"].starts_with('"'));
}

#[test]
fn the_server_decides_how_long_to_wait() {
    let (server, _, request) = served();
    server.next_time("/demo.whl", HttpMishap::RetryAfter(429, 1));
    let bench = StoreBench::new();
    let begun = Instant::now();
    fetch(&bench.context, &request).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn what_an_earlier_process_left_is_continued_if_it_fits() {
    for (left, fits) in [(&content()[..5000], true), (&[7; 5000][..], false)] {
        let (server, content, request) = served();
        let bench = StoreBench::new();
        let partial = bench.context.store.partial_blob(&request.sha256);
        fs::create_dir_all(partial.parent().unwrap()).unwrap();
        fs::write(&partial, left).unwrap();
        let path = fetch(&bench.context, &request).unwrap();
        assert!(fs::read(path).unwrap() == content);
        assert!(!partial.exists());
        let requests = server.requests();
        assert_eq!(requests[0].headers["range"], "bytes=5000-");
        assert_eq!(requests.len(), if fits { 1 } else { 2 });
        let begun = bench.events().into_iter().find_map(|event| match event {
            Event::TransferStarted { already, total, .. } => Some((already, total)),
            _ => None,
        });
        assert_eq!(begun, Some((5000, request.size)));
    }
}

#[test]
fn a_partial_file_without_known_size_that_is_whole_or_too_long_is_no_dead_end() {
    for extra in [0, 10] {
        let (_server, content, request) = served();
        let bench = StoreBench::new();
        let partial = bench.context.store.partial_blob(&request.sha256);
        fs::create_dir_all(partial.parent().unwrap()).unwrap();
        fs::write(&partial, [&content[..], &vec![0; extra][..]].concat()).unwrap();
        let path = fetch(&bench.context, &FetchRequest { size: None, ..request }).unwrap();
        assert!(fs::read(path).unwrap() == content, "with {extra} bytes too many");
    }
}

#[test]
fn p18_a_file_with_another_digest_is_removed_and_ends_with_exit_4() {
    let (server, content, request) = served();
    server.every_time("/demo.whl", HttpMishap::Corrupt);
    let bench = StoreBench::new();
    let error = fetch(&bench.context, &request).unwrap_err();
    assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_DIGEST"));
    let text = told(&error);
    let mut corrupt = content;
    corrupt[0] ^= 0xff;
    assert!(text.contains(&request.sha256.to_string()) && text.contains(&Digest::of(&corrupt).to_string()), "{text}");
    assert!(!bench.context.store.blob(&request.sha256).exists());
    assert!(!bench.context.store.partial_blob(&request.sha256).exists());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn p18_a_file_of_another_size_is_refused_before_it_is_read() {
    let (_server, _, request) = served();
    let bench = StoreBench::new();
    let error = fetch(&bench.context, &FetchRequest { size: Some(5), ..request }).unwrap_err();
    assert_eq!(error.exit(), Exit::Trust);
    assert!(told(&error).ends_with("it has 1200000 bytes, expected 5"), "{}", told(&error));
}

#[test]
fn p17_an_unreachable_index_is_named_with_the_file_and_the_attempts() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = closed.local_addr().unwrap();
    drop(closed);
    let bench = StoreBench::new();
    let error =
        fetch(&bench.context, &request(&format!("http://u:secret@{address}/simple/demo.whl"), b"x")).unwrap_err();
    assert_eq!((error.exit(), error.attempts), (Exit::Build, 5));
    let text = told(&error);
    let start = format!("cannot fetch `demo.whl` from `http://{address}/simple/demo.whl` after 5 attempts: ");
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn a_final_status_is_not_tried_again() {
    for (status, hint) in [(404, "lock"), (403, "netrc")] {
        let (server, _, request) = served();
        server.every_time("/demo.whl", HttpMishap::Status(status));
        let error = fetch(&StoreBench::new().context, &request).unwrap_err();
        assert!(told(&error).ends_with(&format!("after 1 attempt: the server answered {status}")), "{}", told(&error));
        assert!(error.hint().unwrap().contains(hint));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn credentials_come_from_the_url_the_settings_or_netrc() {
    let (server, content, plain) = served();
    server.require_basic("/", "ada", "lovelace");
    let netrc = tempfile::NamedTempFile::new().unwrap();
    fs::write(netrc.path(), "machine 127.0.0.1 login ada password lovelace\n").unwrap();
    let given = HostCredentials::of_url(&server.url_as("ada", "lovelace", "/simple/")).unwrap();
    let cases = [
        (request(&server.url_as("ada", "lovelace", "/demo.whl"), &content), settings()),
        (plain.clone(), DownloadSettings { credentials: vec![given], ..settings() }),
        (plain.clone(), DownloadSettings { netrc: Some(netrc.path().to_owned()), ..settings() }),
    ];
    for (request, settings) in cases {
        assert!(fetch(&StoreBench::with(settings).context, &request).is_ok());
    }
    let error = fetch(&StoreBench::new().context, &plain).unwrap_err();
    assert!(told(&error).ends_with("the server answered 401"), "{}", told(&error));
}

#[test]
fn a_redirect_to_another_host_gets_no_credentials_and_to_the_same_host_its_own() {
    let (other, content, _) = served();
    let first = HttpServer::start();
    first.require_basic("/", "ada", "lovelace");
    first.redirect("/a", "/b");
    first.redirect("/b", &other.url("/demo.whl"));
    let given = HostCredentials::of_url(&first.url_as("ada", "lovelace", "/")).unwrap();
    let bench = StoreBench::with(DownloadSettings { credentials: vec![given], ..settings() });
    fetch(&bench.context, &request(&first.url("/a"), &content)).unwrap();
    assert!(first.requests().iter().all(|request| request.headers.contains_key("authorization")));
    assert_eq!(first.requests().len(), 2);
    assert_eq!(other.requests()[0].headers.get("authorization"), None);

    // The same with credentials in the URL and a redirect that names the host.
    first.redirect("/c", &first.url("/b"));
    fetch(&StoreBench::new().context, &request(&first.url_as("ada", "lovelace", "/c"), &content)).unwrap();
    assert_eq!(other.requests()[1].headers.get("authorization"), None);
}

#[test]
fn redirects_in_a_circle_end() {
    let server = HttpServer::start();
    server.redirect("/a", "/a");
    let error = fetch(&StoreBench::new().context, &request(&server.url("/a"), b"x")).unwrap_err();
    assert!(told(&error).ends_with("the server redirects more than 10 times"), "{}", told(&error));
}

#[test]
fn no_secret_is_in_any_message() {
    let (server, content, _) = served();
    server.next_time("/demo.whl", HttpMishap::Status(500));
    server.next_time("/demo.whl", HttpMishap::Status(404));
    let bench = StoreBench::new();
    let url = format!("{}?token=secret2", server.url_as("ada", "secret1", "/demo.whl"));
    let error = fetch(&bench.context, &request(&url, &content)).unwrap_err();
    let everything = format!("{} {error:?} {:?} {:?}", told(&error), error.hint(), bench.events());
    assert!(!everything.contains("secret") && !everything.contains("ada"), "{everything}");
}

#[test]
fn threads_and_processes_that_want_the_same_file_fetch_it_once() {
    let (server, content, request) = served();
    server.every_time("/demo.whl", HttpMishap::Delay(Duration::from_millis(200)));
    let bench = StoreBench::new();
    std::thread::scope(|scope| {
        for neighbour in 0..6 {
            let (bench, request, content) = (&bench, &request, &content);
            scope.spawn(move || {
                let own = (neighbour % 2 == 0).then(|| bench.neighbour());
                let path = fetch(own.as_ref().unwrap_or(&bench.context), request).unwrap();
                assert!(fs::read(path).unwrap() == *content);
            });
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_truncated_blob_in_the_store_is_fetched_again() {
    let (server, content, request) = served();
    let bench = StoreBench::new();
    let path = fetch(&bench.context, &request).unwrap();
    fs::write(&path, &content[..10]).unwrap();
    fetch(&bench.context, &request).unwrap();
    assert!(fs::read(&path).unwrap() == content);
    assert_eq!(server.requests().len(), 2);
}

fn several(server: &HttpServer) -> Vec<FetchRequest> {
    let fetch = |number: u8| {
        let content = vec![number; 1000 * usize::from(number)];
        let path = format!("/{number}");
        server.put(&path, content.clone());
        request(&server.url(&path), &content)
    };
    (1..10).map(fetch).collect()
}

#[test]
fn p14_parallel_downloads_bring_the_same_files_as_one_at_a_time() {
    let server = HttpServer::start();
    let requests = several(&server);
    let fetched = |at_once| {
        let bench = StoreBench::new();
        let paths = fetch_all(&bench.context, &requests, at_once).unwrap();
        paths.iter().map(|path| Digest::of(fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    let expected: Vec<_> = requests.iter().map(|request| request.sha256).collect();
    assert_eq!(fetched(1), expected);
    let in_order: Vec<_> = server.requests().iter().map(|request| request.path.clone()).collect();
    assert_eq!(in_order, (1..10).map(|number| format!("/{number}")).collect::<Vec<_>>());
    assert_eq!(fetched(4), expected);
}

#[test]
fn the_first_error_stops_the_others_promptly() {
    let server = HttpServer::start();
    let mut requests = several(&server);
    for number in 2..10 {
        server.every_time(&format!("/{number}"), HttpMishap::Delay(LONG));
    }
    requests[0].size = None;
    server.every_time("/1", HttpMishap::Status(404));
    let begun = Instant::now();
    let error = fetch_all(&StoreBench::new().context, &requests, 10).unwrap_err();
    assert!(told(&error).ends_with("the server answered 404"), "{}", told(&error));
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn a_cancelled_build_and_one_over_its_limit_stop_waiting() {
    let (server, _, request) = served();
    server.every_time("/demo.whl", HttpMishap::Delay(LONG));
    let begun = Instant::now();
    let mut bench = StoreBench::new();
    bench.context.work.timeout = Some(Duration::from_millis(200));
    let error = fetch(&bench.context, &request).unwrap_err();
    assert_eq!(error.code(), "E_DOWNLOAD_TIMEOUT");
    bench.context.work.timeout = None;
    bench.context.cancelled.store(true, Ordering::Relaxed);
    assert_eq!(fetch(&bench.context, &request).unwrap_err().code(), "E_INTERRUPTED");
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn a_silent_server_is_given_up_after_the_stall_limit() {
    let (server, _, request) = served();
    server.every_time("/demo.whl", HttpMishap::Delay(LONG));
    let stall_limit = Duration::from_millis(200);
    let bench = StoreBench::with(DownloadSettings { stall_limit, attempts: 2, ..settings() });
    let begun = Instant::now();
    let error = fetch(&bench.context, &request).unwrap_err();
    assert!(told(&error).ends_with("after 2 attempts: the server went silent"), "{}", told(&error));
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn files_on_this_machine_are_taken_in_offline_too() {
    let mut bench = StoreBench::new();
    bench.context.work.offline = true;
    let path = bench.path("a b.whl");
    fs::write(&path, "wheel").unwrap();
    let url = url::Url::from_file_path(&path).unwrap().to_string();
    for place in [url.as_str(), path.to_str().unwrap()] {
        let blob = fetch(&bench.context, &request(place, b"wheel")).unwrap();
        assert_eq!(fs::read(&blob).unwrap(), b"wheel");
        fs::remove_file(blob).unwrap();
        let error = fetch(&bench.context, &request(place, b"other")).unwrap_err();
        assert_eq!(error.exit(), Exit::Trust);
    }
    assert_eq!(fetch_bytes(&bench.context, &url, 5).unwrap(), b"wheel");
    let error = fetch(&bench.context, &request("http://127.0.0.1:9/x", b"z")).unwrap_err();
    assert_eq!(error.code(), "E_OFFLINE");
}

/// A server whose answers never end: zeros, with these headers.
fn endless(headers: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes());
                while stream.write_all(&[b'0'; 4096]).is_ok() {}
            });
        }
    });
    format!("http://{address}/demo.whl")
}

#[test]
fn attack_4_a_download_of_unknown_size_ends_at_the_maximum_and_leaves_nothing() {
    let cases = [
        // (headers, size in the lock, the file's own limit, code)
        ("Connection: close\r\n", None, None, "E_DOWNLOAD_LARGE"),
        ("Content-Length: 9000000000000\r\n", None, None, "E_DOWNLOAD_LARGE"),
        ("Connection: close\r\n", Some(5), None, "E_DIGEST"),
        ("Content-Length: 900000\r\n", None, Some(800_000), "E_DOWNLOAD_LARGE"),
    ];
    for (headers, size, largest, code) in cases {
        let bench = StoreBench::with(DownloadSettings { largest: 1_000_000, ..settings() });
        let request = FetchRequest { size, largest, ..request(&endless(headers), b"x") };
        let error = fetch(&bench.context, &request).unwrap_err();
        assert_eq!((error.code(), error.attempts), (code, 1), "{headers:?}: {}", told(&error));
        assert!(!bench.context.store.partial_blob(&request.sha256).exists(), "{headers:?}");
        assert_eq!(bench.retries(), [""; 0], "{headers:?}");
    }
}

#[test]
fn attack_4_only_regular_files_are_taken_from_a_folder() {
    let bench = StoreBench::with(DownloadSettings { largest: 3, ..settings() });
    let large = bench.path("large.whl");
    fs::write(&large, "wheel").unwrap();
    let unknown = |path: &std::path::Path| FetchRequest { size: None, ..request(path.to_str().unwrap(), b"wheel") };
    let error = fetch(&bench.context, &unknown(&large)).unwrap_err();
    assert_eq!(error.code(), "E_DOWNLOAD_LARGE", "{}", told(&error));
    let mut others = vec![bench.folder.path().to_owned()];
    if cfg!(unix) {
        others.push("/dev/zero".into());
        let pipe = bench.path("pipe.whl");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        others.push(pipe);
    }
    for path in others {
        let errors = [
            fetch(&bench.context, &unknown(&path)).map(drop),
            fetch_bytes(&bench.context, path.to_str().unwrap(), 9).map(drop),
        ];
        for error in errors {
            let error = error.unwrap_err();
            assert!(told(&error).ends_with("it is not a regular file"), "{}", told(&error));
        }
    }
}

#[test]
fn attack_11_a_slow_server_is_given_up_with_its_url_its_rate_and_the_option() {
    let (server, _, request) = served();
    // Slower than this is every server, over any time at all.
    let pace = Pace { lowest: u64::MAX, window: Duration::ZERO };
    let bench = StoreBench::with(DownloadSettings { pace, ..settings() });
    let url = request.url.replace("http://", "http://ada:secret@");
    let error = fetch(&bench.context, &FetchRequest { url, ..request.clone() }).unwrap_err();
    assert_eq!((error.code(), error.exit(), error.attempts), ("E_DOWNLOAD_SLOW", Exit::Build, 1));
    let text = told(&error);
    assert!(text.contains(&format!("from `{}`", request.url)) && text.contains(" B/s over 0 s"), "{text}");
    assert!(error.hint().unwrap().contains("`--min-rate"), "{:?}", error.hint());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_retry_names_the_url_and_none_of_its_secrets() {
    let (server, content, request) = served();
    server.put("/text", content);
    for path in ["/demo.whl", "/text"] {
        server.next_time(path, HttpMishap::Status(503));
    }
    let bench = StoreBench::new();
    let with_secret = |url: &str| url.replace("http://", "http://ada:secret@");
    fetch(&bench.context, &FetchRequest { url: with_secret(&request.url), ..request.clone() }).unwrap();
    fetch_bytes(&bench.context, &with_secret(&server.url("/text")), 1 << 30).unwrap();
    let named: Vec<String> = bench
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Retry { what, .. } => Some(what),
            _ => None,
        })
        .collect();
    assert_eq!(named, [request.url, server.url("/text")]);
}

#[test]
fn small_texts_come_whole_or_not_at_all() {
    let server = HttpServer::start();
    server.put("/text", "0123456789");
    server.next_time("/text", HttpMishap::CutAfter(3));
    let bench = StoreBench::new();
    assert_eq!(fetch_bytes(&bench.context, &server.url("/text"), 10).unwrap(), b"0123456789");
    let error = fetch_bytes(&bench.context, &server.url("/text"), 9).unwrap_err();
    assert!(told(&error).ends_with("it has more than 9 bytes"), "{}", told(&error));
    let error = fetch_bytes(&bench.context, &server.url("/nothing"), 9).unwrap_err();
    assert!(told(&error).starts_with("cannot fetch `nothing` from"), "{}", told(&error));
}

#[test]
fn a_probe_tells_reachable_from_unreachable_and_never_hangs() {
    let server = HttpServer::start();
    server.every_time("/broken", HttpMishap::Status(503));
    server.every_time("/slow", HttpMishap::Delay(LONG));
    let bench = StoreBench::with(DownloadSettings { connect_limit: Duration::from_secs(2), ..settings() });
    let begun = Instant::now();
    // Nothing at this path is an answer too.
    assert_eq!(probe(&bench.context, &server.url("/simple/")), Ok(()));
    let reason = |path: &str| probe(&bench.context, &server.url(path)).unwrap_err().reason;
    assert_eq!(reason("/broken"), "the server answered 503");
    assert_eq!(reason("/slow"), "there is no answer within 2 s");
    let unresolved = probe(&bench.context, "http://host.invalid/").unwrap_err();
    assert!(!unresolved.reason.is_empty());
    assert!(begun.elapsed() < LONG / 2);
}
