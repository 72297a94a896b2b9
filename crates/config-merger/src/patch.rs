//! The `patch` key: operations of RFC 6902 on the merged configuration.

use json_patch::PatchOperation;
use serde_json::Value;

use crate::report::FindingReport;
use crate::{FindingCode, TextPlace};
use vocab::quoted::shown;

/// After each of them the whole document is examined.
pub(crate) const MAX_OPERATIONS: usize = 500;

/// `copy` can double a document with each operation, and `move` can deepen it.
const MAX_BYTES: usize = 4 * vocab::MAX_SOURCE_BYTES;
const MAX_DEPTH: usize = 32;

/// One operation and its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct PlacedOperation {
    pub index: usize,
    pub verb: PatchOperation,
    pub place: TextPlace,
}

impl PlacedOperation {
    /// The place of the operation that wrote the value at `pointer`, or else changed something below it; the last such
    /// operation counts. If there is none, the last operation of all.
    pub(crate) fn responsible(operations: &[Self], pointer: &str) -> TextPlace {
        let last = |near: &dyn Fn(&Self) -> bool| operations.iter().rev().find(|operation| near(operation));
        let found = last(&|operation| operation.wrote(pointer))
            .or_else(|| last(&|operation| operation.path().starts_with(pointer)))
            .or(operations.last());
        found.map(|operation| operation.place.clone()).unwrap_or_default()
    }

    /// Whether the value at `pointer`, or one that contains it, may be this operation's.
    pub(crate) fn wrote(&self, pointer: &str) -> bool {
        if matches!(self.verb, PatchOperation::Test(_) | PatchOperation::Remove(_)) {
            return false;
        }
        // `-` is the position after the last item; which index that was is no longer known.
        let path = self.path();
        let path = path.strip_suffix("/-").unwrap_or(&path);
        pointer.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn path(&self) -> String {
        self.verb.path().to_string()
    }

    fn verb_name(&self) -> &'static str {
        match self.verb {
            PatchOperation::Add(_) => "add",
            PatchOperation::Remove(_) => "remove",
            PatchOperation::Replace(_) => "replace",
            PatchOperation::Move(_) => "move",
            PatchOperation::Copy(_) => "copy",
            PatchOperation::Test(_) => "test",
        }
    }
}

/// Applies the operations one by one; stops with a fault at the first that fails.
pub(crate) fn apply(document: &mut Value, operations: &[PlacedOperation], report: &mut FindingReport) {
    for operation in operations {
        let name =
            format!("operation {} (`{}` at {})", operation.index, operation.verb_name(), shown(&operation.path()));
        // The result of a failed operation is discarded, so nothing need be undone.
        let failure = match json_patch::patch_unsafe(document, std::slice::from_ref(&operation.verb)) {
            Err(error) => Some((format!("{name} failed: {}", reason(&error.kind, &operation.verb, document)), HINT)),
            Ok(()) if is_too_large(document) => Some((
                format!("{name} makes the configuration too large"),
                "a configuration has a few kilobytes and no more than ten levels",
            )),
            Ok(()) => None,
        };
        if let Some((text, hint)) = failure {
            report.fault(FindingCode::Patch, operation.place.clone(), text, Some(hint.into()));
            return;
        }
    }
}

const HINT: &str = "operations see the merged configuration with every default written out, before the overrides; \
                    without `patch` this program prints it";

fn reason(kind: &json_patch::PatchErrorKind, verb: &PatchOperation, document: &Value) -> String {
    match verb {
        PatchOperation::Test(test) => match document.pointer(&test.path.to_string()) {
            Some(actual) => format!("{} stands there, not {}", short(actual), short(&test.value)),
            None => "nothing stands there".into(),
        },
        _ => kind.to_string(),
    }
}

fn short(value: &Value) -> String {
    shown(&value.to_string())
}

fn is_too_large(document: &Value) -> bool {
    depth_exceeds(document, MAX_DEPTH) || size(document) > MAX_BYTES
}

fn depth_exceeds(value: &Value, limit: usize) -> bool {
    let deeper = |value: &Value| limit == 0 || depth_exceeds(value, limit - 1);
    match value {
        Value::Array(items) => items.iter().any(deeper),
        Value::Object(members) => members.values().any(deeper),
        _ => false,
    }
}

/// Roughly the length of its text.
fn size(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.iter().map(|(key, value)| key.len() + size(value)).sum(),
        _ => 0,
    };
    inside + 8
}
