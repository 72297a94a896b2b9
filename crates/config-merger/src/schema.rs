//! JSON Schemas of the configuration files, generated from the types of `layer.rs`.

use schemars::generate::SchemaSettings;
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

/// As it is kept in the repository: indented, with a line break at the end.
pub fn schema(kind: SchemaKind) -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Layer>();
    let mut schema = schema.to_value();
    let (title, description) = match kind {
        SchemaKind::Config => ("config.json", "What one runtime has of its own, beside shared-config.json."),
        SchemaKind::SharedConfig => ("shared-config.json", "What holds for every runtime of the repository."),
    };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut)
        && kind == SchemaKind::SharedConfig
    {
        properties.shift_remove("patch");
    }
    schema["title"] = json!(title);
    schema["description"] = json!(description);
    format!("{schema:#}\n")
}
