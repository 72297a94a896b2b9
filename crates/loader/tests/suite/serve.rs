//! `pydist extension serve --stdio`: a host that speaks lines of JSON.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::operators;
use crate::site::Site;

/// A loaded machine is slow.
pub const LONG: Duration = Duration::from_secs(120);

const MODULE: &str = r#"
import io, os, pathlib, time
from pydist_operator import progress

def naps(seconds: float):
    for step in range(int(seconds * 20)):
        progress(step / (seconds * 20), f"step {step}")
        time.sleep(0.05)
    return io.BytesIO(b"rested")

def pid():
    return io.BytesIO(str(os.getpid()).encode())

def ends(code: int):
    os._exit(code)

def keeps(word: str):
    return [word]

def takes(kept):
    return io.BytesIO(kept[0].encode())

def nothing():
    return None
"#;

/// Those of `run`, and an extension with operators that take long, keep objects and end their server.
pub fn site() -> Site {
    let site = operators::site();
    more(&site, "more", "custom:1.0.0", &[]);
    site
}

/// An extension of these operators with this namespace, its module called after that.
pub fn more(site: &Site, namespace: &str, environment: &str, files: &[(&str, &[u8])]) {
    let output = json!([{ "name": "result" }]);
    let module = format!("{namespace}_module");
    let descriptor = json!({
        "extension": {
            "name": "More", "namespace": namespace, "version": "1.0.0", "module": module, "environment": environment,
        },
        "operators": {
            "naps": { "parameters": [{ "name": "seconds", "type": "real" }], "outputs": output },
            "pid": { "outputs": output },
            "ends": { "parameters": [{ "name": "code", "type": "integer" }], "outputs": output },
            "keeps": { "parameters": [{ "name": "word", "type": "string" }], "outputs": output },
            "takes": { "inputs": [{ "name": "kept" }], "outputs": output },
            "nothing": {},
        },
    });
    let (descriptor, module) = (descriptor.to_string(), format!("{module}/__init__.py"));
    let own = [("extension.json", descriptor.as_bytes()), (&*module, MODULE.as_bytes())];
    site.zip(&format!("ext/{namespace}.zip"), &[&own[..], files].concat());
}

/// For what a host writes (`request`), or what pydist does (`said`).
fn schema(lines: &str) -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/host-protocol.schema.json");
    let mut schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    schema.as_object_mut().unwrap().remove("anyOf");
    schema["$ref"] = format!("#/$defs/{lines}").into();
    jsonschema::validator_for(&schema).unwrap()
}

pub struct Served {
    pub child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    events: Vec<Value>,
}

impl Served {
    pub fn start(site: &Site, words: &[&str]) -> Self {
        let mut command = site.command(&["serve", "--stdio"]);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        let said = schema("said");
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let value = serde_json::from_str(&line.unwrap()).expect("every line is JSON");
                assert!(said.is_valid(&value), "the schema does not allow {value}");
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, events: Vec::new() }
    }

    pub fn send_line(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(line).unwrap();
        stdin.write_all(b"\n").unwrap();
    }

    pub fn send(&mut self, request: &Value) {
        self.send_line(request.to_string().as_bytes());
    }

    /// The answer to a request. Events on the way, and answers to others, are kept.
    pub fn answer(&mut self, id: &Value) -> Value {
        let is_it = |line: &Value| line["id"] == *id && line.get("event").is_none();
        if let Some(at) = self.events.iter().position(is_it) {
            return self.events.remove(at);
        }
        loop {
            let line = self.lines.recv_timeout(LONG).expect("an answer comes");
            if is_it(&line) {
                return line;
            }
            self.events.push(line);
        }
    }

    pub fn ask(&mut self, request: &Value) -> Value {
        self.send(request);
        self.answer(&request["id"])
    }

    pub fn await_event(&mut self, id: &Value, event: &str) {
        while !self.events.iter().any(|line| line["id"] == *id && line["event"] == event) {
            let line = self.lines.recv_timeout(LONG).expect("an event comes");
            self.events.push(line);
        }
    }

    pub fn run(&mut self, id: u64, operator: &str, members: Value) -> Value {
        self.ask(&run(id, operator, members))
    }

    /// What an operator of `more` returned, by a file.
    pub fn result(&mut self, site: &Site, id: u64, operator: &str, mut members: Value) -> String {
        let out = site.path(&format!("out/{id}.txt"));
        members["outputs"] = json!({ "result": { "path": out } });
        let answer = self.run(id, operator, members);
        assert!(answer.get("result").is_some(), "{answer}");
        fs::read_to_string(out).unwrap()
    }

    pub fn ended(&mut self) -> bool {
        self.stdin = None;
        let began = Instant::now();
        while began.elapsed() < LONG {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn run(id: u64, operator: &str, mut members: Value) -> Value {
    members["id"] = id.into();
    members["method"] = "run".into();
    members["operator"] = operator.into();
    members
}

pub fn eventually_gone(pid: &str) {
    let process = Path::new("/proc").join(pid);
    let is_there = || {
        let status = fs::read_to_string(process.join("stat")).unwrap_or_default();
        // One whose parent has not asked for its end yet has ended, too.
        process.exists() && !status.contains(") Z ")
    };
    let began = Instant::now();
    while is_there() {
        assert!(began.elapsed() < LONG, "process {pid} still runs");
        thread::sleep(Duration::from_millis(20));
    }
}

fn fixture(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/host-protocol").join(name);
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn samples_fit_the_schema_and_every_request_is_understood() {
    for line in fixture("said.jsonl") {
        assert!(schema("said").is_valid(&line) && !schema("request").is_valid(&line), "{line}");
    }
    let site = site();
    let mut host = Served::start(&site, &[]);
    let mut requests = fixture("requests.jsonl");
    let methods: std::collections::BTreeSet<String> = requests.iter().map(|it| it["method"].to_string()).collect();
    let hello = host.ask(&json!({ "id": 0, "method": "hello" }));
    assert_eq!(methods.len(), hello["result"]["methods"].as_array().unwrap().len(), "a sample of each");
    let close = requests.pop().unwrap();
    for request in requests.iter().chain([&close]) {
        assert!(schema("request").is_valid(request), "{request}");
        let answer = host.ask(request);
        // What they name is not here.
        let code = answer["error"]["code"].as_str().unwrap_or_default();
        assert!(!code.starts_with("E_HOST_"), "{request}: {answer}");
    }
    let wrong = json!({ "id": 1, "method": "run", "operator": "a:b", "outputs": { "x": "/a" } });
    assert!(!schema("request").is_valid(&wrong));
    assert!(host.ended());
}

#[test]
fn a_host_lists_inspects_prepares_and_runs() {
    let site = site();
    let mut host = Served::start(&site, &[]);
    let hello = host.ask(&json!({ "id": "h", "method": "hello", "protocol": 1, "client": "a test" }));
    assert_eq!((&hello["result"]["protocol"], &hello["result"]["program"]), (&1.into(), &"pydist".into()));
    let refused = host.ask(&json!({ "id": 1, "method": "hello", "protocol": 2 }));
    assert_eq!(refused["error"]["code"], "E_HOST_PROTOCOL");
    let listed = host.ask(&json!({ "id": 1, "method": "list" }));
    let names: Vec<&Value> =
        listed["result"]["extensions"].as_array().unwrap().iter().map(|it| &it["namespace"]).collect();
    assert_eq!(names, ["helping", "more", "words"]);
    let inspected = host.ask(&json!({ "id": 2, "method": "inspect", "extension": "words" }));
    assert_eq!(inspected["result"]["descriptor"]["operators"][0]["implementation"], "count");
    let resolved = host.ask(&json!({ "id": 3, "method": "resolve", "name": "words" }));
    assert_eq!(resolved["result"]["row"], 7, "{resolved}");
    let ready = host.ask(&json!({ "id": 4, "method": "prepare", "name": "custom:1.0.0" }));
    assert_eq!(Path::new(ready["result"]["folder"].as_str().unwrap()), site.path("dists/custom-1.0.0"));

    let text = site.write("in/text.txt", "one two three");
    let out = site.path("out/count.txt");
    let answer = host.run(5, "words:count", json!({
        "parameters": { "factor": 2 }, "inputs": { "path": { "path": text } }, "outputs": { "file": { "path": out } },
    }));
    let outputs = &answer["result"]["outputs"];
    assert_eq!(
        *outputs,
        json!({ "file": { "form": "file", "name": "count.txt", "path": out, "size": 10 }, "raw": { "form": "bytes", "size": 3 } })
    );
    assert_eq!(fs::read_to_string(&out).unwrap(), "so many: 6");
    let of_run = |event: &str| host.events.iter().find(|line| line["id"] == 5 && line["event"] == event).cloned();
    assert_eq!(of_run("progress").unwrap()["fraction"], 1.0);
    assert_eq!(of_run("log").unwrap()["text"], "counting");

    // An extension that came meanwhile is seen when the host says so.
    site.extension("late.zip", "late", "custom:1.0.0", &[]);
    let listed = host.ask(&json!({ "id": 6, "method": "rescan" }));
    assert_eq!(listed["result"]["extensions"].as_array().unwrap().len(), 4);
    assert!(host.ended());
}

#[test]
fn errors_have_code_message_hint_and_place() {
    let site = site();
    let mut host = Served::start(&site, &[]);
    let missing = site.path("missing.txt");
    let cases = [
        (run(1, "words:count", json!({ "parameters": { "factr": 1 } })), "E_PARAM", "did you mean `factor`?"),
        (run(2, "words:cuont", json!({})), "E_OP_UNKNOWN", "it has count, fails, keeps, logs_in, refuses"),
        (run(3, "nobody:count", json!({})), "E_EXT_UNKNOWN", "`nobody` is not an available extension"),
        (run(4, "words:count", json!({ "inputs": { "path": { "path": missing } } })), "E_RUN_FILES", "missing.txt"),
        (run(5, "words:count", json!({ "inputs": { "path": { "file": "x" } } })), "E_HOST_REQUEST", "input `path`"),
        (run(6, "words", json!({})), "E_HOST_REQUEST", "NAMESPACE:FUNCTION"),
        (run(7, "words:count", json!({ "parameters": [] })), "E_HOST_REQUEST", "/parameters"),
        (run(8, "words:fails", json!({})), "E_OPERATOR", "KeyError: 'missing' (words_module/__init__.py line 17)"),
        (json!({ "id": 9, "method": "prepare", "name": "a/b" }), "E_EXT_UNKNOWN", "nor the id of a distribution"),
        (json!({ "id": 10, "method": "prepare", "name": "lacks:1" }), "E_DIST_NO_ENVYML", "lacks:1"),
        (json!({ "id": 11, "method": "fly" }), "E_HOST_METHOD", "there are hello, list"),
        (json!({ "id": 12, "method": "release", "handles": ["x"] }), "E_HOST_REQUEST", "handle"),
    ];
    for (request, code, words) in cases {
        let error = host.ask(&request)["error"].clone();
        assert_eq!(error["code"], code, "for {request}: {error}");
        let text = format!("{} {}", error["message"], error["causes"]);
        assert!(text.contains(words), "no {words:?} in {text}");
        match code {
            "E_RUN_FILES" => assert_eq!(error["path"], json!(missing)),
            "E_OPERATOR" => assert_eq!(error["traceback"][0]["function"], "fails", "{error}"),
            _ => {}
        }
        assert!(code == "E_HOST_METHOD" || error["hint"].is_string() || code == "E_PARAM", "{error}");
    }
    assert!(host.ended());
}

#[test]
fn what_is_not_a_request_is_refused_and_the_session_goes_on() {
    let site = site();
    let mut host = Served::start(&site, &[]);
    let mut long = br#"{"id": 1, "method": ""#.to_vec();
    long.resize(17 << 20, b'x');
    let deep = "[".repeat(100_000);
    let lines: [&[u8]; 9] = [
        b"hello?",
        b"[]",
        b"{\"id\": 1",
        b"\xff\xfe",
        b"{\"method\": \"list\"}",
        b"{\"id\": null, \"method\": \"list\"}",
        b"{\"id\": 1, \"id\": 2, \"method\": \"list\"}",
        &long,
        deep.as_bytes(),
    ];
    for line in lines {
        host.send_line(line);
        let refused = host.answer(&Value::Null);
        assert_eq!(refused["error"]["code"], "E_HOST_LINE", "{refused}");
    }
    // Members of later versions do no harm, and neither do blank lines.
    host.send_line(b"\n  \r");
    let listed = host.ask(&json!({ "id": 1, "method": "list", "future": { "a": [1] } }));
    assert!(listed.get("result").is_some(), "{listed}");
    assert!(host.ended());
}

#[test]
fn requests_run_side_by_side_and_one_is_cancelled_alone() {
    let site = site();
    let mut host = Served::start(&site, &[]);
    host.send(&run(1, "more:naps", json!({ "parameters": { "seconds": 60.0 } })));
    host.await_event(&json!(1), "progress");
    let refused = host.ask(&json!({ "id": 1.0, "method": "cancel", "request": 7 }));
    assert_eq!(refused["result"]["was_running"], false);
    // Something short is answered meanwhile; a second call on the same server waits.
    host.send(&run(2, "more:naps", json!({ "parameters": { "seconds": 0.1 } })));
    assert!(host.ask(&json!({ "id": 3, "method": "list" })).get("result").is_some());
    let servers = host.ask(&json!({ "id": 4, "method": "servers" }));
    assert_eq!(servers["result"]["servers"][0]["is_busy"], true, "{servers}");
    host.send(&run(1, "more:nothing", json!({})));
    assert_eq!(host.answer(&json!(1))["error"]["code"], "E_HOST_REQUEST", "the id is in use");
    let cancelled = host.ask(&json!({ "id": 5, "method": "cancel", "request": 1 }));
    assert_eq!(cancelled["result"]["was_running"], true);
    assert_eq!(host.answer(&json!(1))["error"]["code"], "E_INTERRUPTED");
    assert!(host.answer(&json!(2)).get("result").is_some());
    // `close` waits for what runs, and is the last answer.
    host.send(&run(6, "more:naps", json!({ "parameters": { "seconds": 0.2 } })));
    let closed = host.ask(&json!({ "id": 7, "method": "close" }));
    assert_eq!(closed["result"], json!({}));
    assert!(host.events.iter().any(|line| line["id"] == 6 && line.get("result").is_some()), "{:?}", host.events);
    assert!(host.ended());
}

#[test]
fn objects_stay_between_calls_until_they_are_released_and_servers_are_warmed_and_stopped() {
    let site = site();
    let mut host = Served::start(&site, &[]);
    let warm = host.ask(&json!({ "id": 1, "method": "warm", "name": "more" }));
    let pid = warm["result"]["pid"].clone();
    assert_eq!(host.result(&site, 2, "more:pid", json!({})), pid.to_string());
    let kept = host.run(3, "more:keeps", json!({ "parameters": { "word": "still here" } }));
    let handle = kept["result"]["outputs"]["result"]["handle"].clone();
    assert_eq!(kept["result"]["outputs"]["result"]["form"], "object");
    let input = json!({ "inputs": { "kept": { "handle": handle } } });
    assert_eq!(host.result(&site, 4, "more:takes", input.clone()), "still here");
    assert_eq!(host.ask(&json!({ "id": 5, "method": "servers" }))["result"]["servers"][0]["objects"], 1);
    assert_eq!(host.ask(&json!({ "id": 6, "method": "release", "handles": [handle] }))["result"], json!({}));
    assert_eq!(host.run(7, "more:takes", input.clone())["error"]["code"], "E_HANDLE_LOST");
    assert_eq!(host.ask(&json!({ "id": 8, "method": "stop" }))["result"]["stopped"], 1);
    eventually_gone(&pid.to_string());
    assert_ne!(host.result(&site, 9, "more:pid", json!({})), pid.to_string());
    let lost = host.run(10, "more:takes", input);
    assert_eq!(lost["error"]["code"], "E_HANDLE_LOST", "its server has ended: {lost}");
    assert!(host.ended());
}

#[test]
fn objects_that_nobody_released_are_forgotten() {
    let site = site();
    let mut host = Served::start(&site, &["--set", "loader.handleTtl=1"]);
    host.run(1, "more:keeps", json!({ "parameters": { "word": "x" } }));
    let began = Instant::now();
    for id in 2.. {
        if host.ask(&json!({ "id": id, "method": "servers" }))["result"]["servers"][0]["objects"] == 0 {
            break;
        }
        assert!(began.elapsed() < LONG);
        thread::sleep(Duration::from_millis(50));
    }
    assert!(host.ended());
}

#[test]
fn a_server_that_crashes_is_an_error_of_its_call_alone() {
    let site = site();
    let mut host = Served::start(&site, &[]);
    let crashed = host.run(1, "more:ends", json!({ "parameters": { "code": 3 } }));
    assert_eq!(crashed["error"]["code"], "E_SERVER_CRASHED");
    assert!(crashed["error"]["message"].as_str().unwrap().contains("exit code 3"), "{crashed}");
    assert_ne!(host.result(&site, 2, "more:pid", json!({})), "");
    assert!(host.ended());
}

#[cfg(target_os = "linux")]
#[test]
fn pel_59_servers_end_with_the_host_even_when_it_is_killed() {
    let site = site();
    for is_killed in [false, true] {
        let mut host = Served::start(&site, &[]);
        let pid = host.result(&site, 1, "more:pid", json!({}));
        host.send(&run(2, "more:naps", json!({ "parameters": { "seconds": 600.0 } })));
        host.await_event(&json!(2), "progress");
        if is_killed {
            host.child.kill().unwrap();
        } else {
            // The end of the input cancels what runs.
            assert!(host.ended());
        }
        eventually_gone(&pid);
    }
}

#[test]
fn two_extensions_with_one_module_cannot_share_a_server() {
    let site = site();
    let descriptor = |version: &str| {
        json!({
            "extension": {
                "name": "Other", "namespace": "other", "version": version, "module": "more_module", "environment": "custom:1.0.0",
            },
            "operators": { "pid": { "outputs": [{ "name": "result" }] } },
        })
    };
    let zip = |version: &str, module: &str| {
        let files =
            [("extension.json", descriptor(version).to_string()), ("more_module/__init__.py", module.to_owned())];
        site.zip(&format!("ext/other-{version}.zip"), &files.each_ref().map(|(name, text)| (*name, text.as_bytes())));
    };
    zip("1.0.0", "import io\ndef pid():\n    return io.BytesIO(b'first')\n");
    let mut host = Served::start(&site, &[]);
    assert_eq!(host.result(&site, 1, "other:pid", json!({})), "first");
    let clash = host.run(2, "more:pid", json!({}));
    assert_eq!(clash["error"]["code"], "E_EXT_MODULE_CLASH", "{clash}");
    // Another version of an extension gets another server.
    zip("1.1.0", "import io\ndef pid():\n    return io.BytesIO(b'second')\n");
    host.ask(&json!({ "id": 3, "method": "rescan" }));
    assert_eq!(host.result(&site, 4, "other:pid", json!({})), "second");
    assert!(host.ended());
}
