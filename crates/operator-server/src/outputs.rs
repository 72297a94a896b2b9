//! Outputs of a call, from what the server says of them and the bodies that it sent before.

use std::collections::BTreeMap;

use crate::call::{Content, OutputForm};
use crate::message::OutputHeader;
use crate::server_error::RunError;

/// One output; takes its content out of `bodies`.
pub(crate) fn form_of(
    header: OutputHeader,
    bodies: &mut BTreeMap<u64, Content>,
    server: u32,
) -> Result<OutputForm, RunError> {
    let port = header.port;
    let odd = |what: &str| RunError::Message { reason: format!("output `{port}` has no {what}") };
    let mut content = || header.body.and_then(|id| bodies.remove(&id)).ok_or_else(|| odd("content"));
    Ok(match header.form.as_str() {
        "none" => OutputForm::None,
        "table" => OutputForm::Table {
            content: content()?,
            codec: header.codec.ok_or_else(|| odd("codec"))?,
            rows: header.rows.unwrap_or(0),
            columns: header.columns,
        },
        "file" => OutputForm::File { content: content()?, name: header.name.unwrap_or_default() },
        "bytes" => OutputForm::Bytes(content()?),
        "object" => OutputForm::Object { content: content()?, class: header.kind.unwrap_or_default() },
        "handle" => OutputForm::Handle {
            handle: header.handle.ok_or_else(|| odd("handle"))?,
            class: header.kind.unwrap_or_default(),
            server,
        },
        "list" => {
            let items = header.items.into_iter().map(|item| form_of(item, bodies, server));
            OutputForm::List(items.collect::<Result<_, _>>()?)
        }
        other => return Err(RunError::Message { reason: format!("output `{port}` has the unknown form {other:?}") }),
    })
}

/// Objects in it that stay in the server.
pub(crate) fn handles_in(form: &OutputForm) -> Vec<String> {
    match form {
        OutputForm::Handle { handle, .. } => vec![handle.clone()],
        OutputForm::List(items) => items.iter().flat_map(handles_in).collect(),
        _ => Vec::new(),
    }
}
