//! JSON read into a type. What is wrong with it is said in words and with its place, which `serde_json`'s own messages do
//! not do.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! let error = vocab::typed_json::read::<BTreeMap<String, u32>>(br#"{"sizes": [1]}"#).unwrap_err();
//! let message = "line 1, column 11, /sizes: a whole number from 0 to 4294967295 is expected, not a list";
//! assert_eq!(error.to_string(), message);
//! ```

use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor, value,
};
use serde::forward_to_deserialize_any;

use crate::json::{JsonDocument, JsonFaultKind, JsonKind, JsonMember, JsonNode, JsonSpan, below, short};
use crate::{SourceFile, TextPlace, quoted};

/// Why JSON is not what it should be, and where. The message does not name the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}{}: {text}", place.line, place.column, pointer_of(place))]
pub struct TypedJsonError {
    /// Without a file. In a box, since errors are moved about by many who never see one.
    pub place: Box<TextPlace>,
    pub text: String,
}

fn pointer_of(place: &TextPlace) -> String {
    if place.pointer.is_empty() { String::new() } else { format!(", {}", quoted::escaped(&place.pointer)) }
}

/// A document without repeated keys, from which types are read.
#[derive(Debug)]
pub struct TypedDocument(JsonDocument);

/// Reads a document that a person may have written or changed. It is stricter than `serde_json`: an object has no key
/// twice, and a list is not taken for an object.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, TypedJsonError> {
    parse(bytes)?.read()
}

/// Reads a long record that only our programs write, such as the table of a wheel's files: as fast as `serde_json`, and
/// no stricter.
pub fn read_record<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, TypedJsonError> {
    serde_json::from_slice(bytes).or_else(|_| read(bytes))
}

/// The document, for reading several types from it, such as its format number before all else.
pub fn parse(bytes: &[u8]) -> Result<TypedDocument, TypedJsonError> {
    let fault = |place, text: String| TypedJsonError { place: Box::new(place), text };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        fault(TextPlace::at_offset("", &valid, valid.len()), "the text is not UTF-8 from here on".to_owned())
    })?;
    if text.starts_with('\u{feff}') {
        return Err(fault(TextPlace::at_offset("", text, 0), "a byte order mark is not part of JSON".to_owned()));
    }
    let (document, faults) = JsonDocument::parse(&SourceFile::new("", text));
    match (document, faults.into_iter().next()) {
        (Some(document), None) => Ok(TypedDocument(document)),
        (_, Some(found)) => Err(fault(found.place, found.kind.to_string())),
        (None, None) => Err(fault(TextPlace::default(), JsonFaultKind::Empty.to_string())),
    }
}

impl TypedDocument {
    /// Reads the whole document as `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, TypedJsonError> {
        let root = &self.0.root;
        T::deserialize(Typed(root)).map_err(|misfit| TypedJsonError {
            place: Box::new(self.0.place(&misfit.pointer, misfit.span.unwrap_or(root.span))),
            text: misfit.text,
        })
    }
}

/// What does not fit the type; its place grows while the values around it are left.
#[derive(Debug)]
struct Misfit {
    text: String,
    /// The innermost value.
    span: Option<JsonSpan>,
    pointer: String,
}

impl Misfit {
    fn at(mut self, span: JsonSpan) -> Self {
        self.span.get_or_insert(span);
        self
    }

    fn below(mut self, step: impl fmt::Display) -> Self {
        self.pointer = below("", step) + &self.pointer;
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self { text: text.to_string(), span: None, pointer: String::new() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format!("{} is expected, not {}", wanted(expected), described(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::custom(format!("{} is expected, not one of {length}", wanted(expected)))
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!("{} is expected, not {}", one_of(expected), quoted::shown(found)))
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        let keys = if expected.is_empty() { String::new() } else { format!("; known is {}", one_of(expected)) };
        Self::custom(format!("unknown key {}{keys}", quoted::shown(found)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is there twice"))
    }
}

fn one_of(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// What types and `serde` say that they expect, in the words of JSON.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let number = |most: u64| format!("a whole number from 0 to {most}");
    match &*text {
        "u8" => number(u8::MAX.into()),
        "u16" => number(u16::MAX.into()),
        "u32" => number(u32::MAX.into()),
        "u64" | "usize" => "a whole number, 0 or more,".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a borrowed string" | "string" | "path string" | "variant identifier" | "field identifier" => {
            "a string".to_owned()
        }
        "unit" => "null".to_owned(),
        "a map" | "map" => "an object".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        text => {
            let is_object =
                ["struct ", "internally tagged ", "adjacently tagged "].iter().any(|it| text.starts_with(it));
            match text.strip_prefix("a tuple of size ").or_else(|| text.strip_prefix("an array of length ")) {
                Some(length) => format!("a list of {length} values"),
                None if is_object => "an object".to_owned(),
                None => text.to_owned(),
            }
        }
    }
}

fn described(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the string {}", quoted::shown(text)),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        other => other.to_string(),
    }
}

fn unexpected(node: &JsonNode) -> Unexpected<'_> {
    match &node.kind {
        JsonKind::Null => Unexpected::Unit,
        JsonKind::Bool(flag) => Unexpected::Bool(*flag),
        JsonKind::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Unexpected::Unsigned(number),
            (None, Some(number)) => Unexpected::Signed(number),
            _ => Unexpected::Float(number.as_f64().unwrap_or_default()),
        },
        JsonKind::String(text) => Unexpected::Str(text),
        JsonKind::Array(_) => Unexpected::Seq,
        JsonKind::Object(_) => Unexpected::Map,
    }
}

/// A value; where the type says what kind it must be, nothing else is taken for it.
#[derive(Clone, Copy)]
struct Typed<'de>(&'de JsonNode);

impl<'de> Deserializer<'de> for Typed<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let value = match &self.0.kind {
            // The values of a list, in the order of the fields and perhaps behind a tag, would be taken for an object, too.
            JsonKind::Array(_) if wanted(&visitor) == "an object" => {
                Err(de::Error::invalid_type(Unexpected::Seq, &visitor))
            }
            JsonKind::Array(items) => {
                let mut rest = Items(items.iter().enumerate());
                let value = visitor.visit_seq(&mut rest);
                match rest.0.len() {
                    0 => value,
                    left => value.and_then(|_| {
                        let (all, wanted) = (items.len(), items.len() - left);
                        Err(de::Error::invalid_length(all, &&*format!("a list of {wanted} values")))
                    }),
                }
            }
            JsonKind::Object(members) => visitor.visit_map(Members { rest: members.iter(), current: None }),
            JsonKind::String(text) => visitor.visit_borrowed_str(text),
            _ => match unexpected(self.0) {
                Unexpected::Bool(flag) => visitor.visit_bool(flag),
                Unexpected::Unsigned(number) => visitor.visit_u64(number),
                Unexpected::Signed(number) => visitor.visit_i64(number),
                Unexpected::Float(number) => visitor.visit_f64(number),
                _ => visitor.visit_unit(),
            },
        };
        value.map_err(|misfit: Misfit| misfit.at(self.0.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if matches!(self.0.kind, JsonKind::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self).map_err(|misfit: Misfit| misfit.at(self.0.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let value = match &self.0.kind {
            JsonKind::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            JsonKind::Object(members) if members.len() == 1 => {
                let members = Members { rest: members.iter(), current: None };
                visitor.visit_enum(value::MapAccessDeserializer::new(members))
            }
            _ => Err(de::Error::invalid_type(unexpected(self.0), &&*one_of(variants))),
        };
        value.map_err(|misfit: Misfit| misfit.at(self.0.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct struct map identifier ignored_any
    }
}

struct Items<'de>(std::iter::Enumerate<std::slice::Iter<'de, JsonNode>>);

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some((index, node)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Typed(node)).map(Some).map_err(|misfit| misfit.at(node.span).below(index))
    }
}

struct Members<'de> {
    rest: std::slice::Iter<'de, JsonMember>,
    current: Option<&'de JsonMember>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        self.current = self.rest.next();
        let Some(member) = self.current else { return Ok(None) };
        let key: value::StrDeserializer<'de, Misfit> = member.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|misfit| misfit.at(member.key_span).below(short(&member.key)))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let Some(member) = self.current else { return Err(de::Error::custom("a value is asked for before its key")) };
        let value = seed.deserialize(Typed(&member.value));
        value.map_err(|misfit| misfit.at(member.value.span).below(short(&member.key)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::{Digest, PlatformKey};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only refusals are looked at")]
    struct Sample {
        format: u32,
        size: Option<u64>,
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        names: Vec<String>,
        #[serde(default)]
        pair: Option<(u8, u8)>,
        #[serde(default)]
        digest: Option<Digest>,
        #[serde(default)]
        platforms: BTreeMap<PlatformKey, Source>,
        #[serde(default)]
        how: Option<How>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    #[expect(dead_code, reason = "only refusals are looked at")]
    enum Source {
        Wheel { size: u64 },
        Git { commit: String },
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum How {
        Fast,
        Slow,
    }

    #[test]
    fn what_does_not_fit_is_said_in_words_with_its_place() {
        let cases = [
            ("[]", "line 1, column 1: an object is expected, not a list"),
            ("\"x\"", "line 1, column 1: an object is expected, not the string `x`"),
            ("null", "line 1, column 1: an object is expected, not null"),
            ("{}", "line 1, column 1: `format` is missing"),
            (
                r#"{"format": "1"}"#,
                "line 1, column 12, /format: a whole number from 0 to 4294967295 is expected, not the string `1`",
            ),
            (
                r#"{"format": -1}"#,
                "line 1, column 12, /format: a whole number from 0 to 4294967295 is expected, not the number -1",
            ),
            (
                r#"{"format": 1.5}"#,
                "line 1, column 12, /format: a whole number from 0 to 4294967295 is expected, not the number 1.5",
            ),
            (
                r#"{"format": 4294967296}"#,
                "line 1, column 12, /format: a whole number from 0 to 4294967295 is expected, not the number 4294967296",
            ),
            (
                r#"{"format": 1, "size": {}}"#,
                "line 1, column 23, /size: a whole number, 0 or more, is expected, not an object",
            ),
            (
                r#"{"format": 1, "strict": "no"}"#,
                "line 1, column 25, /strict: `true` or `false` is expected, not the string `no`",
            ),
            (
                "{\"format\": 1,\n \"names\": \"numpy\"}",
                "line 2, column 11, /names: a list is expected, not the string `numpy`",
            ),
            (
                "{\"format\": 1,\n \"names\": [\"é\", null]}",
                "line 2, column 17, /names/1: a string is expected, not null",
            ),
            (
                r#"{"format": 1, "pair": [1, 2, 3]}"#,
                "line 1, column 23, /pair: a list of 2 values is expected, not one of 3",
            ),
            (r#"{"format": 1, "pair": [1]}"#, "line 1, column 23, /pair: a list of 2 values is expected, not one of 1"),
            (r#"{"format": 1, "platforms": []}"#, "line 1, column 28, /platforms: an object is expected, not a list"),
            (r#"{"format": 1, "how": true}"#, "line 1, column 22, /how: `fast` or `slow` is expected, not `true`"),
            (r#"{"format": 1, "how": "a/b"}"#, "line 1, column 22, /how: `fast` or `slow` is expected, not `a/b`"),
            (
                r#"{"format": 1, "platforms": {"linux-x64": []}}"#,
                "line 1, column 42, /platforms/linux-x64: an object is expected, not a list",
            ),
            (
                r#"{"format": 1, "platforms": {"linux-x64": {"kind": "egg"}}}"#,
                "line 1, column 51, /platforms/linux-x64/kind: `wheel` or `git` is expected, not `egg`",
            ),
            (
                r#"{"format": 1, "platforms": {"linux-x64": {"kind": "wheel", "size": []}}}"#,
                "line 1, column 42, /platforms/linux-x64: a whole number, 0 or more, is expected, not a list",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(read::<Sample>(text.as_bytes()).unwrap_err().to_string(), message, "for {text}");
        }
    }

    #[test]
    fn a_key_is_named_where_it_stands() {
        let text = "{\"format\": 1,\n  \"formal\": 2}";
        let error = read::<Sample>(text.as_bytes()).unwrap_err();
        assert_eq!((error.place.line, error.place.column, &*error.place.pointer), (2, 3, "/formal"));
        assert!(error.text.starts_with("unknown key `formal`; known is `format`, `size`, "), "{}", error.text);
        let error = read::<Sample>(br#"{"format": 1, "platforms": {"linux/~": {}}}"#).unwrap_err();
        assert!(error.to_string().starts_with("line 1, column 29, /platforms/linux~1~0: "), "{error}");
        let error = read::<Sample>(br#"{"format": 1, "format": 1}"#).unwrap_err();
        assert_eq!(error.to_string(), "line 1, column 15, /format: duplicate key; the first is in line 1, column 2");
    }

    #[test]
    fn what_serde_takes_silently_is_refused_with_both_places() {
        let cases = [
            // The values of a struct, in the order of its fields.
            ("[1, 7, true, [], null, null, {}, null]", "line 1, column 1: an object is expected, not a list"),
            (
                r#"{"format": 1, "platforms": {"linux-x64": ["wheel", 7]}}"#,
                "line 1, column 42, /platforms/linux-x64: an object is expected, not a list",
            ),
            // Of two values the last.
            (
                "{\"format\": 1,\n \"platforms\": {\"linux-x64\": {\"kind\": \"wheel\", \"size\": 1},\n  \"linux-x64\": {\"kind\": \"wheel\", \"size\": 2}}}",
                "line 3, column 3, /platforms/linux-x64: duplicate key; the first is in line 2, column 16",
            ),
            (
                r#"{"format": 1, "a": {"b": 1, "b": 2}}"#,
                "line 1, column 29, /a/b: duplicate key; the first is in line 1, column 21",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(read::<Sample>(text.as_bytes()).unwrap_err().to_string(), message, "for {text}");
        }
        // Of a record of our own only the type counts.
        assert!(read_record::<How>(b"\"fast\"").is_ok());
        let error = read_record::<Sample>(b"{}").unwrap_err();
        assert_eq!(error.to_string(), "line 1, column 1: `format` is missing");
    }

    #[test]
    fn text_that_is_not_json_says_where_it_breaks() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "line 1, column 1: the file is empty"),
            (b"{\"format\": 1,}", "line 1, column 14: not JSON: trailing comma"),
            (b"{\"format\": 1", "line 1, column 12: not JSON: EOF while parsing an object"),
            (b"{\n // x\n}", "line 2, column 2: not JSON: comments are not allowed"),
            (b"{\n\"a\xff\"}", "line 2, column 3: the text is not UTF-8 from here on"),
            (b"\xef\xbb\xbf{\"format\": 1}", "line 1, column 1: a byte order mark is not part of JSON"),
        ];
        for (text, message) in cases {
            assert_eq!(read::<Sample>(text).unwrap_err().to_string(), message, "for {text:?}");
        }
    }

    #[test]
    fn control_characters_of_the_text_do_not_reach_the_message() {
        let error = read::<Sample>("{\"format\": \"\\u001b[2J\", \"\\u202e\": 1}".as_bytes()).unwrap_err();
        assert!(error.to_string().ends_with("not the string `\\u{1b}[2J`"), "{error}");
        let error = read::<Sample>("{\"format\": 1, \"\\u202e\": 1}".as_bytes()).unwrap_err();
        assert!(error.to_string().contains(", /\\u{202e}: unknown key `\\u{202e}`"), "{error}");
    }

    /// Both ways of reading agree on what fits.
    #[test]
    fn what_fits_is_read() {
        let text = r#"{"format": 1, "size": 7, "strict": true, "names": ["a"], "pair": [1, 2], "how": "slow",
            "platforms": {"linux-x64": {"kind": "wheel", "size": 7}, "windows-x64": {"kind": "git", "commit": "x"}}}"#;
        assert!(read::<Sample>(text.as_bytes()).is_ok());
        let (document, _) = JsonDocument::parse(&SourceFile::new("", text));
        let read = Sample::deserialize(Typed(&document.unwrap().root)).unwrap();
        assert!(matches!(read.how, Some(How::Slow)) && read.platforms.len() == 2, "{read:?}");
        assert!(serde_json::from_str::<How>("\"fast\"").is_ok_and(|how| matches!(how, How::Fast)));
    }
}
