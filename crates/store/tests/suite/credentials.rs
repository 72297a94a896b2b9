//! Programs that keep credentials: scripts stand for them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use store::Context;
use store::download::{Authenticate, DownloadSettings, UserIndex, fetch_bytes, probe};
use testkit::HttpServer;
use vocab::{Environment, Fault as _, Work};

use testkit::store_bench::StoreBench;

#[test]
fn what_uv_auth_and_a_keyring_keep_is_asked_for_once_and_only_where_a_server_wants_it() {
    let (server, content) = (HttpServer::start(), b"content".to_vec());
    server.put("/demo.whl", content.clone());
    server.put("/other.whl", content.clone());
    let bench = StoreBench::new();
    let bin = bench.path("bin");
    // One line for each call; the answer only for this server.
    let host = server.url("");
    let answer = "printf '{\"headers\":{\"Authorization\":[\"Basic YWRhOmxvdmVsYWNl\"]}}'";
    let uv = format!(
        "read question\necho \"uv $question\" >> {0}/calls\ncase $question in *{host}*) {answer};; *) exit 1;; esac",
        bin.display()
    );
    program(&bin, "uv", &uv);
    program(&bin, "keyring", &format!("echo \"keyring $*\" >> {}/calls\nexit 1", bin.display()));
    let calls = || fs::read_to_string(bin.join("calls")).unwrap_or_default();
    let environment = Environment::new([
        ("PATH".into(), bin.clone().into_os_string()),
        ("UV_KEYRING_PROVIDER".into(), "subprocess".into()),
        ("UV_NO_CONFIG".into(), "1".into()),
    ]);
    let given = || DownloadSettings { first_pause: Duration::from_millis(1), ..DownloadSettings::of(&environment) };

    // A server that wants nothing: nobody is asked.
    fetch_bytes(&StoreBench::with(given()).context, &server.url("/demo.whl"), 100).unwrap();
    assert_eq!(calls(), "");
    // Another host's credentials are not taken, and nobody is asked twice.
    server.require_basic("/", "ada", "lovelace");
    let bench = StoreBench::with(given());
    for path in ["/demo.whl", "/other.whl"] {
        assert_eq!(fetch_bytes(&bench.context, &server.url(path), 100).unwrap(), content);
    }
    assert_eq!(calls().lines().count(), 1, "{}", calls());
    let other = HttpServer::start();
    other.require_basic("/", "ada", "lovelace");
    assert!(fetch_bytes(&bench.context, &other.url("/demo.whl"), 100).is_err());
    assert!(other.requests().iter().all(|request| !request.headers.contains_key("authorization")));
    // The keyring is asked only for the password of a user: the URL, then the host, then both.
    assert!(!calls().contains("keyring"), "{}", calls());
    let url = other.url_as("eve", "", "/demo.whl").replace(":@", "@");
    assert!(fetch_bytes(&bench.context, &url, 100).is_err());
    let address = other.url("").replace("http://", "");
    for service in [format!("http://{address}/"), address.clone(), format!("http://{address}")] {
        assert!(calls().contains(&format!("keyring get {service} eve\n")), "{}", calls());
    }
    let told = format!("{:?}", bench.events());
    assert!(!told.contains("lovelace") && !told.contains("YWRh"), "{told}");
}

/// Downloads with this keyring, which is asked for the password of a user.
fn with_keyring(bin: &Path, script: &str) -> DownloadSettings {
    program(bin, "uv", "exit 1");
    program(bin, "keyring", &format!("echo \"$*\" >> {}/calls\n{script}", bin.display()));
    let environment = Environment::new([
        ("PATH".into(), std::env::join_paths([bin, Path::new("/usr/bin"), Path::new("/bin")]).unwrap()),
        ("UV_KEYRING_PROVIDER".into(), "subprocess".into()),
        ("UV_NO_CONFIG".into(), "1".into()),
    ]);
    DownloadSettings { first_pause: Duration::from_millis(1), ..DownloadSettings::of(&environment) }
}

fn user_alone(server: &HttpServer, path: &str) -> String {
    server.url_as("ada", "", path).replace(":@", "@")
}

#[test]
fn a_keyring_may_take_longer_than_a_server_and_others_are_asked_meanwhile() {
    let [slow, quick] = [(), ()].map(|()| HttpServer::start());
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path();
    for server in [&slow, &quick] {
        server.put("/demo.whl", "content");
        server.require_basic("/", "ada", "lovelace");
    }
    // The answer for one server waits until the other has served its file, or for 20 s.
    let wait =
        format!("i=0\nwhile [ ! -e {}/served ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i+1)); done", bin.display());
    let script = format!("case $2 in *{}*) {wait};; esac\necho lovelace", slow.url("").replace("http://", ""));
    let limit = Duration::from_millis(200);
    let given = DownloadSettings { connect_limit: limit, ..with_keyring(bin, &script) };
    let bench = StoreBench::with(given);
    let context =
        Context { work: Work { timeout: Some(limit), ..bench.context.work.clone() }, ..bench.context.clone() };
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| probe(&context, &user_alone(&slow, "/demo.whl")));
        let fetched = scope.spawn(|| fetch_bytes(&context, &user_alone(&slow, "/demo.whl"), 100));
        while !bin.join("calls").exists() {
            std::thread::yield_now();
        }
        assert_eq!(fetch_bytes(&context, &user_alone(&quick, "/demo.whl"), 100).unwrap(), b"content");
        // Longer than the limits of the server and of the file.
        std::thread::sleep(limit * 2);
        fs::write(bin.join("served"), "").unwrap();
        assert_eq!(asked.join().unwrap(), Ok(()));
        assert_eq!(fetched.join().unwrap().unwrap(), b"content");
    });
    let calls = fs::read_to_string(bin.join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 2, "each was asked once: {calls}");
}

#[test]
fn a_keyring_that_does_not_answer_is_one_clear_error_and_says_nothing_of_its_server() {
    let server = HttpServer::start();
    let folder = tempfile::tempdir().unwrap();
    let given = with_keyring(folder.path(), "sleep 60");
    let bench = StoreBench::with(DownloadSettings { programs_limit: Duration::from_millis(100), ..given });
    let url = user_alone(&server, "/demo.whl");
    for _ in 0..2 {
        let error = fetch_bytes(&bench.context, &url, 100).unwrap_err();
        assert_eq!(error.code(), "E_CREDENTIALS");
        assert_eq!(error.kind.to_string(), "`keyring` was asked for the credentials and did not answer within 0.1 s");
    }
    assert!(!probe(&bench.context, &url).unwrap_err().was_asked);
    assert_eq!(server.requests(), []);
    assert_eq!(fs::read_to_string(folder.path().join("calls")).unwrap().lines().count(), 1);
}

/// A script on `PATH`.
fn program(folder: &Path, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_interrupt_ends_a_keyring_that_is_being_asked_and_nobody_waits_for_it() {
    let server = HttpServer::start();
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path();
    let given = with_keyring(bin, &format!("sleep 100\ntouch {}/answered", bin.display()));
    let cancelled = Arc::<AtomicBool>::default();
    let index = UserIndex { authenticate: Authenticate::Always, ..UserIndex::of_url(&server.url("/simple")).unwrap() };
    let given = DownloadSettings { programs_cancelled: Arc::clone(&cancelled), indexes: vec![index], ..given };
    let bench = StoreBench::with(given);
    let work = Work { cancelled: Arc::clone(&cancelled), ..bench.context.work.clone() };
    let context = Context { work, ..bench.context.clone() };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let fetched = scope.spawn(|| fetch_bytes(&context, &server.url("/simple/demo/"), 100).unwrap_err());
        // On the caller's own thread, for programs that take credentials only beforehand.
        let known = scope.spawn(|| context.downloader.credentials_for(&server.url("/simple/").parse().unwrap()));
        while !bin.join("calls").exists() {
            std::thread::yield_now();
        }
        cancelled.store(true, Ordering::Relaxed);
        assert_eq!(fetched.join().unwrap().code(), "E_INTERRUPTED");
        assert_eq!(known.join().unwrap(), None);
    });
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert!(!bin.join("answered").exists());
    assert_eq!(server.requests(), []);
}
