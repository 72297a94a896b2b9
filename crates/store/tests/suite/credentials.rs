//! Programs that keep credentials: scripts stand for them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use store::download::{DownloadSettings, fetch_bytes};
use testkit::HttpServer;
use vocab::Environment;

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

/// A script on `PATH`.
fn program(folder: &Path, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}
