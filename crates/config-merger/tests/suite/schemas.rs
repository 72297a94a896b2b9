//! The JSON Schemas that are kept in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use config_merger::SchemaKind;
use serde_json::{Value, json};

use crate::bad_input::{fixtures, folders};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn validator(kind: SchemaKind) -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(&config_merger::schema(kind)).unwrap()).unwrap()
}

/// Every configuration below `root`: its kind and path.
fn configurations(root: &Path) -> Vec<(SchemaKind, PathBuf)> {
    let mut found = vec![(SchemaKind::SharedConfig, root.join("shared-config.json"))];
    for version in config_merger::Repository::at(root).versions() {
        found.push((SchemaKind::Config, root.join(version.folder_name()).join("config.json")));
    }
    found.retain(|(_, path)| path.is_file());
    found
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

#[test]
fn the_checked_in_schemas_are_those_of_the_types() {
    for (kind, word) in [(SchemaKind::Config, "config"), (SchemaKind::SharedConfig, "shared-config")] {
        let path = repository().join(format!("schemas/{word}.schema.json"));
        let kept = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        assert!(
            kept == config_merger::schema(kind),
            "write it anew: cargo run -p config-merger -- --schema {word} > schemas/{word}.schema.json"
        );
    }
}

#[test]
fn every_good_configuration_fits_its_schema() {
    let mut roots = folders("valid");
    roots.extend([repository(), fixtures().join("kinds")]);
    let all: Vec<_> = roots.iter().flat_map(|root| configurations(root)).collect();
    assert!(all.len() > 15);
    for (kind, path) in all {
        let errors: Vec<String> = validator(kind).iter_errors(&read(&path)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{path:?}: {errors:#?}");
    }
}

#[test]
fn a_canonical_configuration_fits_the_schema_too() {
    for folder in folders("valid") {
        let repository = config_merger::Repository::at(&folder);
        let version = repository.version("3.12.10").unwrap();
        let loaded = config_merger::load(&repository, &version, &config_merger::LoadOptions::default()).unwrap();
        let document: Value = serde_json::from_str(&loaded.canonical).unwrap();
        for kind in [SchemaKind::SharedConfig, SchemaKind::Config] {
            assert!(validator(kind).is_valid(&document), "for {folder:?}");
        }
    }
}

#[test]
fn what_a_schema_can_tell_it_tells() {
    let cases = [
        // (document, fits config.json, fits shared-config.json)
        (json!({}), true, true),
        (json!({ "packages": null, "build": { "timeout": null } }), true, true),
        (json!({ "patch": [{ "op": "remove", "path": "/x" }] }), true, false),
        (json!({ "packages": { "dependencies": "numpy" } }), false, false),
        (json!({ "packages": { "skip": { "a": { "macos-arm64": "x" } } } }), false, false),
        (json!({ "packages": { "skip": { "a": { "linux-x64": " " } } } }), false, false),
        (json!({ "packages": { "skip": { "a b": { "linux-x64": "x" } } } }), false, false),
        (json!({ "packages": { "skip": { "a": null } } }), true, true),
        (json!({ "packages": { "buildWheel": { "a": { "linux-x64": {} } } } }), false, false),
        (json!({ "registries": { "additional": ["ftp://x.example.org"] } }), false, false),
        (json!({ "build": { "timeout": -1 } }), false, false),
        (json!({ "layout": "flat" }), false, false),
        (json!({ "biuld": {} }), false, false),
        (json!([]), false, false),
    ];
    for (document, own, shared) in cases {
        assert_eq!(validator(SchemaKind::Config).is_valid(&document), own, "for {document}");
        assert_eq!(validator(SchemaKind::SharedConfig).is_valid(&document), shared, "for {document}");
    }
}

/// By name alone: those of all objects of the schema.
fn keys() -> Vec<String> {
    let schema: Value = serde_json::from_str(&config_merger::schema(SchemaKind::Config)).unwrap();
    let objects = std::iter::once(&schema).chain(schema["$defs"].as_object().unwrap().values());
    objects.filter_map(|object| object["properties"].as_object()).flat_map(|keys| keys.keys().cloned()).collect()
}

#[test]
fn every_key_has_a_row_in_the_documentation() {
    let page = fs::read_to_string(repository().join("docs/formats/config.md")).unwrap();
    let in_examples = |key: &str| page.contains(&format!("\"{key}\":"));
    for key in keys() {
        let in_a_row = page.contains(&format!("`{key}`")) || page.contains(&format!("## {key}\n"));
        assert!(in_a_row || in_examples(&key), "`{key}` is not on the page");
    }
}

#[test]
fn every_key_is_in_the_fixture_of_all_keys() {
    let files = configurations(&fixtures().join("valid/every-key"));
    let text: String = files.iter().map(|(_, path)| fs::read_to_string(path).unwrap()).collect();
    for key in keys() {
        assert!(text.contains(&format!("\"{key}\":")), "`{key}` is not in fixtures/config/valid/every-key");
    }
}

/// Section, key, kind and default of each row of the page's tables.
fn rows_of_page() -> Vec<(String, String, String, String)> {
    let page = fs::read_to_string(repository().join("docs/formats/config.md")).unwrap();
    let (mut rows, mut section, mut with_default) = (Vec::new(), String::new(), false);
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            section = title.to_owned();
        }
        // Another table has other columns.
        with_default &= line.starts_with('|');
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells[..] {
            ["", "key", "type", "default", ..] => with_default = true,
            ["", key, kind, default, ..] if with_default && !key.starts_with('-') => {
                for key in key.split(", ") {
                    let texts = [section.as_str(), key.trim_matches('`'), kind, default].map(str::to_owned);
                    let [section, key, kind, default] = texts;
                    rows.push((section, key, kind, default));
                }
            }
            _ => {}
        }
    }
    rows
}

fn literals(cell: &str) -> Vec<Value> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(|text| serde_json::from_str(text).unwrap_or_else(|_| json!(text))).collect()
}

/// The schema's come from the code.
#[test]
fn each_default_on_the_page_is_that_of_the_code_and_the_schema() {
    let schema: Value = serde_json::from_str(&config_merger::schema(SchemaKind::Config)).unwrap();
    let mut compared = 0;
    for (section, key, kind, default) in rows_of_page() {
        let object = match section.as_str() {
            "registries" => "Registries",
            "packages" => "Packages",
            "resolution" => "Resolution",
            "build" => "BuildSettings",
            "python" => "PythonSettings",
            _ => continue,
        };
        let property = &schema["$defs"][object]["properties"][&key];
        assert!(property.is_object(), "`{section}.{key}` is not in the schema");
        let on_page = match key.as_str() {
            "sources" => Some(Value::Array(literals(&kind))),
            _ => literals(&default).into_iter().next(),
        };
        assert_eq!(property.get("default").cloned(), on_page, "for `{section}.{key}`");
        compared += 1;
    }
    assert!(compared > 25, "{compared} rows were found");

    let rows = rows_of_page();
    let of = |section: &str, key: &str| {
        let row = rows.iter().find(|(own, name, ..)| own == section && name == key);
        literals(&row.unwrap_or_else(|| panic!("`{section}.{key}` has no row")).3)
    };
    let longer = config_merger::BuildSettings::default().compile_timeout;
    assert_eq!(of("build", "timeout")[1], json!(longer), "for building from source");
    let systems = of("oldestSystem", "platform").into_iter().map(|version| match version {
        // `2.28` reads as a number, `13.0` too.
        Value::Number(number) => format!("{number}"),
        other => other.as_str().unwrap_or_default().to_owned(),
    });
    let default = schema["properties"]["oldestSystem"]["default"].as_object().unwrap();
    let expected: std::collections::BTreeSet<_> = default.values().filter_map(Value::as_str).collect();
    assert_eq!(systems.collect::<Vec<_>>(), expected.into_iter().rev().collect::<Vec<_>>());
    let page = fs::read_to_string(repository().join("docs/formats/config.md")).unwrap();
    let layout = schema["properties"]["layout"]["default"].as_str().unwrap();
    assert!(page.contains(&format!("| `\"{layout}\"` (default) |")), "`layout` is `{layout}` by default");
}
