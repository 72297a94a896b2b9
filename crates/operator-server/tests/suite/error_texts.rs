//! What people read when there is no server or no result: what happened, and what to do. A rule of the repository asks for
//! every text of this crate in a test.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use operator_server::{Call, Content, InputForm, OperatorServer, PoolSettings, ServerKey, ServerPool};
use serde_json::json;
use vocab::{Fault, Work};

use crate::support::{Host, call, with_input};

const OPERATORS: &str = r#"
import io, time
from pydist_operator import UserError
def works(data=None):
    return io.BytesIO(b"well")
def refuses():
    raise UserError("the limit is too small")
def fails():
    return len(3)
def odd():
    return {1: 2}.keys(), 2
def keeps():
    return object()
def takes(kept):
    return None
def large():
    return io.BytesIO(b"x" * 200)
def sleeps():
    time.sleep(600)
def leaves():
    import os
    os._exit(3)
"#;

/// Greets as a server does, or not even that, and answers a call with what no server says.
const FAKE: &str = r#"
import json, os, socket, struct, sys
sys.stdin.readline()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)
print("PYDIST-SERVER 1 %d %d" % (listener.getsockname()[1], os.getpid()), flush=True)
connection, _ = listener.accept()
stream = connection.makefile("rwb")

def read():
    magic, head, body = struct.unpack("<4sII", stream.read(12))
    return json.loads(stream.read(head)), stream.read(body)

def say(header):
    header = json.dumps(header).encode()
    stream.write(struct.pack("<4sII", b"PDL1", len(header), 0) + header)
    stream.flush()

read()
if sys.argv[1] == "stranger":
    stream.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    stream.flush()
    sys.exit()
say({"t": "WELCOME", "protocol": 1, "pid": os.getpid(), "python": "3.12.1", "platform": "linux", "codecs": ["json"], "shim": ""})
run = read()[0]["run"]
if sys.argv[1] == "junk":
    stream.write(b"NOPE" + bytes(8))
    stream.flush()
else:
    say({"t": "ERROR", "run": run, "kind": "protocol", "type": "ProtocolError", "message": "no such call", "user": False,
         "traceback": [], "notes": []})
stream.read()
"#;

/// A program that is started instead of a Python.
fn instead(host: &mut Host, script: &str) -> PathBuf {
    let path = host.root().join("python");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    host.settings.python = path.clone();
    path
}

#[track_caller]
fn assert_told(error: &dyn Fault, code: &str, text: &str, hint: &str) {
    let mut found = error.to_string();
    if let Some(cause) = error.source().map(ToString::to_string).filter(|cause| !found.contains(cause)) {
        found.push_str(&format!(": {cause}"));
    }
    assert_eq!((error.code(), &*found, &*error.hint().unwrap_or_default()), (code, text, hint));
}

fn refused(host: &Host) -> operator_server::ServerError {
    OperatorServer::start(&host.work, &host.settings).err().unwrap()
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let mut host = Host::new(OPERATORS);
    let python = instead(&mut host, "echo 'no encodings' >&2; exit 3");
    assert_told(
        &refused(&host),
        "E_SERVER_START",
        &format!("`{}` ended before it became a server, with exit code 3\n  no encodings", python.display()),
        "run this interpreter by hand: a damaged runtime is the usual cause",
    );
    instead(&mut host, "echo waiting >&2; exec sleep 600");
    host.settings.start_limit = Duration::from_secs(1);
    assert_told(
        &refused(&host),
        "E_SERVER_START",
        &format!("`{}` did not become a server within 1 s\n  waiting", python.display()),
        "run this interpreter by hand; loader.startTimeout raises the limit",
    );
    host.settings.start_limit = Duration::from_secs(120);
    let fake = host.root().join("fake.py");
    fs::write(&fake, FAKE).unwrap();
    instead(&mut host, &format!("exec '{}' '{}' stranger", crate::support::python().display(), fake.display()));
    assert_told(
        &refused(&host),
        "E_SERVER_PROTOCOL",
        "the server does not speak protocol 1: a frame begins with [48, 54, 54, 50] instead of `PDL1`",
        "it is started from a file that this program wrote; remove the cache folder",
    );
    host.settings.cache = host.root().join("ext/ops.py");
    let error = refused(&host);
    let text = format!("cannot write the server's program to `{}", host.settings.cache.display());
    assert!(error.code() == "E_SERVER_FILES" && error.to_string().starts_with(&text), "{error}");
    assert_eq!(error.hint().unwrap(), "set `loader.cacheDir` to a folder that can be written");
}

#[test]
fn a_server_that_may_not_start_says_why() {
    let mut host = Host::new(OPERATORS);
    let key = |name: &str| ServerKey { folder: name.into(), digest: String::new() };
    let pool = ServerPool::new(PoolSettings { most_servers: 1, keep_objects: None });
    let held = pool.lend(&host.work, &key("a"), &host.settings, || None).unwrap();
    let cancelled = Work { cancelled: Arc::new(true.into()), ..host.work.clone() };
    let lent =
        |work: &Work, host: &Host, name: &str| pool.lend(work, &key(name), &host.settings, || None).err().unwrap();
    assert_told(&lent(&cancelled, &host, "a"), "E_INTERRUPTED", "the start was interrupted", "");
    host.settings.start_limit = Duration::from_millis(200);
    assert_told(
        &lent(&host.work, &host, "b"),
        "E_SERVER_LIMIT",
        "as many servers run as are allowed (1), and each is at work or holds objects",
        "wait for one to end, or raise loader.maxServers",
    );
    drop(held);
    host.settings.start_limit = Duration::from_secs(120);
    instead(&mut host, "exit 3");
    for _ in 0..3 {
        assert_eq!(lent(&host.work, &host, "b").code(), "E_SERVER_START");
    }
    assert_told(
        &lent(&host.work, &host, "b"),
        "E_SERVER_FAILED",
        "3 servers of this runtime crashed within 60 s",
        "look at the errors before this one; a new start of the host tries again",
    );
    host.settings.python = crate::support::python();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    host.settings.ports = Some((port, port));
    assert_told(
        &refused(&host),
        "E_SERVER_PORTS",
        &format!("no port from {port} to {port} is free on 127.0.0.1"),
        "end a server, or widen the range with pysdk.pel.server.minPort and pysdk.pel.server.maxPort",
    );
}

#[test]
fn a_call_without_a_result_says_why() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let cases = [
        ("refuses", "E_OPERATOR_USER", "the limit is too small", ""),
        (
            "fails",
            "E_OPERATOR",
            "TypeError: object of type 'int' has no len() (ops.py line 9)",
            "the traceback shows where in the extension",
        ),
    ];
    for (function, code, text, hint) in cases {
        assert_told(&host.run(&mut server, call(function, &json!({}))).unwrap_err(), code, text, hint);
    }
    let two = Call { outputs: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], ..call("odd", &json!({})) };
    assert_told(
        &host.run(&mut server, two).unwrap_err(),
        "E_SERIALIZE",
        "the operator has 3 outputs and returned a tuple of 2",
        "change what the operator takes or returns; docs/formats/operator-protocol.md lists what can cross",
    );
    let pid = server.welcome().pid;
    let kept = |owner: u32| {
        let form = InputForm::Handle { handle: "0123456789abcdef".to_owned(), server: owner };
        with_input(call("takes", &json!({})), "kept", form)
    };
    let lost = host.run(&mut server, kept(pid)).unwrap_err();
    assert_eq!(lost.hint().as_deref(), Some("run again from the operator that made the object"));
    assert!(lost.code() == "E_HANDLE_LOST" && lost.to_string().contains("kept"), "{lost}");
    assert_told(
        &host.run(&mut server, kept(pid + 1)).unwrap_err(),
        "E_HANDLE_FOREIGN",
        "input `kept` is an object of another server",
        "objects stay in the server that made them: run both operators on the same runtime",
    );
    let folder = InputForm::Bytes(Content::of_file(File::open(host.root()).unwrap()).unwrap());
    assert_told(
        &host.run(&mut server, with_input(call("works", &json!({})), "data", folder)).unwrap_err(),
        "E_RUN_FILES",
        "cannot read the content of `data`: Is a directory (os error 21)",
        "make room for it, or allow the access",
    );
    let limited = Call { limit: Some(Duration::from_secs(1)), ..call("sleeps", &json!({})) };
    assert_told(
        &host.run(&mut server, limited).unwrap_err(),
        "E_RUN_TIMEOUT",
        "the call took longer than 1 s and was ended",
        "raise loader.runTimeout; 0 is no limit",
    );
    let cancelled = Work { cancelled: Arc::new(true.into()), ..host.work.clone() };
    let error = server.run(&cancelled, call("sleeps", &json!({})), &mut |_| {}).unwrap_err();
    assert_told(&error, "E_INTERRUPTED", "the call was cancelled", "");
    assert_told(
        &host.run(&mut server, call("leaves", &json!({}))).unwrap_err(),
        "E_SERVER_CRASHED",
        "the server ended during the call, with exit code 3",
        "the call was not repeated, since it may have had effects; the next one starts a new server",
    );
    host.settings.largest_body = 100;
    let mut server = host.loaded();
    let larger = with_input(call("works", &json!({})), "data", InputForm::Bytes(vec![0; 101].into()));
    assert_told(
        &host.run(&mut server, larger).unwrap_err(),
        "E_RUN_BODY",
        "the value of `data` is larger than 100 bytes",
        "raise loader.maxBody",
    );
}

#[test]
fn a_module_that_does_not_import_says_where() {
    let mut host = Host::new("import json\nimport no_such_module\n");
    let mut server = host.start();
    assert_told(
        &host.load(&mut server).unwrap_err(),
        "E_EXT_IMPORT",
        "ModuleNotFoundError: No module named 'no_such_module' (ops.py line 2)",
        "the extension's module does not import on this runtime: compare what both ask for",
    );
}

#[test]
fn a_server_that_breaks_the_protocol_is_said_to() {
    let mut host = Host::new(OPERATORS);
    let fake = host.root().join("fake.py");
    fs::write(&fake, FAKE).unwrap();
    let hint = "an extension may have written to the server's connection; call again";
    for (way, text) in [
        ("junk", "the server broke the protocol: a frame begins with [4e, 4f, 50, 45] instead of `PDL1`"),
        ("nonsense", "a message of the server makes no sense: no such call"),
    ] {
        instead(&mut host, &format!("exec '{}' '{}' {way}", crate::support::python().display(), fake.display()));
        let mut server = host.start();
        let error = host.run(&mut server, call("works", &json!({}))).unwrap_err();
        assert_told(&error, "E_SERVER_PROTOCOL", text, hint);
    }
}
