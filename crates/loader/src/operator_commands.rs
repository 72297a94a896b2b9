//! `pydist extension run`: files in, a call, files out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use cli::Printer;
use extension::{Operator, ParameterFaults, parameter_of_text};
use loader::distribution::NoEngine;
use loader::{ExtensionHost, OperatorError, OperatorHost, OperatorRequest};
use operator_server::{InputForm, InputValue, OutputValue, RunError, RunEvent};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vocab::{Exit, Fault, Work, typed_json};

use crate::extension_arguments::RunArguments;
use crate::operator_files::{codec_of, input, keep, read_error};

/// A connection as a file has it.
#[derive(Deserialize)]
struct ConnectionFile {
    /// Dotted keys.
    values: Map<String, Value>,
    /// Keys whose values show nowhere.
    #[serde(default)]
    secrets: Vec<String>,
}

pub fn run(
    host: ExtensionHost,
    arguments: &RunArguments,
    json: bool,
    printer: &Printer,
    work: &Work,
) -> Result<Exit, Box<dyn Fault>> {
    let (namespace, name) = &arguments.operator;
    let operators = OperatorHost::new(host);
    let operator = operators.find(namespace, name)?;
    check_ports(arguments)?;
    check_given_once(&operator, &arguments.parameters)?;
    let outputs: BTreeMap<String, PathBuf> = arguments.outputs.iter().cloned().collect();
    let codec = |(port, path): (&String, &PathBuf)| Some((port.clone(), codec_of(path)?.to_owned()));
    let request = OperatorRequest {
        namespace: namespace.clone(),
        operator: name.clone(),
        parameters: parameters(&operator, &arguments.parameters),
        inputs: inputs(&operator, arguments)?,
        codecs: outputs.iter().filter_map(codec).collect(),
        wanted: outputs.keys().cloned().collect(),
        seed: arguments.seed,
    };
    let prefix = format!("[{namespace}:{}]", operator.implementation);
    let mut shown_percent = None;
    let mut on_event = |event: RunEvent| show(&event, &prefix, json, printer, &mut shown_percent);
    let results = operators.run(work, &NoEngine, request, &mut on_event);
    let results = results.inspect_err(|error| show_traceback(&**error, printer))?;
    for OutputValue { port, form } in results {
        let target = outputs.get(&port).map(PathBuf::as_path);
        let kept = keep(&port, form, target)?;
        if json {
            printer.json("output", &kept);
        } else {
            printer.data(&sentence(&kept, target));
        }
    }
    Ok(Exit::Done)
}

/// Nothing that is given would be passed over, and no call is made whose result could not be written.
fn check_ports(arguments: &RunArguments) -> Result<(), OperatorError> {
    let inputs: Vec<&String> = arguments.inputs.iter().chain(&arguments.connections).map(|(port, _)| port).collect();
    let outputs: Vec<&String> = arguments.outputs.iter().map(|(port, _)| port).collect();
    for (what, ports) in [("input", inputs), ("output", outputs)] {
        if let Some(port) = first_repeated(&ports) {
            return Err(OperatorError::Twice { what, port: port.to_owned() });
        }
    }
    match arguments.outputs.iter().find(|(_, path)| path.is_dir()) {
        Some((_, path)) => {
            let source = io::ErrorKind::IsADirectory.into();
            Err(OperatorError::File { what: "write", path: path.clone(), source })
        }
        None => Ok(()),
    }
}

fn check_given_once(operator: &Operator, given: &[(String, String)]) -> Result<(), ParameterFaults> {
    let names: Vec<&String> = given.iter().map(|(name, _)| name).collect();
    match first_repeated(&names) {
        Some(name) => {
            let operator = operator.implementation.clone();
            Err(ParameterFaults { operator, faults: vec![format!("`{name}` is given twice")] })
        }
        None => Ok(()),
    }
}

fn first_repeated<'a>(names: &[&'a String]) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.iter().find(|name| !seen.insert(**name)).map(|name| name.as_str())
}

fn parameters(operator: &Operator, given: &[(String, String)]) -> Map<String, Value> {
    let value = |name: &str, text: &str| {
        let known = operator.parameters.iter().find(|parameter| parameter.name == name);
        known.map_or_else(|| Value::String(text.to_owned()), |parameter| parameter_of_text(parameter, text))
    };
    given.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
}

fn inputs(operator: &Operator, arguments: &RunArguments) -> Result<Vec<InputValue>, Box<dyn Fault>> {
    let mut inputs = Vec::new();
    for (port, path) in &arguments.inputs {
        let form = input(operator, port, path)?;
        inputs.push(InputValue { port: port.clone(), form });
    }
    for (port, path) in &arguments.connections {
        let bytes = vocab::read_regular(path).map_err(read_error(path))?;
        let file: ConnectionFile = typed_json::read(&bytes).map_err(|_| OperatorError::Input {
            path: path.clone(),
            expected: "an object with `values` and `secrets`",
        })?;
        let form = InputForm::Connection { values: file.values, secrets: file.secrets };
        inputs.push(InputValue { port: port.clone(), form });
    }
    Ok(inputs)
}

fn sentence(kept: &Value, target: Option<&Path>) -> String {
    let form = kept["form"].as_str().unwrap_or_default();
    let what = match form {
        "table" => {
            let columns = kept["columns"].as_array().map_or(0, Vec::len);
            format!("table of {} rows and {columns} columns", kept["rows"])
        }
        "none" => "None".to_owned(),
        "object" => format!("{} (stays in the server)", kept["class"].as_str().unwrap_or_default()),
        "list" => format!("list of {} items", kept["items"]),
        _ => format!("{form} of {}", cli::bytes(kept["size"].as_u64().unwrap_or(0))),
    };
    let port = kept["port"].as_str().unwrap_or_default();
    match target {
        Some(path) => format!("{port}: {what}, written to {}", path.display()),
        None if matches!(form, "table" | "file" | "bytes" | "data object") => {
            format!("{port}: {what}, not kept; --out {port}=FILE writes it")
        }
        None => format!("{port}: {what}"),
    }
}

fn show(event: &RunEvent, prefix: &str, json: bool, printer: &Printer, shown_percent: &mut Option<u32>) {
    if json {
        let value = match event {
            RunEvent::Log { level, logger, text } => json!({ "log": level, "logger": logger, "text": text }),
            RunEvent::Printed { to_stderr, line } => json!({ "printed": line, "to_stderr": to_stderr }),
            RunEvent::Progress { fraction, text } => json!({ "progress": fraction, "text": text }),
            RunEvent::Truncated { after } => json!({ "truncated_after": after }),
        };
        return printer.json("run", &value);
    }
    let line = match event {
        RunEvent::Log { level, text, .. } => {
            let word = match level {
                40.. => "ERROR",
                30..40 => "WARN",
                20..30 => "INFO",
                _ => "DEBUG",
            };
            format!("{word}: {prefix} {text}")
        }
        RunEvent::Printed { line, .. } => format!("{prefix} {line}"),
        RunEvent::Progress { fraction, text } => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1")]
            let percent = (fraction * 100.0) as u32;
            if shown_percent.replace(percent) == Some(percent) {
                return;
            }
            format!("{prefix} {percent} % {text}")
        }
        RunEvent::Truncated { after } => format!("{prefix} more than {after} lines; the rest is not shown"),
    };
    printer.say(line.trim_end());
}

/// The lines of the operator alone; the error names the last of them.
fn show_traceback(error: &dyn Fault, printer: &Printer) {
    let error: &dyn std::error::Error = error;
    let Some(RunError::Python { failure } | RunError::Load { failure }) = error.downcast_ref::<RunError>() else {
        return;
    };
    for line in &failure.traceback {
        let number = line.line.map_or(String::new(), |number| format!(" line {number}"));
        printer.say(&format!("  {}{number}, in {}: {}", line.file, line.function, line.text));
    }
    for note in &failure.notes {
        printer.say(&format!("  {note}"));
    }
}
