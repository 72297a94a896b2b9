//! A host with one extension: a folder with a module, and a server of this machine's Python.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use operator_server::{
    Call, ImportFolder, InputForm, InputValue, LoadRequest, OperatorServer, OutputForm, OutputValue, RunError,
    RunEvent, ServerSettings,
};
use serde_json::{Map, Value};
use vocab::{Environment, Work};

/// The oldest Python that is meant to work can be asked for with this variable.
const PYTHON: &str = "PYDIST_TESTS_PYTHON";

pub fn python() -> PathBuf {
    if let Some(path) = std::env::var_os(PYTHON) {
        return path.into();
    }
    let path = std::env::var_os("PATH").expect("tests need a PATH");
    let names = if cfg!(windows) { ["python.exe", "python3.exe"] } else { ["python3", "python"] };
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    found.into_iter().find(|program| program.is_file()).expect("the tests need a Python 3 on PATH")
}

pub fn work() -> Work {
    Work { environment: Environment::new(std::env::vars_os()), ..Work::quiet() }
}

pub struct Host {
    pub folder: tempfile::TempDir,
    pub work: Work,
    pub settings: ServerSettings,
    pub events: Vec<RunEvent>,
}

impl Host {
    /// `source` is the extension's module `ops`.
    pub fn new(source: &str) -> Self {
        Self::within(tempfile::tempdir().unwrap(), source)
    }

    pub fn within(folder: tempfile::TempDir, source: &str) -> Self {
        let root = folder.path();
        fs::create_dir_all(root.join("ext")).unwrap();
        fs::write(root.join("ext/ops.py"), source).unwrap();
        let mut settings = ServerSettings::new(python(), root.join("cache"), root.join("scratch"));
        // A loaded machine is slow.
        settings.start_limit = Duration::from_secs(120);
        Self { work: work(), settings, folder, events: Vec::new() }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn start(&self) -> OperatorServer {
        OperatorServer::start(&self.work, &self.settings).unwrap()
    }

    /// A server that has loaded the module.
    pub fn loaded(&mut self) -> OperatorServer {
        let mut server = self.start();
        self.load(&mut server).unwrap();
        server
    }

    pub fn load(&mut self, server: &mut OperatorServer) -> Result<(), RunError> {
        let request = LoadRequest {
            version: "1.0".to_owned(),
            folders: vec![ImportFolder {
                extension: "demo".to_owned(),
                module: "ops".to_owned(),
                path: self.root().join("ext"),
            }],
        };
        let events = &mut self.events;
        server.load(&self.work, &request, &mut |event| events.push(event))
    }

    pub fn run(&mut self, server: &mut OperatorServer, call: Call) -> Result<Vec<OutputValue>, RunError> {
        let events = &mut self.events;
        server.run(&self.work, call, &mut |event| events.push(event))
    }

    /// Lines that operators printed, or logged.
    pub fn lines(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                RunEvent::Printed { line, .. } => Some(line.as_str()),
                RunEvent::Log { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}

/// A call with one output, `result`.
pub fn call(function: &str, parameters: &Value) -> Call {
    Call {
        extension: "demo".to_owned(),
        function: function.to_owned(),
        parameters: parameters.as_object().cloned().unwrap_or_else(Map::new),
        outputs: vec!["result".to_owned()],
        ..Call::default()
    }
}

pub fn with_input(mut call: Call, port: &str, form: InputForm) -> Call {
    call.inputs.push(InputValue { port: port.to_owned(), form });
    call
}

/// The bytes of the only output.
#[track_caller]
pub fn bytes(outputs: Vec<OutputValue>) -> Vec<u8> {
    let [output] = <[OutputValue; 1]>::try_from(outputs).unwrap();
    match output.form {
        OutputForm::Bytes(content) | OutputForm::File { content, .. } => content.into_bytes().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Variables of this process, and more.
pub fn environment_with(more: &[(&str, &str)]) -> Environment {
    let more = more.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Environment::new(std::env::vars_os().chain(more))
}

#[cfg(target_os = "linux")]
pub fn is_alive(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = state.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}
