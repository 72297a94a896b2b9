//! A JSON document that knows where in the file each of its values stands.
//!
//! `serde_json` decides what is JSON (strictly: no comments, no trailing commas, at most 127 levels). A second pass
//! over the text, now known to be valid, finds the places of values and repeated keys.
//!
//! ```
//! use vocab::SourceFile;
//! use vocab::json::JsonDocument;
//!
//! let source = SourceFile::new("config.json", r#"{"platforms": ["linux-x64"]}"#);
//! let (document, faults) = JsonDocument::parse(&source);
//! assert!(faults.is_empty());
//! let document = document.expect("the text is JSON");
//! let platforms = document.root.get("platforms").expect("the key is there");
//! let place = document.place("/platforms", platforms.span);
//! assert_eq!((place.line, place.column), (1, 15));
//! ```

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde_json::{Number, Value};

use crate::json_syntax::Syntax;
use crate::{SourceFile, TextPlace, quoted};

/// A file with more repeated keys than this is not a configuration.
const MAX_REPEATED: usize = 100;

/// In characters; no key of a configuration comes near it.
pub const MAX_KEY: usize = 200;

/// Up to so many members are compared one by one for repeated keys; more of them are hashed.
const FEW_MEMBERS: usize = 16;

/// Byte offset and length.
pub type JsonSpan = (usize, usize);

/// One value and where its text is.
#[derive(Debug)]
pub struct JsonNode {
    /// In the text of the file; `(0, 0)` for a node that a program made.
    pub span: JsonSpan,
    pub kind: JsonKind,
}

/// The value itself, as `serde_json` reads it: `1` and `1.0` are different numbers.
#[derive(Debug)]
pub enum JsonKind {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<JsonNode>),
    Object(Vec<JsonMember>),
}

/// One `key: value` of an object, in the order of the file. A repeated key appears once for each time.
#[derive(Debug)]
pub struct JsonMember {
    pub key: String,
    /// Place of the key, its quotes included.
    pub key_span: JsonSpan,
    pub value: JsonNode,
}

/// A parsed file. Holds its text, so that places can be computed later.
#[derive(Debug)]
pub struct JsonDocument {
    /// Any JSON value, not only an object.
    pub root: JsonNode,
    file: Arc<str>,
    text: Arc<str>,
    line_starts: Vec<usize>,
    /// Start of a line, an offset in it and the column there: where the last place was. Places are mostly asked for
    /// in order, and counting from here keeps a file that is one long line from costing a count for each.
    counted: Cell<(usize, usize, usize)>,
}

/// Why a text is not a document, or not one that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFault {
    pub place: TextPlace,
    pub kind: JsonFaultKind,
}

/// What is wrong with a text. Only [`RepeatedKey`](Self::RepeatedKey) leaves a document behind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFaultKind {
    #[error("the file is empty")]
    Empty,
    #[error("the file is nested more than 127 levels deep")]
    TooDeep,
    #[error("not JSON: trailing comma")]
    TrailingComma,
    #[error("not JSON: comments are not allowed")]
    Comment,
    #[error("not JSON: {0}")]
    Syntax(String),
    /// Where the first one is; the fault itself is at the later one.
    #[error("duplicate key; the first is in line {line}, column {column}")]
    RepeatedKey { line: usize, column: usize },
}

impl JsonFaultKind {
    /// What to do, where that does not depend on what the file is for.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TrailingComma => Some("remove the comma"),
            Self::RepeatedKey { .. } => Some("keep one of them, or join what they hold"),
            Self::Comment => Some("JSON has no comments"),
            Self::Empty | Self::TooDeep | Self::Syntax(_) => None,
        }
    }
}

impl JsonDocument {
    /// The document, absent when the text is not JSON, and every fault. If a key is repeated, the first one counts.
    pub fn parse(source: &SourceFile) -> (Option<Self>, Vec<JsonFault>) {
        if let Err(error) = serde_json::from_str::<Syntax>(&source.text) {
            return (None, vec![syntax_fault(source, &error)]);
        }
        let mut scanner = JsonScanner { text: &source.text, at: 0, repeated: Vec::new() };
        let root = scanner.value(&mut String::new());
        let repeated = scanner.repeated;
        let document = Self {
            root,
            file: Arc::clone(&source.name),
            text: Arc::clone(&source.text),
            line_starts: line_starts(&source.text),
            counted: Cell::default(),
        };
        let faults = repeated.into_iter().map(|(pointer, first, span)| {
            let TextPlace { line, column, .. } = document.place("", first);
            JsonFault { place: document.place(&pointer, span), kind: JsonFaultKind::RepeatedKey { line, column } }
        });
        let faults = faults.collect();
        (Some(document), faults)
    }

    /// Line and column of `span`. `pointer` is copied into the place unchecked.
    pub fn place(&self, pointer: &str, span: JsonSpan) -> TextPlace {
        let line = self.line_starts.partition_point(|start| *start <= span.0);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let (counted_line, mut from, mut before) = self.counted.get();
        if counted_line != start || from > span.0 {
            (from, before) = (start, 0);
        }
        before += self.text.get(from..span.0).map_or(0, |text| text.chars().count());
        self.counted.set((start, span.0, before));
        let column = before + 1;
        TextPlace { file: Arc::clone(&self.file), line, column, pointer: pointer.to_owned(), span }
    }
}

impl JsonNode {
    /// The value of a member; `None` unless this is an object that has the key. If a key is repeated, the first one
    /// counts.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.member(key).map(|member| &member.value)
    }

    /// Like [`get`](Self::get), with the place of the key itself.
    pub fn member(&self, key: &str) -> Option<&JsonMember> {
        self.members().iter().find(|member| member.key == key)
    }

    /// Empty where this is not an object.
    pub fn members(&self) -> &[JsonMember] {
        match &self.kind {
            JsonKind::Object(members) => members,
            _ => &[],
        }
    }

    /// The text of a string; `None` for every other kind of value.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            JsonKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The JSON pointer (RFC 6901) to the value with this place. Below a repeated key it leads to the first of them.
    pub fn pointer_to(&self, span: JsonSpan) -> String {
        let (mut node, mut pointer) = (self, String::new());
        let holds = |node: &Self| node.span.0 <= span.0 && span.0 + span.1 <= node.span.0 + node.span.1;
        while node.span != span {
            let inner = match &node.kind {
                JsonKind::Array(items) => {
                    let found = items.iter().enumerate().find(|(_, item)| holds(item));
                    found.map(|(index, item)| (index.to_string(), item))
                }
                JsonKind::Object(members) => {
                    let found = members.iter().find(|member| holds(&member.value));
                    found.map(|member| (short(&member.key).to_owned(), &member.value))
                }
                _ => None,
            };
            let Some((step, inner)) = inner else { break };
            push_step(&mut pointer, &step);
            node = inner;
        }
        pointer
    }

    /// A node without a file, for values that a program made; every span is empty.
    pub fn from_value(value: &Value) -> Self {
        let kind = match value {
            Value::Null => JsonKind::Null,
            Value::Bool(flag) => JsonKind::Bool(*flag),
            Value::Number(number) => JsonKind::Number(number.clone()),
            Value::String(text) => JsonKind::String(text.clone()),
            Value::Array(items) => JsonKind::Array(items.iter().map(Self::from_value).collect()),
            Value::Object(members) => JsonKind::Object(
                members
                    .iter()
                    .map(|(key, value)| JsonMember {
                        key: key.clone(),
                        key_span: (0, 0),
                        value: Self::from_value(value),
                    })
                    .collect(),
            ),
        };
        Self { span: (0, 0), kind }
    }

    /// Describes the value for a message, in JSON's own words; short values are shown.
    pub fn describe(&self) -> String {
        match &self.kind {
            JsonKind::Null => "null".into(),
            JsonKind::Bool(flag) => flag.to_string(),
            JsonKind::Number(number) => format!("the number {number}"),
            JsonKind::String(text) => format!("the string {}", quoted::shown(text)),
            JsonKind::Array(_) => "a list".into(),
            JsonKind::Object(_) => "an object".into(),
        }
    }
}

/// The first [`MAX_KEY`] characters. A pointer is copied into every place below it; a longer key is not one of ours.
pub fn short(key: &str) -> &str {
    key.char_indices().nth(MAX_KEY).map_or(key, |(end, _)| &key[..end])
}

/// Appends one step to a JSON pointer (RFC 6901), escaping `~` and `/`.
pub fn below(pointer: &str, step: impl fmt::Display) -> String {
    let mut longer = pointer.to_owned();
    push_step(&mut longer, &step.to_string());
    longer
}

fn push_step(pointer: &mut String, step: &str) {
    pointer.push('/');
    for character in step.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect()
}

fn syntax_fault(source: &SourceFile, error: &serde_json::Error) -> JsonFault {
    let text = &*source.text;
    let line = line_starts(text).get(error.line().saturating_sub(1)).copied().unwrap_or(0);
    let mut offset = (line + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    let rest = &text[offset..];
    let kind = if text.trim().is_empty() {
        JsonFaultKind::Empty
    } else if message.starts_with("recursion limit") {
        JsonFaultKind::TooDeep
    } else if message == "trailing comma" {
        JsonFaultKind::TrailingComma
    } else if rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#') {
        JsonFaultKind::Comment
    } else {
        JsonFaultKind::Syntax(message.to_owned())
    };
    JsonFault { place: TextPlace::at_offset(&source.name, text, offset), kind }
}

/// Reads text that is known to be JSON of bounded depth. Other text gives nonsense, but the scan still ends.
struct JsonScanner<'a> {
    text: &'a str,
    at: usize,
    /// Keys that occurred earlier in their object: pointer, first place, this place.
    repeated: Vec<(String, JsonSpan, JsonSpan)>,
}

impl JsonScanner<'_> {
    /// `pointer` is that of the value; it is left as it was.
    fn value(&mut self, pointer: &mut String) -> JsonNode {
        self.skip_blanks();
        let start = self.at;
        let kind = match self.peek() {
            b'{' => self.object(pointer),
            b'[' => self.array(pointer),
            b'"' => JsonKind::String(self.string()),
            _ => self.scalar(),
        };
        JsonNode { span: (start, self.at - start), kind }
    }

    fn object(&mut self, pointer: &mut String) -> JsonKind {
        let mut members: Vec<JsonMember> = Vec::new();
        // Filled once there are many members.
        let mut seen = HashMap::new();
        self.at += 1;
        loop {
            self.skip_blanks();
            match self.peek() {
                b'"' => {}
                b',' => {
                    self.at += 1;
                    continue;
                }
                _ => break,
            }
            let start = self.at;
            let key = self.string();
            let key_span = (start, self.at - start);
            self.skip_blanks();
            self.at += 1; // the colon
            let length = pointer.len();
            push_step(pointer, short(&key));
            if members.len() == FEW_MEMBERS {
                // The first of several keys stays.
                seen.extend(members.iter().rev().map(|member| (member.key.clone(), member.key_span)));
            }
            let first = match members.len() {
                FEW_MEMBERS.. => Some(*seen.entry(key.clone()).or_insert(key_span)).filter(|first| *first != key_span),
                _ => members.iter().find(|member| member.key == key).map(|member| member.key_span),
            };
            if let Some(first) = first
                && self.repeated.len() < MAX_REPEATED
            {
                self.repeated.push((pointer.clone(), first, key_span));
            }
            let value = self.value(pointer);
            pointer.truncate(length);
            members.push(JsonMember { key, key_span, value });
        }
        self.at += 1;
        JsonKind::Object(members)
    }

    fn array(&mut self, pointer: &mut String) -> JsonKind {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip_blanks();
            match self.peek() {
                b']' | 0 => break,
                b',' => self.at += 1,
                _ => {
                    let length = pointer.len();
                    // Writing to a text cannot fail.
                    let _ = write!(pointer, "/{}", items.len());
                    items.push(self.value(pointer));
                    pointer.truncate(length);
                }
            }
        }
        self.at += 1;
        JsonKind::Array(items)
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        let mut is_plain = true;
        loop {
            match self.peek() {
                b'\\' => {
                    is_plain = false;
                    self.at += 2;
                }
                b'"' | 0 => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        if is_plain {
            return self.text.get(start + 1..self.at - 1).unwrap_or_default().to_owned();
        }
        self.text.get(start..self.at).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    fn scalar(&mut self) -> JsonKind {
        let start = self.at;
        while !matches!(self.peek(), b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n' | 0) {
            self.at += 1;
        }
        // Ends the scan of text that is not JSON.
        if self.at == start {
            self.at = self.text.len();
        }
        match self.text.get(start..self.at) {
            Some("true") => JsonKind::Bool(true),
            Some("false") => JsonKind::Bool(false),
            Some(text) => serde_json::from_str(text).map_or(JsonKind::Null, JsonKind::Number),
            None => JsonKind::Null,
        }
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    /// 0 at the end: JSON holds no NUL.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_line_and_column() {
        let source =
            SourceFile::new("a.json", "\u{feff}{\r\n  \"é\": [1, \"x\\\"y\", {\"k\": null}],\r\n  \"é\": true\r\n}");
        let (document, faults) = JsonDocument::parse(&source);
        let document = document.unwrap();
        let JsonKind::Object(members) = &document.root.kind else { panic!("an object") };
        let JsonKind::Array(items) = &members[0].value.kind else { panic!("a list") };
        let place = |node: &JsonNode| document.place("", node.span).to_string();
        assert_eq!(place(&items[0]), "a.json:2:9");
        assert_eq!(place(&items[1]), "a.json:2:12");
        assert_eq!(place(&members[1].value), "a.json:3:8");
        let JsonKind::String(text) = &items[1].kind else { panic!("a string") };
        assert_eq!(text, "x\"y");
        assert_eq!(faults[0].place.to_string(), "a.json:3:3 /é");
        assert_eq!(faults[0].kind, JsonFaultKind::RepeatedKey { line: 2, column: 3 });
    }

    #[test]
    fn a_pointer_leads_to_each_value() {
        let text = r#"{"a/b": [0, [{"~": null}], {}], "c": {"d": "e"}}"#;
        let (document, _) = JsonDocument::parse(&SourceFile::new("a.json", text));
        let root = document.unwrap().root;
        fn pointers(root: &JsonNode, node: &JsonNode, found: &mut Vec<String>) {
            found.push(root.pointer_to(node.span));
            let JsonKind::Array(items) = &node.kind else {
                node.members().iter().for_each(|member| pointers(root, &member.value, found));
                return;
            };
            items.iter().for_each(|item| pointers(root, item, found));
        }
        let mut found = Vec::new();
        pointers(&root, &root, &mut found);
        assert_eq!(found, ["", "/a~1b", "/a~1b/0", "/a~1b/1", "/a~1b/1/0", "/a~1b/1/0/~0", "/a~1b/2", "/c", "/c/d"]);
        let value: Value = serde_json::from_str(text).unwrap();
        assert!(found.iter().all(|pointer| value.pointer(pointer).is_some()));
    }

    #[test]
    fn keys_are_found_repeated_in_small_and_large_objects() {
        for count in [2, FEW_MEMBERS - 1, FEW_MEMBERS, FEW_MEMBERS + 1, 3 * FEW_MEMBERS] {
            let members: Vec<String> = (0..count).map(|number| format!("\"k{number}\": 0")).collect();
            let text = format!("{{{}, \"k0\": 1, \"k{}\": 2, \"k0\": 3}}", members.join(", "), count - 1);
            let (document, faults) = JsonDocument::parse(&SourceFile::new("a.json", &text));
            let columns: Vec<_> =
                faults.iter().map(|fault| (fault.place.pointer.clone(), fault.kind.clone())).collect();
            let first = |key: usize| 2 + members[..key].iter().map(|member| member.len() + 2).sum::<usize>();
            let expected = [0, count - 1, 0]
                .map(|key| (format!("/k{key}"), JsonFaultKind::RepeatedKey { line: 1, column: first(key) }));
            assert_eq!(columns, expected, "for {count}");
            assert!(document.is_some_and(|document| document.root.members().len() == count + 3));
        }
    }
}
