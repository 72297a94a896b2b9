//! How servers start and end.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use operator_server::{OperatorServer, OutputForm, PoolSettings, ServerKey, ServerPool};
use serde_json::json;
use vocab::{Fault, Work};

use crate::support::{Host, bytes, call, eventually};

const OPERATORS: &str = r#"
import ctypes, io, os, signal
def works():
    return io.BytesIO(b"well")
def leaves(code: int):
    print("last words", file=__import__("sys").stderr, flush=True)
    os._exit(code)
def faults():
    import faulthandler
    ctypes.string_at(0)
def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)
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

/// The second is what a system does that has no memory left.
#[cfg(unix)]
#[test]
fn pel_61_a_segmentation_fault_and_a_kill_are_told_by_their_signals() {
    let mut host = Host::new(OPERATORS);
    for (function, signal) in [("faults", 11), ("is_killed", 9)] {
        let mut server = host.loaded();
        let error = host.run(&mut server, call(function, &json!({}))).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("the server ended during the call, with signal {signal}")), "{text}");
        assert_eq!(error.code(), "E_SERVER_CRASHED");
        assert!(error.hint().is_some_and(|hint| hint.starts_with("the call was not repeated")), "{error:?}");
    }
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

/// Three ports one after another, each taken.
fn three_ports() -> (u16, [Option<TcpListener>; 3]) {
    let listen = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
    loop {
        let first = listen(0).unwrap();
        let port = first.local_addr().unwrap().port();
        let next = |more: u16| listen(port.checked_add(more)?);
        if let (Some(second), Some(third)) = (next(1), next(2)) {
            return (port, [first, second, third].map(Some));
        }
    }
}

#[test]
fn pel_55_ports_come_from_the_range_and_a_full_one_is_an_error() {
    let mut host = Host::new(OPERATORS);
    let (low, mut taken) = three_ports();
    let refused = |host: &Host, high: u16| {
        let refused = OperatorServer::start(&host.work, &host.settings).err().unwrap();
        assert_eq!(refused.code(), "E_SERVER_PORTS");
        assert_eq!(refused.to_string(), format!("no port from {low} to {high} is free on 127.0.0.1"));
        assert!(refused.hint().is_some_and(|hint| hint.contains("pysdk.pel.server.maxPort")));
    };
    host.settings.ports = Some((low, low));
    refused(&host, low);
    host.settings.ports = Some((low, low + 2));
    refused(&host, low + 2);
    for (at, port) in (low..=low + 2).enumerate() {
        drop(taken[at].take());
        let server = host.start();
        assert_eq!(server.port(), port, "the one that is free");
        server.stop();
        taken[at] = Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    }
}

/// What a server was connected with keeps its port from others for a while, but not from the next server.
#[test]
fn pel_56_the_only_port_is_free_again_when_its_server_has_ended() {
    let mut host = Host::new(OPERATORS);
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    host.settings.ports = Some((port, port));
    host.settings.idle = Some(Duration::from_secs(2));
    let mut first = host.loaded();
    // Until it is released, an object keeps the server from ending.
    let mut kept = host.run(&mut first, call("keeps", &json!({}))).unwrap();
    let OutputForm::Handle { handle, .. } = kept.remove(0).form else { panic!("it is an object") };
    let refused = OperatorServer::start(&host.work, &host.settings).err().unwrap();
    assert_eq!(refused.code(), "E_SERVER_PORTS");
    first.release(&[handle]).unwrap();
    eventually("the end of an idle server", || !first.is_alive());
    let mut second = host.loaded();
    assert_eq!(second.port(), port);
    assert_eq!(bytes(host.run(&mut second, call("works", &json!({}))).unwrap()), b"well");
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
    // One that never finishes what it says is left after some seconds.
    let mut slow = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    slow.write_all(&framed(&json!({ "t": "HELLO" }))[..10]).unwrap();
    match slow.read(&mut [0; 100]) {
        Ok(length) => assert_eq!(length, 0, "nothing is said"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
}

/// Neither on another address of loopback, nor on that by which this machine reaches others, if it has one.
#[cfg(target_os = "linux")]
#[test]
fn pel_57_a_server_listens_on_one_address_alone() {
    let host = Host::new(OPERATORS);
    let server = host.start();
    let outward = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // Nothing is sent.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    let others = outward.ok().map(|address| address.ip()).filter(|address| !address.is_loopback());
    for address in others.into_iter().chain([Ipv4Addr::new(127, 0, 0, 2).into()]) {
        let reached = TcpStream::connect_timeout(&(address, server.port()).into(), Duration::from_secs(30));
        assert_eq!(reached.err().map(|error| error.kind()), Some(std::io::ErrorKind::ConnectionRefused), "{address}");
    }
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_ok());
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
fn pel_58_the_next_call_starts_a_server_again() {
    let mut host = Host::new(OPERATORS);
    host.settings.idle = Some(Duration::from_secs(1));
    let (work, settings) = (host.work.clone(), host.settings.clone());
    let pool = ServerPool::new(PoolSettings { most_servers: 1, keep_objects: None });
    let key = ServerKey { folder: host.root().to_owned(), digest: "1".to_owned() };
    let mut pids = Vec::new();
    for _ in 0..2 {
        let mut server = pool.lend(&work, &key, &settings, || None).unwrap();
        host.load(&mut server).unwrap();
        assert_eq!(bytes(host.run(&mut server, call("works", &json!({}))).unwrap()), b"well");
        pids.push(server.welcome().pid);
        drop(server);
        eventually("the end of an idle server", || pool.running().is_empty());
    }
    assert_ne!(pids[0], pids[1]);
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
