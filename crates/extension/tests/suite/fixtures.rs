//! The descriptors in `fixtures/extension/`, as they are read and as the schema describes them.

use std::fs;
use std::path::{Path, PathBuf};

use extension::{DescriptorError, read_descriptor};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture(name: &str) -> Value {
    serde_json::from_slice(&fs::read(root().join("fixtures/extension").join(name)).unwrap()).unwrap()
}

fn schema_allows(descriptor: &Value) -> bool {
    let schema = fs::read(root().join("schemas/extension.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap().is_valid(descriptor)
}

fn reader_allows(descriptor: &Value) -> Result<(), DescriptorError> {
    read_descriptor("x.json", descriptor.to_string().as_bytes()).map(|_| ())
}

#[test]
fn fixtures_are_read_and_fit_the_schema() {
    for name in ["every-member.json", "least.json"] {
        assert!(schema_allows(&fixture(name)), "{name}");
        reader_allows(&fixture(name)).unwrap();
    }
    let bytes = fixture("every-member.json").to_string();
    let descriptor = read_descriptor("x", bytes.as_bytes()).unwrap();
    let operator = &descriptor.operators[0];
    assert_eq!((operator.parameters.len(), operator.inputs.len(), operator.outputs.len()), (5, 1, 1));
    assert_eq!(operator.unsupported(), None);
    assert_eq!(descriptor.extension.unknown.len(), 1);
}

#[test]
fn what_the_schema_refuses_the_reader_refuses_too() {
    let changes: [(&str, Value); 19] = [
        ("/extension", json!([])),
        ("/extension/name", json!("")),
        ("/extension/namespace", json!("a/b")),
        ("/extension/module", json!(1)),
        ("/extension/dependencies", json!([{}])),
        ("/operators", json!([])),
        ("/operators/count_words", json!(1)),
        ("/operators/count_words/parameters/0/type", json!(null)),
        ("/operators/count_words/parameters/2/conditions", json!([["=", "unit", 1]])),
        ("/operators/count_words/parameters/2/min", json!("1")),
        ("/operators/count_words/parameters/2/max", json!([])),
        ("/operators/count_words/parameters/2/exclusive_min", json!(true)),
        ("/operators/count_words/parameters/2/exclusive_max", json!({})),
        ("/operators/count_words/parameters/3/pattern", json!(1)),
        ("/operators/count_words/parameters/3/min_length", json!(-1)),
        ("/operators/count_words/parameters/3/max_length", json!(1.5)),
        ("/operators/count_words/parameters/4/min_items", json!("1")),
        ("/operators/count_words/parameters/4/max_items", json!(-1)),
        ("/operators/count_words/inputs", json!([{}])),
    ];
    for (pointer, value) in changes {
        let mut descriptor = fixture("every-member.json");
        *descriptor.pointer_mut(pointer).unwrap() = value;
        assert!(!schema_allows(&descriptor), "the schema allows {pointer}");
        assert!(reader_allows(&descriptor).is_err(), "the reader allows {pointer}");
    }
}
