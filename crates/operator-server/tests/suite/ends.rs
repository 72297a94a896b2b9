//! How servers start and end.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use operator_server::{OperatorServer, PoolSettings, ServerKey, ServerPool};
use serde_json::json;
use vocab::{Fault, Work};

use crate::support::{Host, bytes, call, eventually};

const OPERATORS: &str = r#"
import ctypes, io, os, socket
def works():
    return io.BytesIO(b"well")
def leaves(code: int):
    print("last words", file=__import__("sys").stderr, flush=True)
    os._exit(code)
def faults():
    import faulthandler
    ctypes.string_at(0)
def keeps():
    return object()
"#;

#[test]
fn pel_60_a_server_that_ends_during_a_call_is_named_with_its_last_words() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let error = host.run(&mut server, call("leaves", &json!({ "code": 3 }))).unwrap_err();
    assert_eq!(error.code(), "E_SERVER_CRASHED");
    let text = error.to_string();
    assert!(text.contains("exit code 3") && text.contains("last words") && !text.contains("PYDIST-END"), "{text}");
}

#[cfg(unix)]
#[test]
fn pel_61_a_segmentation_fault_is_told_by_its_signal() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let error = host.run(&mut server, call("faults", &json!({}))).unwrap_err();
    assert!(matches!(error, operator_server::RunError::Crashed { end, .. } if end.signal == Some(11)), "{error:?}");
}

#[test]
fn pel_60_three_crashes_in_a_minute_are_enough_until_somebody_resets() {
    let mut host = Host::new(OPERATORS);
    let pool = ServerPool::new(PoolSettings { most_servers: 2, keep_objects: None });
    let key = ServerKey { folder: host.root().to_owned(), digest: "1".to_owned() };
    for _ in 0..3 {
        let mut server = pool.lend(&host.work, &key, &host.settings, || None).unwrap();
        host.load(&mut server).unwrap();
        host.run(&mut server, call("leaves", &json!({ "code": 1 }))).unwrap_err();
        server.crashed();
    }
    let refused = pool.lend(&host.work, &key, &host.settings, || None).err().unwrap();
    assert_eq!(refused.code(), "E_SERVER_FAILED");
    pool.reset(&key);
    let mut server = pool.lend(&host.work, &key, &host.settings, || None).unwrap();
    host.load(&mut server).unwrap();
    assert_eq!(bytes(host.run(&mut server, call("works", &json!({}))).unwrap()), b"well");
}

#[test]
fn the_server_that_was_idle_for_longest_gives_way_but_not_one_with_objects() {
    let mut host = Host::new(OPERATORS);
    let pool = ServerPool::new(PoolSettings { most_servers: 1, keep_objects: None });
    let key = |name: &str| ServerKey { folder: name.into(), digest: String::new() };
    let (work, settings) = (host.work.clone(), host.settings.clone());
    let first = pool.lend(&work, &key("a"), &settings, || None).unwrap().welcome().pid;
    let mut server = pool.lend(&work, &key("b"), &settings, || None).unwrap();
    assert_ne!(server.welcome().pid, first);
    host.load(&mut server).unwrap();
    host.run(&mut server, call("keeps", &json!({}))).unwrap();
    drop(server);
    assert_eq!(pool.running().len(), 1);
    let refused = pool.lend(&work, &key("c"), &settings, || None).err().unwrap();
    assert_eq!(refused.code(), "E_SERVER_LIMIT");
}

#[test]
fn calls_on_one_server_wait_for_each_other_and_a_waiting_one_can_be_cancelled() {
    let host = Host::new(OPERATORS);
    let pool = ServerPool::new(PoolSettings { most_servers: 1, keep_objects: None });
    let key = ServerKey { folder: host.root().to_owned(), digest: "1".to_owned() };
    let other = ServerKey { digest: "2".to_owned(), ..key.clone() };
    let lease = pool.lend(&host.work, &key, &host.settings, || None).unwrap();
    let pid = lease.welcome().pid;
    assert!(matches!(&pool.running()[..], [one] if one.is_busy && one.pid == Some(pid)));
    std::thread::scope(|scope| {
        let again = scope.spawn(|| pool.lend(&host.work, &key, &host.settings, || None).unwrap().welcome().pid);
        for key in [&key, &other] {
            let cancelled = Work { cancelled: Arc::new(true.into()), ..host.work.clone() };
            let refused = pool.lend(&cancelled, key, &host.settings, || None).err().unwrap();
            assert_eq!(refused.code(), "E_INTERRUPTED");
        }
        assert!(!again.is_finished());
        drop(lease);
        assert_eq!(again.join().unwrap(), pid);
    });
}

#[test]
fn old_objects_are_forgotten_and_a_replaced_runtime_loses_its_server_with_the_last() {
    let mut host = Host::new(OPERATORS);
    let pool = ServerPool::new(PoolSettings { most_servers: 2, keep_objects: Some(Duration::from_secs(1)) });
    let key = ServerKey { folder: host.root().to_owned(), digest: "1".to_owned() };
    let mut server = pool.lend(&host.work.clone(), &key, &host.settings.clone(), || None).unwrap();
    host.load(&mut server).unwrap();
    host.run(&mut server, call("keeps", &json!({}))).unwrap();
    let pid = server.welcome().pid;
    drop(server);
    pool.retire(&key);
    assert_eq!(pool.running()[0].objects, 1);
    assert!(pool.lend_running(&host.work, pid).unwrap().is_some());
    eventually("the end of a server that has forgotten its objects", || {
        pool.forget_old_objects();
        pool.running().is_empty()
    });
    assert!(pool.lend_running(&host.work, pid).unwrap().is_none());
}

#[test]
fn pel_55_56_ports_come_from_the_range_and_a_full_one_is_an_error() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut host = Host::new(OPERATORS);
    host.settings.ports = Some((port, port));
    let refused = OperatorServer::start(&host.work, &host.settings).err().unwrap();
    assert_eq!(refused.code(), "E_SERVER_PORTS");
    assert!(refused.to_string().contains(&format!("from {port} to {port}")), "{refused}");
    drop(taken);
    let server = host.start();
    assert_eq!(server.port(), port);
}

#[test]
fn pel_57_without_the_token_nothing_is_answered() {
    let host = Host::new(OPERATORS);
    let server = host.start();
    for greeting in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        framed(&json!({ "t": "HELLO", "token": "0".repeat(64), "protocol": 1 })),
        framed(&json!({ "t": "RUN", "run": 1 })),
        framed(&json!({ "t": "HELLO", "token": null })),
    ] {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&greeting).unwrap();
        let mut answer = Vec::new();
        // A reset is an answer without information as well.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"", "for {greeting:?}");
    }
}

fn framed(header: &serde_json::Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    operator_server::frame::write_frame(&mut bytes, header, &[]).unwrap();
    bytes
}

#[test]
fn pel_58_an_idle_server_ends_and_one_with_objects_stays() {
    let mut host = Host::new(OPERATORS);
    host.settings.idle = Some(Duration::from_millis(300));
    let mut server = host.start();
    eventually("the end of an idle server", || !server.is_alive());
    let mut server = host.loaded();
    host.run(&mut server, call("keeps", &json!({}))).unwrap();
    std::thread::sleep(Duration::from_millis(900));
    assert!(server.is_alive(), "it holds an object");
}

#[test]
fn a_program_that_is_not_python_is_an_error_with_its_own_words() {
    let mut host = Host::new("");
    host.settings.python = host.root().join("missing/python3");
    let error = OperatorServer::start(&host.work, &host.settings).err().unwrap();
    assert_eq!(error.code(), "E_PROGRAM_MISSING");
    #[cfg(unix)]
    {
        host.settings.python = "/bin/sh".into();
        let error = OperatorServer::start(&host.work, &host.settings).err().unwrap();
        assert_eq!(error.code(), "E_SERVER_START");
    }
}

#[test]
fn pel_64_folders_may_have_any_name() {
    let parent = tempfile::tempdir().unwrap();
    let odd = tempfile::Builder::new().prefix("a ü 日本 😀 ' & ").tempdir_in(parent.path()).unwrap();
    assert!(Path::new(odd.path()).exists());
    let mut host = Host::within(odd, OPERATORS);
    let mut server = host.loaded();
    assert_eq!(bytes(host.run(&mut server, call("works", &json!({}))).unwrap()), b"well");
}

#[test]
fn pel_59_a_server_ends_with_its_host() {
    use std::io::BufRead as _;

    let host = Host::new(OPERATORS);
    // What a host that is killed leaves: a pipe that closes, and nothing said.
    drop(host.start());
    let files = std::fs::read_dir(host.root().join("cache")).unwrap();
    let program = files.map(|file| file.unwrap().path()).find(|path| path.extension().is_some_and(|end| end == "py"));
    let mut server = std::process::Command::new(&host.settings.python)
        .args(["-I", "-u"])
        .arg(program.unwrap())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = server.stdin.take().unwrap();
    pipe.write_all(b"{\"token\": \"00\", \"ports\": null}\n").unwrap();
    let mut line = String::new();
    std::io::BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("PYDIST-SERVER 1 "), "{line}");
    assert!(server.try_wait().unwrap().is_none());
    drop(pipe);
    eventually("the end of a server without a host", || server.try_wait().unwrap().is_some());
}
