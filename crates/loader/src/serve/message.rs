//! Requests as they are read, answers and events as they are written.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use loader::{ExtensionStage, ExtensionState, OperatorError};
use operator_server::{RunError, RunEvent};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vocab::{Event, Fault};

/// Raised when a host of the former protocol would go wrong.
pub const PROTOCOL: u64 = 1;

/// What every request has. Members that are not known are ignored, here and below.
#[derive(Deserialize)]
pub struct RequestHead {
    #[serde(default)]
    pub id: Value,
    #[serde(default)]
    pub method: String,
}

#[derive(Deserialize)]
pub struct HelloRequest {
    #[serde(default)]
    pub protocol: Option<u64>,
}

#[derive(Deserialize)]
pub struct InspectRequest {
    /// Namespace of an available extension.
    #[serde(default)]
    pub extension: Option<String>,
    /// Any other.
    #[serde(default)]
    pub zip: Option<PathBuf>,
}

/// A request about one extension or distribution.
#[derive(Deserialize)]
pub struct NameRequest {
    pub name: String,
}

#[derive(Deserialize)]
pub struct RunRequest {
    /// `NAMESPACE:FUNCTION`.
    pub operator: String,
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// By port.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputRequest>,
    #[serde(default)]
    pub seed: Option<i64>,
}

#[derive(Deserialize)]
pub struct OutputRequest {
    /// Where to write it.
    pub path: PathBuf,
}

#[derive(Deserialize)]
pub struct CancelRequest {
    /// The `id` of another request.
    #[serde(default)]
    pub request: Value,
}

#[derive(Deserialize)]
pub struct ReleaseRequest {
    pub handles: Vec<String>,
}

#[derive(Deserialize)]
pub struct StopRequest {
    /// All that are idle, without it.
    #[serde(default)]
    pub pid: Option<u32>,
}

pub fn answer(id: &Value, result: &Value) -> Value {
    json!({ "id": id, "result": result })
}

pub fn refusal(id: &Value, fault: &dyn Fault) -> Value {
    json!({ "id": id, "error": error_of(fault) })
}

/// `code`, `message`, `causes`, `hint` and `exit`; `path` and `traceback` where there are some.
fn error_of(fault: &dyn Fault) -> Value {
    let mut error = cli::fault_json(fault);
    if let Some(members) = error.as_object_mut() {
        members.remove("event");
    }
    if let Some(path) = path_of(fault) {
        error["path"] = json!(path);
    }
    let source: &dyn Error = fault;
    if let Some(RunError::Python { failure } | RunError::Load { failure }) = source.downcast_ref::<RunError>() {
        error["traceback"] = json!(failure.traceback);
        error["notes"] = json!(failure.notes);
    }
    error
}

/// How far an extension is; with `error` if it is not available.
pub fn state(of: &ExtensionState) -> Value {
    let (word, error) = match &of.stage {
        ExtensionStage::Registered => ("registered", None),
        ExtensionStage::Preparing => ("preparing", None),
        ExtensionStage::Ready => ("ready", None),
        ExtensionStage::Unavailable(fault) => ("unavailable", Some(error_of(&**fault))),
    };
    let mut value = json!({ "extension": of.namespace, "state": word });
    if let Some(error) = error {
        value["error"] = error;
    }
    value
}

pub fn state_event(id: &Value, of: &ExtensionState) -> Value {
    let mut value = state(of);
    value["id"] = id.clone();
    value["event"] = "state".into();
    value
}

/// The file that an error is about.
fn path_of(fault: &dyn Fault) -> Option<&Path> {
    let source: &dyn Error = fault;
    match source.downcast_ref::<OperatorError>()? {
        OperatorError::Read { path, .. } | OperatorError::File { path, .. } | OperatorError::Input { path, .. } => {
            Some(path)
        }
        _ => None,
    }
}

pub fn run_event(id: &Value, event: &RunEvent) -> Value {
    match event {
        RunEvent::Log { level, logger, text } => {
            json!({ "id": id, "event": "log", "level": level, "logger": logger, "text": text })
        }
        RunEvent::Printed { to_stderr, line } => {
            let stream = if *to_stderr { "stderr" } else { "stdout" };
            json!({ "id": id, "event": "output", "stream": stream, "line": line })
        }
        RunEvent::Progress { fraction, text } => {
            json!({ "id": id, "event": "progress", "fraction": fraction, "text": text })
        }
        RunEvent::Truncated { after } => json!({ "id": id, "event": "truncated", "after": after }),
    }
}

/// What is said while a distribution is made ready; `None` for what only bars show.
pub fn work_event(id: &Value, event: &Event) -> Option<Value> {
    match event {
        Event::Note { text } => Some(json!({ "id": id, "event": "note", "text": text })),
        Event::Warning { code, text, place, hint } => Some(json!({
            "id": id, "event": "warning", "code": code, "text": text, "place": place, "hint": hint,
        })),
        _ => None,
    }
}
