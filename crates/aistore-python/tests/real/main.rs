//! The module in a Python: `any_server.py` before a server in memory and, where there is one, a real cluster;
//! `fake_server.py` before one that answers as this file says; the types in `pydist_aistore.pyi` before what judges them.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

#[cfg(unix)]
use testkit::aistore::Cluster;
use testkit::aistore::{AIStoreMemory, AIStoreMishap, AIStoreReply, AIStoreRequest, FakeAIStore, error, reply};

/// A folder with the module as `import` finds it.
struct Module {
    folder: tempfile::TempDir,
    python: PathBuf,
}

impl Module {
    fn new() -> Self {
        let python = ["python3", "python"].iter().find_map(|name| which::which(name).ok());
        let python = python.expect("a Python 3.10 or newer is on PATH");
        // Beside this program: cargo has built it for that.
        let programs = std::env::current_exe().unwrap();
        let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let library = programs.with_file_name(format!("{prefix}pydist_aistore{suffix}"));
        let folder = tempfile::tempdir().unwrap();
        let name = if cfg!(windows) { "pydist_aistore.pyd" } else { "pydist_aistore.abi3.so" };
        fs::copy(&library, folder.path().join(name)).unwrap();
        fs::copy(source("pydist_aistore.pyi"), folder.path().join("pydist_aistore.pyi")).unwrap();
        Self { folder, python }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AIS_")) {
            command.env_remove(name);
        }
        command.env("PYTHONPATH", self.folder.path()).env("MYPYPATH", self.folder.path());
        command
    }

    /// Runs a file of tests before a server.
    fn run(&self, tests: &str, endpoint: &str) {
        let mut command = self.command(&self.python);
        command.arg("-B").arg(source("tests/real").join(tests)).env("ENDPOINT", endpoint);
        said(command);
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What it printed; it must succeed.
fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn the_calls_before_a_server_in_memory() {
    Module::new().run("any_server.py", &AIStoreMemory::default().serve().url(""));
}

#[cfg(unix)]
#[test]
fn the_calls_before_a_real_cluster() {
    let Some(cluster) = Cluster::start(env!("CARGO_TARGET_TMPDIR"), 2) else { return };
    Module::new().run("any_server.py", &cluster.endpoint());
}

#[test]
fn threads_interrupts_errors_and_settings() {
    Module::new().run("fake_server.py", &special().url(""));
}

/// `None` where the tests were told to do without it.
fn judge(name: &str) -> Option<PathBuf> {
    if testkit::is_left_out("stubtest") {
        return None;
    }
    let folder = source("../../target/tools/stubtest").join(if cfg!(windows) { "Scripts" } else { "bin" });
    let found = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(found.is_file(), "`{name}` is not there; `scripts/test` sets it up");
    Some(found)
}

#[test]
fn the_types_are_those_of_the_module() {
    let module = Module::new();
    let (Some(stubtest), Some(mypy)) = (judge("stubtest"), judge("mypy")) else { return };
    let mut command = module.command(&stubtest);
    command.current_dir(module.folder.path()).arg("pydist_aistore");
    said(command);
    // The stub itself, and programs that use it.
    let mut command = module.command(&mypy);
    command.current_dir(module.folder.path()).args(["--strict", "pydist_aistore.pyi"]);
    command.args(["any_server.py", "fake_server.py"].map(|name| source("tests/real").join(name)));
    said(command);
}

/// A cluster with the bucket `special`, whose objects say how it answers. See [`answer`].
fn special() -> FakeAIStore {
    let (plain, asked) = (AIStoreMemory::default(), Asked::default());
    FakeAIStore::start(move |request, _| {
        asked.add(&request.path);
        match request.path.strip_prefix("/v1/objects/special/") {
            Some(name) => answer(request, name, &asked),
            None => match (request.method.as_str(), request.path.as_str()) {
                (_, "/v1/buckets/silent") => reply(200, "").mishap(AIStoreMishap::Silence),
                (_, "/v1/buckets/broken-off") => reply(200, "").mishap(AIStoreMishap::Reset),
                ("GET", "/v1/buckets/special") => reply(200, "not a listing"),
                _ => plain.answer(request),
            },
        }
    })
}

fn answer(request: &AIStoreRequest, name: &str, asked: &Asked) -> AIStoreReply {
    match name.split_once('/').unwrap_or((name, "")) {
        // Answered once that is asked for.
        ("wait-for", other) => asked.wait(1, &format!("/v1/objects/special/{other}")),
        // Answered once all sixteen are asked for.
        ("all", _) => asked.wait(16, "/v1/objects/special/all/"),
        ("refuse", reason) => {
            let (status, code) = reason.split_once('/').unwrap();
            error(status.parse().unwrap(), code.trim_matches('-'), "as it was asked to")
        }
        ("html", _) => reply(500, "<html>no AIStore</html>"),
        ("other-bytes", _) => {
            let other = "0000000000000000";
            reply(200, "x").header("Ais-Checksum-Type", "xxhash2").header("Ais-Checksum-Value", other)
        }
        ("token", _) => reply(200, request.header("authorization")),
        _ => reply(200, "special"),
    }
}

/// Which paths were asked for.
#[derive(Default)]
struct Asked {
    paths: Mutex<BTreeSet<String>>,
    changed: Condvar,
}

impl Asked {
    fn add(&self, path: &str) {
        self.paths.lock().unwrap().insert(path.to_owned());
        self.changed.notify_all();
    }

    /// Until so many were asked for that begin so. Giving up is an answer, too: a test that is stuck shall end.
    fn wait(&self, count: usize, beginning: &str) -> AIStoreReply {
        let paths = self.paths.lock().unwrap();
        let few =
            |paths: &mut BTreeSet<String>| paths.iter().filter(|path| path.starts_with(beginning)).count() < count;
        let (_paths, outcome) = self.changed.wait_timeout_while(paths, Duration::from_secs(60), few).unwrap();
        if outcome.timed_out() { reply(418, "nobody asked") } else { reply(200, "seen") }
    }
}
