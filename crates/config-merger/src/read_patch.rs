//! Reads the `patch` key.

use json_patch::PatchOperation;
use serde_json::Value;

use crate::FindingCode;
use crate::layer::{PatchOperationText, PatchVerb};
use crate::patch::{MAX_OPERATIONS, PlacedOperation};
use crate::reader::{ConfigCursor, ConfigReader};
use vocab::json::{JsonKind, JsonNode};
use vocab::quoted::shown;

const VERBS: [(&str, PatchVerb); 6] = [
    ("add", PatchVerb::Add),
    ("remove", PatchVerb::Remove),
    ("replace", PatchVerb::Replace),
    ("move", PatchVerb::Move),
    ("copy", PatchVerb::Copy),
    ("test", PatchVerb::Test),
];

impl ConfigReader<'_> {
    /// At most [`MAX_OPERATIONS`]. Their effect is checked later, in `patch`.
    pub(crate) fn patch(&mut self, at: &ConfigCursor<'_>) -> Option<Vec<PatchOperationText>> {
        self.remember(at, "/patch");
        let operations = self.list(at, "a list of operations (RFC 6902)", |reader, at| reader.patch_operation(at))?;
        if operations.len() > MAX_OPERATIONS {
            let text = format!("more than {MAX_OPERATIONS} operations");
            self.fault(at, FindingCode::Patch, text, Some("write the values where they belong".into()));
            return None;
        }
        Some(operations)
    }

    fn patch_operation(&mut self, at: &ConfigCursor<'_>) -> Option<PatchOperationText> {
        let mut fields = self.fields(at)?;
        let verb = self.required(&mut fields, at, "op").and_then(|at| self.patch_verb(&at));
        let path = self.required(&mut fields, at, "path").and_then(|at| self.json_pointer(&at));
        let (mut from, mut value) = (None, None);
        let mut complete = true;
        match verb {
            Some(PatchVerb::Move | PatchVerb::Copy) => {
                from = self.required(&mut fields, at, "from").and_then(|at| self.json_pointer(&at));
                complete = from.is_some();
            }
            Some(PatchVerb::Add | PatchVerb::Replace | PatchVerb::Test) => {
                value = fields.take_even_null("value").map(|at| to_value(at.node));
                complete = value.is_some();
                if !complete {
                    self.fault(at, FindingCode::Value, "`value` is missing", None);
                }
            }
            Some(PatchVerb::Remove) | None => {}
        }
        // RFC 6902: members without a meaning for the operation are ignored.
        let (op, path) = (verb?, path?);
        complete.then_some(PatchOperationText { op, path, from, value, place: self.place(&at.pointer, at.node.span) })
    }

    fn patch_verb(&mut self, at: &ConfigCursor<'_>) -> Option<PatchVerb> {
        let text = self.string(at, "an operation, a string,")?;
        let found = VERBS.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words = VERBS.map(|(word, _)| word).join(", ");
            let text = format!("{} is not an operation", shown(text));
            self.fault(at, FindingCode::Value, text, Some(format!("the operations are {words}")));
        }
        found.map(|(_, verb)| *verb)
    }

    fn json_pointer(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let text = self.string(at, "a JSON pointer, a string,")?;
        if let Err(error) = json_patch::jsonptr::Pointer::parse(text) {
            let text = format!("{} is not a JSON pointer: {error}", shown(text));
            self.fault(at, FindingCode::Value, text, Some("for example `/packages/dependencies/0`".into()));
            return None;
        }
        Some(text.to_owned())
    }
}

/// The operations that were read, ready to be applied.
pub(crate) fn operations(texts: Vec<PatchOperationText>) -> Vec<PlacedOperation> {
    let operation = |(index, text): (usize, PatchOperationText)| {
        let pointer = |text: &str| json_patch::jsonptr::PointerBuf::parse(text).unwrap_or_default();
        let path = pointer(&text.path);
        let from = text.from.as_deref().map(pointer).unwrap_or_default();
        let value = text.value.unwrap_or_default();
        let verb = match text.op {
            PatchVerb::Add => PatchOperation::Add(json_patch::AddOperation { path, value }),
            PatchVerb::Remove => PatchOperation::Remove(json_patch::RemoveOperation { path }),
            PatchVerb::Replace => PatchOperation::Replace(json_patch::ReplaceOperation { path, value }),
            PatchVerb::Move => PatchOperation::Move(json_patch::MoveOperation { from, path }),
            PatchVerb::Copy => PatchOperation::Copy(json_patch::CopyOperation { from, path }),
            PatchVerb::Test => PatchOperation::Test(json_patch::TestOperation { path, value }),
        };
        PlacedOperation { index, verb, place: text.place }
    };
    texts.into_iter().enumerate().map(operation).collect()
}

fn to_value(node: &JsonNode) -> Value {
    match &node.kind {
        JsonKind::Null => Value::Null,
        JsonKind::Bool(flag) => Value::Bool(*flag),
        JsonKind::Number(number) => Value::Number(number.clone()),
        JsonKind::String(text) => Value::String(text.clone()),
        JsonKind::Array(items) => items.iter().map(to_value).collect(),
        JsonKind::Object(members) => {
            // If a key is repeated, the first one counts, as everywhere.
            let pairs = members.iter().rev().map(|member| (member.key.clone(), to_value(&member.value)));
            Value::Object(pairs.collect())
        }
    }
}
