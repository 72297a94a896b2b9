//! Adds a member to an object, or an item to a list, in JSON that people write: every other character stays.

use serde_json::Value;
use vocab::json::{JsonDocument, JsonKind, JsonNode, JsonSpan};
use vocab::{SourceFile, TextPlace};

use crate::fault::{PackageFault, PackageFaultKind, PackageFaults};

/// The text with `key` added to the object at `path`, after the member `after` or else at the end. Missing objects of
/// the path are created. If the key exists, the text is returned unchanged.
pub fn add_member(
    source: &SourceFile,
    path: &[&str],
    key: &str,
    value: &Value,
    after: Option<&str>,
) -> Result<String, PackageFaults> {
    let document = parse(source)?;
    let (mut node, mut depth) = (&document.root, 0);
    while let Some(next) = path.get(depth).and_then(|step| node.get(step)) {
        (node, depth) = (next, depth + 1);
    }
    let JsonKind::Object(members) = &node.kind else { return Err(not_there(&document, node, "an object")) };
    // The missing part of the path becomes part of the value.
    let (key, value) = match path.get(depth..) {
        Some([first, missing @ ..]) => {
            let inner = serde_json::json!({ key: value });
            let wrapped = missing.iter().rev().fold(inner, |inner, step| serde_json::json!({ *step: inner }));
            (*first, wrapped)
        }
        _ => (key, value.clone()),
    };
    if members.iter().any(|member| member.key == key) {
        return Ok(source.text.to_string());
    }
    let anchor = members.iter().find(|member| Some(member.key.as_str()) == after).or(members.last());
    let anchor = anchor.map(|member| (member.key_span.0, member.value.span));
    Ok(added(source, node, anchor, Some(key), &value))
}

/// The text with one more string in the list at `path`, after the last that `is_like` it, or else at the end.
pub fn add_item(
    source: &SourceFile,
    path: &[&str],
    item: &str,
    is_like: impl Fn(&str) -> bool,
) -> Result<String, PackageFaults> {
    let document = parse(source)?;
    let node = path.iter().try_fold(&document.root, |node, step| node.get(step));
    let node = node.ok_or_else(|| not_there(&document, &document.root, &format!("`{}`", path.join("."))))?;
    let JsonKind::Array(items) = &node.kind else { return Err(not_there(&document, node, "a list")) };
    let anchor = items.iter().rfind(|item| item.as_str().is_some_and(&is_like)).or(items.last());
    Ok(added(source, node, anchor.map(|item| (item.span.0, item.span)), None, &Value::from(item)))
}

fn parse(source: &SourceFile) -> Result<JsonDocument, PackageFaults> {
    let (document, faults) = JsonDocument::parse(source);
    let faults = faults.into_iter().map(PackageFault::from).collect();
    let whole = PackageFaults::unless_none(faults, document)?;
    whole.ok_or_else(|| {
        PackageFault::new(PackageFaultKind::File, TextPlace::of_file(&source.name), "not JSON", "").into()
    })
}

fn not_there(document: &JsonDocument, node: &JsonNode, expected: &str) -> PackageFaults {
    let text = format!("{expected} is expected here, not {}", node.describe());
    PackageFault::new(PackageFaultKind::File, document.place("", node.span), text, "correct it first").into()
}

/// `anchor` is where the neighbour begins, with its key, and the span of its value.
fn added(
    source: &SourceFile,
    node: &JsonNode,
    anchor: Option<(usize, JsonSpan)>,
    key: Option<&str>,
    value: &Value,
) -> String {
    let text = &*source.text;
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let unit = indentation(text);
    let style = OneLine::of(text);
    let spaced = text.trim().contains('\n') || style.spaced;
    let key = key.map(|key| format!("{}:{}", Value::from(key), if spaced { " " } else { "" })).unwrap_or_default();
    if let Some((start, value_span)) = anchor {
        let end = value_span.0 + value_span.1;
        let blank = text[..start].len() - text[..start].trim_end().len();
        let blank = &text[start - blank..start];
        let (gap, written) = match blank.rfind('\n') {
            Some(at) => {
                let indent = &blank[at + 1..];
                (format!("{newline}{indent}"), pretty(value, &unit, indent, newline))
            }
            // As before the neighbour, if that is not the first.
            None if text[..start].trim_end().ends_with(',') => (blank.to_owned(), style.text(value)),
            None => (if style.spaced { " ".into() } else { String::new() }, style.text(value)),
        };
        return format!("{},{gap}{key}{written}{}", &text[..end], &text[end..]);
    }
    // The first one in an empty object or list.
    let (start, end) = (node.span.0, node.span.0 + node.span.1);
    if !text.trim().contains('\n') {
        let (open, close) = style.brackets(matches!(node.kind, JsonKind::Object(_)));
        return format!("{}{open}{key}{}{close}{}", &text[..start], style.text(value), &text[end..]);
    }
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let outer: String = text[line..start].chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
    let inner = format!("{outer}{unit}");
    let (open, close) = if matches!(node.kind, JsonKind::Object(_)) { ('{', '}') } else { ('[', ']') };
    let written = pretty(value, &unit, &inner, newline);
    format!("{}{open}{newline}{inner}{key}{written}{newline}{outer}{close}{}", &text[..start], &text[end..])
}

/// How a text that has everything on one line is spaced.
#[derive(Clone, Copy)]
struct OneLine {
    /// After colons and commas.
    spaced: bool,
    /// Inside the braces of objects.
    padded: bool,
}

impl OneLine {
    fn of(text: &str) -> Self {
        Self { spaced: text.contains("\": ") || !text.contains("\":"), padded: text.contains("{ ") }
    }

    fn brackets(self, of_object: bool) -> (&'static str, &'static str) {
        match (of_object, self.padded) {
            (true, true) => ("{ ", " }"),
            (true, false) => ("{", "}"),
            (false, _) => ("[", "]"),
        }
    }

    fn text(self, value: &Value) -> String {
        let (colon, comma) = if self.spaced { (": ", ", ") } else { (":", ",") };
        match value {
            Value::Object(members) if !members.is_empty() => {
                let (open, close) = self.brackets(true);
                let members = members
                    .iter()
                    .map(|(key, value)| format!("{}{colon}{}", Value::from(key.as_str()), self.text(value)));
                format!("{open}{}{close}", members.collect::<Vec<_>>().join(comma))
            }
            Value::Array(items) if !items.is_empty() => {
                let items: Vec<String> = items.iter().map(|item| self.text(item)).collect();
                format!("[{}]", items.join(comma))
            }
            other => other.to_string(),
        }
    }
}

/// One step of the file's indentation; two spaces if it has none.
pub fn indentation(text: &str) -> String {
    let indented = text.lines().skip(1).find(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty());
    let unit = indented.map(|line| line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect::<String>());
    unit.unwrap_or_else(|| "  ".into())
}

/// As many lines as necessary; all but the first begin with `indent`.
fn pretty(value: &Value, unit: &str, indent: &str, newline: &str) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(unit.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // Neither a `Value` nor a `Vec` fails to serialise; compact text would mean the same.
    if serde::Serialize::serialize(value, &mut serializer).is_err() {
        return value.to_string();
    }
    String::from_utf8_lossy(&bytes).replace('\n', &format!("{newline}{indent}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(text: &str, path: &[&str], after: Option<&str>) -> String {
        let value = json!({ "reference": "b" });
        add_member(&SourceFile::new("package.json", text), path, "b", &value, after).unwrap()
    }

    #[test]
    fn a_member_is_added_in_the_manner_of_its_neighbours_and_nothing_else_changes() {
        let cases = [
            // (path, after, before, after)
            (
                &["e"][..],
                None,
                "{\n    \"e\": {\n        \"a\": 1\n    },\n    \"z\": [1,2]\n}\n",
                "{\n    \"e\": {\n        \"a\": 1,\n        \"b\": {\n            \"reference\": \"b\"\n        }\n    },\n    \"z\": [1,2]\n}\n",
            ),
            (
                &["e"],
                Some("a"),
                "{\n\t\"e\": {\n\t\t\"a\" : 1,\n\n\t\t\"c\": 2\n\t}\n}",
                "{\n\t\"e\": {\n\t\t\"a\" : 1,\n\t\t\"b\": {\n\t\t\t\"reference\": \"b\"\n\t\t},\n\n\t\t\"c\": 2\n\t}\n}",
            ),
            (
                &["e"],
                None,
                "{ \"e\": { \"a\": 1 } }\r\n",
                "{ \"e\": { \"a\": 1, \"b\": { \"reference\": \"b\" } } }\r\n",
            ),
            (
                &["e"],
                None,
                "{\r\n  \"e\": {}\r\n}",
                "{\r\n  \"e\": {\r\n    \"b\": {\r\n      \"reference\": \"b\"\r\n    }\r\n  }\r\n}",
            ),
            (
                &["e", "f"],
                None,
                "{\n  \"a\": \"é\"\n}\n",
                "{\n  \"a\": \"é\",\n  \"e\": {\n    \"f\": {\n      \"b\": {\n        \"reference\": \"b\"\n      }\n    }\n  }\n}\n",
            ),
        ];
        for (path, anchor, before, after) in cases {
            assert_eq!(member(before, path, anchor), after, "for {before}");
            assert_eq!(member(after, path, anchor), after, "a second time");
        }
    }

    #[test]
    fn an_item_is_added_behind_its_like() {
        let add = |text: &str| {
            let source = SourceFile::new("package.json", text);
            add_item(&source, &["workspaces"], "python-2", |item| item.starts_with("python-")).unwrap()
        };
        assert_eq!(
            add("{\n  \"workspaces\": [\n    \"python-1\",\n    \"catalogue\"\n  ]\n}"),
            "{\n  \"workspaces\": [\n    \"python-1\",\n    \"python-2\",\n    \"catalogue\"\n  ]\n}"
        );
        assert_eq!(add(r#"{"workspaces": ["catalogue"]}"#), r#"{"workspaces": ["catalogue", "python-2"]}"#);
        assert_eq!(add("{\"workspaces\": []}"), "{\"workspaces\": [\"python-2\"]}");
        assert_eq!(
            add("{\n  \"workspaces\": [\"a\",\"catalogue\"]\n}\n"),
            "{\n  \"workspaces\": [\"a\",\"catalogue\",\"python-2\"]\n}\n"
        );
    }

    #[test]
    fn json_on_one_line_stays_on_one_line_and_keeps_its_spacing() {
        let cases = [
            (r#"{"e":{"a":1},"z":[1,2]}"#, r#"{"e":{"a":1,"b":{"reference":"b"}},"z":[1,2]}"#),
            (r#"{ "e": { "a": 1 } }"#, r#"{ "e": { "a": 1, "b": { "reference": "b" } } }"#),
            (r#"{"e": {"a": 1, "c": 2}}"#, r#"{"e": {"a": 1, "c": 2, "b": {"reference": "b"}}}"#),
            (r#"{"e":{}}"#, r#"{"e":{"b":{"reference":"b"}}}"#),
            (r#"{"a":1}"#, r#"{"a":1,"e":{"b":{"reference":"b"}}}"#),
            ("{}\n", "{\"e\": {\"b\": {\"reference\": \"b\"}}}\n"),
        ];
        for (before, after) in cases {
            assert_eq!(member(before, &["e"], None), after, "for {before}");
        }
    }

    #[test]
    fn what_is_no_object_is_not_added_to() {
        let refused = add_member(&SourceFile::new("p.json", r#"{ "e": [] }"#), &["e"], "b", &json!(1), None);
        assert_eq!(refused.unwrap_err().to_string(), "p.json:1:8: an object is expected here, not a list");
    }
}
