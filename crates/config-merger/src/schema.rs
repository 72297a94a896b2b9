//! JSON Schemas of the configuration files, generated from the types of `layer.rs`.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};

use crate::complete::Completion;
use crate::layer::Layer;
use crate::places::ValuePlaces;
use crate::report::FindingReport;
use crate::{Config, Dependants, Scope, TextPlace};

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
    write_defaults(&mut schema);
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

/// What a runtime is made by that says nothing at all.
fn empty() -> Config {
    let (version, fallback) = ("3.12.10".parse().expect("a literal version"), TextPlace::of_file(""));
    let mut report = FindingReport::default();
    let completion =
        Completion { version: &version, places: &ValuePlaces::default(), fallback: &fallback, report: &mut report };
    { completion }.config(Layer::default())
}

/// The defaults stand in the code; the schema repeats them for editors, and a test compares the page with the schema.
fn write_defaults(schema: &mut Value) {
    let config = serde_json::to_value(empty()).unwrap_or_default();
    let policies = json!({ "scope": Scope::default(), "dependants": Dependants::default() });
    for (section, name) in [
        (&config["registries"], "Registries"),
        (&config["packages"], "Packages"),
        (&policies, "Resolution"),
        (&config["build"], "BuildSettings"),
        (&config["python"], "PythonSettings"),
    ] {
        let keys = schema["$defs"][name]["properties"].as_object_mut();
        for (key, property) in keys.into_iter().flatten() {
            let default = section.get(key).cloned().or_else(|| nothing_of(key, property));
            set_default(property, default);
        }
    }
    for key in ["layout", "oldestSystem"] {
        set_default(&mut schema["properties"][key], config.get(key).cloned());
    }
}

/// What a key holds that the canonical text leaves out. `strictMissing` has three states, and unset is one of them.
fn nothing_of(key: &str, property: &Value) -> Option<Value> {
    let types = property["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    types.filter(|_| key != "strictMissing").find_map(|kind| match kind {
        "array" => Some(json!([])),
        "object" => Some(json!({})),
        "boolean" => Some(json!(false)),
        _ => None,
    })
}

fn set_default(property: &mut Value, default: Option<Value>) {
    if let (Some(property), Some(default)) = (property.as_object_mut(), default) {
        property.insert("default".to_owned(), default);
    }
}
