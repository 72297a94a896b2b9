//! Ctrl-C, as somebody presses it. A program of its own with one test: on Windows everything in a console hears it, and the
//! test gets a console of its own.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use testkit::{HttpMishap, HttpServer, interrupt, start_interruptible};

/// A server that is down is asked again and again, for seconds: time enough for a key.
#[test]
fn ctrl_c_ends_a_fetch_at_once_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = HttpServer::start();
    server.every_time("/new.tar.zst.json", HttpMishap::Status(503));
    server.every_time("/new.tar.zst", HttpMishap::Status(503));
    let mut command = Command::new(env!("CARGO_BIN_EXE_archive"));
    command.args(["fetch", &server.url("/new.tar.zst"), "--out", "new"]).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = start_interruptible(&mut command).unwrap();
    let started = Instant::now();
    while server.requests().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "it never asked the server");
        thread::sleep(Duration::from_millis(5));
    }
    interrupt(&program);
    let output = program.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("the work was interrupted"), "{told}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}
