//! An extension's descriptor: JSON as it lies in a zip (the first byte is even), or the `extension.toml` that it is made of.
#![no_main]

use extension::{BuildInput, DescribedFunction, read_descriptor};
use libfuzzer_sys::fuzz_target;
use vocab::SourceFile;
use vocab::json::{JsonDocument, JsonKind, JsonNode};

fuzz_target!(|data: &[u8]| {
    let [form, text @ ..] = data else { return };
    if form & 1 == 1 {
        let Ok(text) = std::str::from_utf8(text) else { return };
        let described = |name: &String| DescribedFunction {
            name: name.clone(),
            fault: None,
            description: None,
            parameters: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        let made = BuildInput::read(text).and_then(|input| {
            let functions: Vec<_> = input.operators.keys().map(described).collect();
            input.descriptor(&functions)
        });
        match made {
            Ok(bytes) => drop(read_descriptor("extension.json", &bytes).expect("what is built can be read")),
            Err(error) => drop(error.to_string()),
        }
        return;
    }
    match read_descriptor("extension.json", text) {
        Ok(descriptor) => {
            serde_json::to_value(&descriptor).expect("what was read can be written");
        }
        Err(error) => drop(error.to_string()),
    }
    if let Ok(text) = std::str::from_utf8(text) {
        agrees_with_serde_json(text);
    }
});

/// What is JSON, and which values it has, is what `serde_json` says; each pointer leads to its value.
fn agrees_with_serde_json(text: &str) {
    let (document, faults) = JsonDocument::parse(&SourceFile::new("", text));
    let value = serde_json::from_str::<serde_json::Value>(text);
    let (Some(document), Ok(value)) = (&document, &value) else {
        assert!(document.is_none() && value.is_err(), "one reads it, the other does not");
        return;
    };
    // Of a repeated key the first counts here, the last there.
    if faults.is_empty() {
        compare(&document.root, &document.root, value, value);
    }
}

fn compare(root: &JsonNode, node: &JsonNode, whole: &serde_json::Value, value: &serde_json::Value) {
    use serde_json::Value;

    let pointer = root.pointer_to(node.span);
    assert!(
        whole.pointer(&pointer).is_some_and(|found| std::ptr::eq(found, value)) || pointer.len() > 200,
        "{pointer} leads elsewhere"
    );
    match (&node.kind, value) {
        (JsonKind::Null, Value::Null) => {}
        (JsonKind::Bool(one), Value::Bool(other)) => assert_eq!(one, other),
        (JsonKind::Number(one), Value::Number(other)) => assert_eq!(one, other),
        (JsonKind::String(one), Value::String(other)) => assert_eq!(one, other),
        (JsonKind::Array(items), Value::Array(others)) => {
            assert_eq!(items.len(), others.len());
            items.iter().zip(others).for_each(|(item, other)| compare(root, item, whole, other));
        }
        (JsonKind::Object(members), Value::Object(others)) => {
            assert_eq!(members.len(), others.len());
            for (member, (key, other)) in members.iter().zip(others) {
                assert_eq!(&member.key, key);
                compare(root, &member.value, whole, other);
            }
        }
        (node, value) => panic!("{node:?} instead of {value}"),
    }
}
