//! An effective configuration as YAML. Texts are in quotes unless every reader takes them for text, so that YAML 1.1 and
//! 1.2 read the same.

use serde_json::{Map, Value};

use crate::effective_config::EffectiveConfig;
use crate::yaml::scalar;

/// version, job_name, pipeline_options, job_config. Equal configurations give equal bytes.
pub fn to_yaml(config: &EffectiveConfig) -> String {
    let mut text = format!("version: {}\njob_name: {}\n", config.version, text_scalar(&config.job_name));
    for (name, map) in [("pipeline_options", &config.pipeline_options), ("job_config", &config.job_config)] {
        text.push_str(name);
        text.push(':');
        mapping(map, 1, &mut text);
    }
    text
}

fn mapping(map: &Map<String, Value>, depth: usize, text: &mut String) {
    if map.is_empty() {
        text.push_str(" {}\n");
        return;
    }
    text.push('\n');
    for (name, value) in map {
        text.push_str(&"  ".repeat(depth));
        text.push_str(&text_scalar(name));
        text.push(':');
        value_after(value, depth, text);
    }
}

/// What follows `key:`, or a list's dash.
fn value_after(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) => mapping(map, depth + 1, text),
        Value::Array(items) if items.is_empty() => text.push_str(" []\n"),
        Value::Array(items) => {
            text.push('\n');
            for item in items {
                text.push_str(&"  ".repeat(depth + 1));
                text.push('-');
                value_after(item, depth + 1, text);
            }
        }
        scalar => {
            text.push(' ');
            text.push_str(&plain_scalar(scalar));
            text.push('\n');
        }
    }
}

fn plain_scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text_scalar(text),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

fn text_scalar(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "_-./".contains(it);
    let begins = |it: &str| it.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    // `y` and `n` are booleans to some readers of YAML 1.1.
    let is_word = text.len() > 1 && begins(text) && text.chars().all(is_plain);
    if is_word && scalar::resolved(text).is_string() {
        return text.to_owned();
    }
    // A JSON string is a YAML string, but for what ends lines in YAML 1.1, and what YAML does not accept as it is.
    let mut quoted = String::new();
    for it in Value::String(text.to_owned()).to_string().chars() {
        match it {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(it)));
            }
            it => quoted.push(it),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_yaml_reads_in_another_way_are_escaped() {
        let text = "é\u{7f}\u{82}\u{85}\u{a0}\u{2028}\u{2029}\u{feff}\u{ffff}😀\n";
        let expected = "\"é\\u007f\\u0082\\u0085\u{a0}\\u2028\\u2029\\ufeff\\uffff😀\\n\"";
        assert_eq!(text_scalar(text), expected);
    }
}
