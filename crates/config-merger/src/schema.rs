//! JSON Schemas of the configuration files, generated from the types of `layer.rs`.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};

use crate::layer::Layer;

/// The kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// `python-<version string>/config.json`.
    Config,
    /// `shared-config.json`, which has no `patch`.
    SharedConfig,
}

/// The text as the repository stores it: indented, with a line break at the end.
pub fn schema(kind: SchemaKind) -> String {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(|schema: &mut Schema| {
        // That this program never writes some keys is of no use to a reader of the schema.
        schema.remove("writeOnly");
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace('\n', " ");
        }
    }));
    let mut schema = settings.into_generator().into_root_schema_for::<Layer>().to_value();
    let (title, description) = match kind {
        SchemaKind::Config => ("config.json", "What one runtime has of its own, beside shared-config.json."),
        SchemaKind::SharedConfig => ("shared-config.json", "What holds for every runtime of the repository."),
    };
    if kind == SchemaKind::SharedConfig {
        for (object, key) in [("properties", "patch"), ("$defs", "PatchOperation"), ("$defs", "PatchVerb")] {
            schema.get_mut(object).and_then(Value::as_object_mut).and_then(|object| object.shift_remove(key));
        }
    }
    let mut head = json!({ "$schema": schema["$schema"], "title": title, "description": description });
    if let (Some(head), Value::Object(rest)) = (head.as_object_mut(), schema) {
        for (key, value) in rest {
            head.entry(key).or_insert(value);
        }
    }
    format!("{head:#}\n")
}
