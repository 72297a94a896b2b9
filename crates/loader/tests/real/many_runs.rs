//! Very many calls, and very large ones, by one host: neither it nor the server grows.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::examples::Examples;

struct Served {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Served {
    fn start(examples: &Examples) -> Self {
        let mut command = examples.command("serve");
        command.arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    /// One request at a time.
    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.stdin, "{request}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "pydist has ended");
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer.get("event").is_none() {
                assert!(answer.get("result").is_some(), "{answer}");
                return answer["result"].clone();
            }
        }
    }

    fn call(&mut self, operator: &str, parameters: &Value, inputs: &Value, outputs: &Value) -> Value {
        self.ask(&json!({
            "id": 1, "method": "run", "operator": operator, "parameters": parameters, "inputs": inputs, "outputs": outputs,
        }))
    }

    /// Process numbers of this host and its one server.
    fn processes(&mut self) -> [u32; 2] {
        let servers = self.ask(&json!({ "id": 1, "method": "servers" }));
        let server = servers["servers"][0]["pid"].as_u64().unwrap();
        [self.child.id(), u32::try_from(server).unwrap()]
    }

    fn close(mut self) {
        assert_eq!(self.ask(&json!({ "id": 1, "method": "close" })), json!({}));
        assert!(self.child.wait().unwrap().success());
    }
}

/// In MiB, by a line of `/proc/PID/status`: `VmRSS` is now, `VmHWM` the most ever.
fn memory(process: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    found.unwrap().trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn open_files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

fn threads(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/task")).unwrap().count()
}

#[test]
fn l12_a_thousand_calls_leave_no_memory_and_no_open_file() {
    let examples = Examples::new();
    let table = examples.path().join("table.csv");
    let rows: String = (0..10).map(|row| format!("{row},name {row}\n")).collect();
    fs::write(&table, format!("number,name\n{rows}")).unwrap();
    let stream = examples.path().join("table.arrow");
    let mut host = Served::start(&examples);
    let input = |path: &std::path::Path| json!({ "table": { "path": path } });
    host.call("table_tools:scale", &json!({ "factor": 1 }), &input(&table), &json!({ "scaled": { "path": stream } }));
    let calls = |host: &mut Served, count: usize| {
        for _ in 0..count {
            let result = host.call("table_tools:same", &json!({}), &input(&stream), &json!({}));
            assert_eq!(result["outputs"]["result"]["rows"], 10, "{result}");
        }
    };
    // What pandas and the allocators take once.
    calls(&mut host, 200);
    let processes = host.processes();
    let state = |process: u32| (open_files(process), threads(process), memory(process, "VmRSS"));
    let before = processes.map(state);
    calls(&mut host, 1000);
    // The thread of an answer ends after it.
    for _ in 0..100 {
        if processes.into_iter().zip(before).all(|(process, (_, then, _))| threads(process) <= then) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let after = processes.map(state);
    for ((files, running, mebibytes), (files_then, running_then, then)) in after.into_iter().zip(before) {
        assert!(files <= files_then && running <= running_then, "from {before:?} to {after:?}");
        assert!(mebibytes <= then + 16, "from {before:?} to {after:?}");
    }
    // Folders of calls are gone, too.
    assert_eq!(fs::read_dir(examples.path().join("cache/runs")).unwrap().count(), 0);
    host.close();
}

/// The case has 5 GiB, which takes as much memory in Python and three times as much disk: this variable asks for as many.
const GIBIBYTES: &str = "PYDIST_TESTS_TABLE_GIB";

#[test]
fn pel_78_a_large_table_goes_through_the_loader_without_staying_in_it() {
    let asked = std::env::var(GIBIBYTES).ok().map(|text| text.parse::<u64>().unwrap());
    // Smaller, with a limit that is as much smaller than the table.
    let (mebibytes, limit) = asked.map_or((512, 128), |gibibytes| (gibibytes << 10, 512));
    let examples = Examples::new();
    let mut host = Served::start(&examples);
    let rows = (mebibytes << 20) / 80;
    let (made, again) = (examples.path().join("made.arrow"), examples.path().join("again.arrow"));
    let result = host.call(
        "table_tools:make",
        &json!({ "rows": rows, "columns": 10 }),
        &json!({}),
        &json!({ "result": { "path": made } }),
    );
    assert_eq!(result["outputs"]["result"]["rows"], rows);
    let input = json!({ "table": { "path": made } });
    let result = host.call("table_tools:same", &json!({}), &input, &json!({ "result": { "path": again } }));
    assert_eq!(result["outputs"]["result"]["rows"], rows);
    let size = fs::metadata(&again).unwrap().len();
    assert!(size >= rows * 80 && size == fs::metadata(&made).unwrap().len(), "{size}");
    let [loader, _] = host.processes();
    let most = memory(loader, "VmHWM");
    assert!(most < limit, "{most} MiB for a table of {mebibytes} MiB");
    host.close();
}
