//! Inputs and outputs of operators as a host writes and reads them.

use std::path::{Path, PathBuf};

use extension::Operator;
use operator_server::{InputForm, OutputForm};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vocab::Fault;

use super::host_error::HostError;
use crate::operator_files;

/// One of them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct InputText {
    path: Option<PathBuf>,
    handle: Option<String>,
    list: Option<Vec<Value>>,
    connection: Option<ConnectionText>,
}

#[derive(Deserialize)]
struct ConnectionText {
    values: Map<String, Value>,
    #[serde(default)]
    secrets: Vec<String>,
}

/// `{"path": …}`, `{"handle": …}`, `{"list": […]}`, `{"connection": …}` or null.
pub fn input(operator: &Operator, port: &str, value: &Value) -> Result<InputForm, Box<dyn Fault>> {
    if value.is_null() {
        return Ok(InputForm::None);
    }
    let wrong = || HostError::Request {
        method: "run".to_owned(),
        reason: format!("input `{port}` is null or an object with `path`, `handle`, `list` or `connection`"),
    };
    let read: InputText = serde_json::from_value(value.clone()).map_err(|_| wrong())?;
    match read {
        InputText { path: Some(path), handle: None, list: None, connection: None } => {
            Ok(operator_files::input(operator, port, &path)?)
        }
        InputText { handle: Some(handle), path: None, list: None, connection: None } => {
            let (server, handle) = split_handle(&handle).ok_or_else(wrong)?;
            Ok(InputForm::Handle { handle: handle.to_owned(), server })
        }
        InputText { list: Some(items), path: None, handle: None, connection: None } => {
            let items = items.iter().map(|item| input(operator, port, item));
            Ok(InputForm::List(items.collect::<Result<_, _>>()?))
        }
        InputText { connection: Some(ConnectionText { values, secrets }), path: None, handle: None, list: None } => {
            Ok(InputForm::Connection { values, secrets })
        }
        _ => Err(wrong().into()),
    }
}

/// Writes an output to its file, if there is one, and says what it is.
pub fn output(port: &str, form: OutputForm, target: Option<&Path>) -> Result<Value, Box<dyn Fault>> {
    let handles = handles(&form);
    let mut kept = operator_files::keep(port, form, target)?;
    if let Some(members) = kept.as_object_mut() {
        members.remove("port");
        if target.is_none() {
            members.remove("path");
        }
        members.extend(handles);
    }
    Ok(kept)
}

fn handles(form: &OutputForm) -> Option<(String, Value)> {
    match form {
        OutputForm::Handle { handle, server, .. } => Some(("handle".to_owned(), json!(format!("{server}-{handle}")))),
        OutputForm::List(items) => {
            let item = |item: &OutputForm| handles(item).map_or(Value::Null, |(name, value)| json!({ name: value }));
            Some(("list".to_owned(), items.iter().map(item).collect()))
        }
        _ => None,
    }
}

/// A host writes a handle as it was given: the process number of the server, and what that calls the object.
pub fn split_handle(handle: &str) -> Option<(u32, &str)> {
    let (server, name) = handle.split_once('-')?;
    Some((server.parse().ok()?, name))
}
