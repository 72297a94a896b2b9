//! Frames that no host of ours sends, to a real server: it ends the connection or answers with an error, it does not hang,
//! and it answers nobody but who asked.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use operator_server::frame::{read_frame, write_frame};
use serde_json::{Value, json};

use crate::support::{Host, eventually};

const OPERATORS: &str = "
import io, time
def works(a=None):
    return io.BytesIO(b'well')
def takes(t):
    return t
def sleeps():
    time.sleep(2)
    return io.BytesIO(b'late')
";
const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// Connections, each with a few frames; `scripts/fuzz server_frames` asks for more.
const SESSIONS: u64 = 150;

fn sessions() -> u64 {
    let asked = std::env::var("PYDIST_TESTS_FRAME_SESSIONS").ok();
    asked.map_or(SESSIONS, |text| text.parse().expect("a number of sessions"))
}

const PATIENCE: Duration = Duration::from_secs(60);

/// A server without a host of ours.
struct BareServer {
    program: Child,
    port: u16,
    /// It ends when this closes.
    _pipe: ChildStdin,
}

impl BareServer {
    fn start(host: &Host, program: &Path) -> Self {
        let mut server = Command::new(&host.settings.python)
            .args(["-I", "-u"])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pipe = server.stdin.take().unwrap();
        let settings = json!({ "token": TOKEN, "ports": null, "scratch": host.root(), "max_body": 1 << 20 });
        pipe.write_all(format!("{settings}\n").as_bytes()).unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let port = line.split(' ').nth(2).and_then(|word| word.parse().ok()).unwrap();
        // What it prints is not kept back.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { program: server, port, _pipe: pipe }
    }

    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Some(stream)
    }

    /// A greeted connection. The former one may not be over yet.
    fn greeted(&self) -> Option<TcpStream> {
        let mut found = None;
        eventually("a connection that is greeted, or the end of the server", || {
            let Some(mut stream) = self.connect() else { return true };
            let sent = write_frame(&mut stream, &json!({ "t": "HELLO", "token": TOKEN, "protocol": 1 }), &[]);
            let welcomed = sent.is_ok() && read_frame(&mut stream).is_ok_and(|frame| frame.is_some());
            found = welcomed.then_some(stream);
            welcomed
        });
        found
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// The host, and the server's program on disk.
fn prepared() -> (Host, PathBuf) {
    let host = Host::new(OPERATORS);
    drop(host.start());
    let files = fs::read_dir(host.root().join("cache")).unwrap().map(|file| file.unwrap().path());
    let program = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "py")).unwrap();
    (host, program)
}

/// Each session whose number this divides is sound.
const SOUND: u64 = 10;

/// Numbers that look random and are the same in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Sound frames of one session, whose runs have numbers that no other session has.
fn session(host: &Host, number: u64) -> Vec<(Value, Vec<u8>)> {
    let run = number * 100;
    let paths = [host.root().join("ext")];
    let input = json!([{ "port": "t", "form": "bytes", "body": 1 }]);
    vec![
        (json!({ "t": "LOAD", "run": run, "ext": "e", "version": "1", "module": "ops", "paths": paths }), Vec::new()),
        (json!({ "t": "BODY", "id": 1, "part": 0, "last": false, "size": 12 }), b"content".to_vec()),
        (json!({ "t": "BODY", "id": 1, "part": 1, "last": true }), b"again".to_vec()),
        (
            json!({ "t": "RUN", "run": run + 1, "ext": "e", "function": "takes", "params": {}, "inputs": input, "outputs": ["o"], "codecs": {}, "seed": null }),
            Vec::new(),
        ),
        (
            json!({ "t": "RUN", "run": run + 2, "ext": "e", "function": "works", "params": { "a": [1] }, "inputs": [], "outputs": ["o"] }),
            Vec::new(),
        ),
        (json!({ "t": "CANCEL", "run": run + 9 }), Vec::new()),
        (json!({ "t": "RELEASE", "handles": ["h"] }), Vec::new()),
        (json!({ "t": "PING" }), Vec::new()),
    ]
}

const ODD: [&str; 12] =
    ["null", "-1", "1e300", "true", "[]", "{}", "\"\"", "\"../x\"", "[[[]]]", "4294967296", "\"\\u0000\"", "[null]"];

/// Bytes of the session's frames, with one thing that is wrong.
fn mutated(frames: &[(Value, Vec<u8>)], numbers: &mut Numbers) -> Vec<u8> {
    let mut frames = frames.to_vec();
    let (at, way) = (numbers.below(frames.len()), numbers.below(6));
    if way < 3 {
        // A member has a value of another kind, or is not there.
        let header = frames[at].0.as_object_mut().unwrap();
        let key = header.keys().nth(numbers.below(header.len())).unwrap().clone();
        if numbers.below(5) == 0 {
            header.remove(&key);
        } else {
            header.insert(key, serde_json::from_str(ODD[numbers.below(ODD.len())]).unwrap());
        }
    } else if way == 3 {
        let to = numbers.below(frames.len());
        frames.swap(at, to);
    }
    let mut bytes = Vec::new();
    for (header, body) in &frames {
        write_frame(&mut bytes, header, body).unwrap();
    }
    if way == 4 {
        for _ in 0..=numbers.below(4) {
            let place = numbers.below(bytes.len());
            bytes[place] = numbers.below(256) as u8;
        }
    } else if way == 5 {
        bytes.truncate(numbers.below(bytes.len()));
    }
    bytes
}

#[test]
fn mutated_frames_end_a_connection_or_are_answered_to_it_alone() {
    let (host, program) = prepared();
    let mut server = BareServer::start(&host, &program);
    let sessions = sessions();
    // Another number of sessions is another row of them.
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15 ^ (sessions - SESSIONS));
    let (mut answered, mut restarts) = (0_u64, 0_u64);
    for number in 1..=sessions {
        let mut stream = loop {
            match server.greeted() {
                Some(stream) => break stream,
                None => {
                    // It may end, for one who knows its token may ask for that.
                    restarts += 1;
                    server = BareServer::start(&host, &program);
                }
            }
        };
        let mut said = Vec::new();
        if number % SOUND == 0 {
            // Between those that are wrong it serves as ever. A host that is gone is not waited for, so this one stays.
            for (header, body) in session(&host, number) {
                write_frame(&mut stream, &header, &body).unwrap();
            }
            loop {
                let frame = read_frame(&mut stream).unwrap().unwrap();
                let header: Value = serde_json::from_slice(&frame.header).unwrap();
                if header["t"] == "RESULT" && header["run"] == number * 100 + 2 {
                    break;
                }
            }
            answered += 1;
            continue;
        }
        let bytes = mutated(&session(&host, number), &mut numbers);
        // It may close the connection before all is sent.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        match stream.read_to_end(&mut said) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("session {number} is not answered and does not end: {error}"),
        }
        let mut left = said.as_slice();
        while let Ok(Some(frame)) = read_frame(&mut left) {
            let header: Value = serde_json::from_slice(&frame.header).unwrap();
            if let Some(run) = header["run"].as_i64().filter(|run| *run >= 100) {
                // A mutated number may be any; of those that are sound, each has its session.
                assert!(run / 100 == number as i64 || run == 4_294_967_296, "{header} was said to session {number}");
            }
        }
    }
    assert_eq!(answered, sessions / SOUND);
    assert!(restarts <= sessions / 30, "{restarts} restarts");
    let stream = server.greeted();
    assert!(stream.is_some(), "it still takes hosts");
}

#[test]
fn a_call_of_a_host_that_is_gone_is_not_answered_to_the_next() {
    let (host, program) = prepared();
    let server = BareServer::start(&host, &program);
    let load = |run: u64| json!({ "t": "LOAD", "run": run, "ext": "e", "version": "1", "module": "ops", "paths": [host.root().join("ext")] });
    let call = |run: u64, function: &str| json!({ "t": "RUN", "run": run, "ext": "e", "function": function, "params": {}, "inputs": [], "outputs": ["o"] });
    let mut first = server.greeted().unwrap();
    for header in [load(1), call(2, "sleeps"), call(3, "works"), call(4, "works")] {
        write_frame(&mut first, &header, &[]).unwrap();
    }
    read_frame(&mut first).unwrap();
    drop(first);
    let mut second = server.greeted().unwrap();
    // With the same numbers, as each host counts from 1.
    write_frame(&mut second, &load(1), &[]).unwrap();
    write_frame(&mut second, &call(4, "works"), &[]).unwrap();
    let mut said = Vec::new();
    while let Ok(Some(frame)) = read_frame(&mut second) {
        let header: Value = serde_json::from_slice(&frame.header).unwrap();
        said.push((header["t"].as_str().unwrap().to_owned(), header["run"].as_u64()));
        if said.last().is_some_and(|(name, _)| name == "RESULT") {
            break;
        }
    }
    let names: Vec<&str> = said.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!said.iter().any(|(_, run)| matches!(run, Some(2 | 3))), "{said:?}");
    assert_eq!(names, ["LOADED", "BODY", "BODY", "RESULT"], "{said:?}");
}
