//! Failures that are known and accepted: `checker/whitelists/<platform>.json`.
//!
//! ```json
//! { "<wheel file name or glob>": { "<module>": "<part of the error text>",
//!                                  "<module>": { "error": "…", "reason": "…", "expires": "2027-01-31",
//!                                                "emulated": true } } }
//! ```
//! An entry with `emulated` holds only where an emulator runs the imports; it says what that emulator lacks.
//!
//! Order matters (the first glob that fits is taken), so the file is read as lists of pairs, and a key that is
//! written twice is a fault.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher};
use jiff::civil::Date;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use vocab::{Exit, Fault, PlatformKey};

/// One platform's file. The default has no entries.
#[derive(Clone, Debug, Default)]
pub struct Whitelist {
    wheels: Vec<WheelEntries>,
}

#[derive(Clone, Debug)]
struct WheelEntries {
    pattern: String,
    glob: GlobMatcher,
    modules: Vec<(String, Expected)>,
}

/// A failure that may happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Part of the error text, in any case of letters. Empty: whatever the error says.
    pub error: String,
    pub reason: Option<String>,
    /// The last day on which the entry counts.
    pub expires: Option<Date>,
    /// Holds only in an emulator.
    pub emulated: bool,
}

/// An entry and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The wheel file name or glob, as written.
    pub wheel: &'a str,
    pub module: &'a str,
    pub expected: &'a Expected,
}

impl Expected {
    pub fn matches(&self, error: &str) -> bool {
        error.to_lowercase().contains(&self.error.to_lowercase())
    }
}

impl WheelEntries {
    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let wheel = self.pattern.as_str();
        self.modules.iter().map(move |(module, expected)| Entry { wheel, module, expected })
    }
}

impl Whitelist {
    /// Of a platform, in the repository.
    pub fn path(repository: &Path, platform: PlatformKey) -> PathBuf {
        repository.join("checker").join("whitelists").join(format!("{platform}.json"))
    }

    /// A file that does not exist is an empty whitelist.
    ///
    /// # Errors
    /// The file cannot be read or has another shape; all faults are told at once.
    pub fn read(path: &Path) -> Result<Self, WhitelistError> {
        let failed = |kind| WhitelistError { path: path.to_owned(), kind };
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(failed(WhitelistErrorKind::Read(error))),
        }
    }

    fn parse(text: &str) -> Result<Self, WhitelistErrorKind> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let node: Node = serde_json::from_str(text).map_err(WhitelistErrorKind::Json)?;
        let mut faults = Vec::new();
        let mut wheels = Vec::new();
        for (pattern, node) in pairs(node, "", "an object of wheels", &mut faults) {
            let pointer = format!("/{}", escape(&pattern));
            let glob = match Glob::new(&pattern) {
                Ok(glob) => glob.compile_matcher(),
                Err(error) => {
                    faults.push(ShapeFault { pointer, text: format!("it is no glob: {}", error.kind()) });
                    continue;
                }
            };
            let mut modules = Vec::new();
            for (module, node) in pairs(node, &pointer, "an object of modules", &mut faults) {
                let pointer = format!("{pointer}/{}", escape(&module));
                if let Some(expected) = read_expected(node, &pointer, &mut faults) {
                    modules.push((module, expected));
                }
            }
            wheels.push(WheelEntries { pattern, glob, modules });
        }
        if faults.is_empty() { Ok(Self { wheels }) } else { Err(WhitelistErrorKind::Shape(faults)) }
    }

    /// The entries for a wheel: those under its exact name, else those under the first glob that fits. Also those
    /// that hold only in an emulator.
    pub fn entries<'a>(&'a self, wheel: &str) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let exact = self.wheels.iter().find(|entries| entries.pattern == wheel);
        let found = exact.or_else(|| self.wheels.iter().find(|entries| entries.glob.is_match(wheel)));
        found.into_iter().flat_map(WheelEntries::entries)
    }

    /// In the order of the file.
    pub fn all(&self) -> impl Iterator<Item = Entry<'_>> {
        self.wheels.iter().flat_map(WheelEntries::entries)
    }

    /// The names and globs that fit none of these wheels, in the order of the file.
    pub fn unused<'a>(&'a self, wheels: &[&str]) -> Vec<&'a str> {
        let fits = |entries: &&WheelEntries| {
            wheels.iter().any(|wheel| entries.pattern == *wheel || entries.glob.is_match(wheel))
        };
        self.wheels.iter().filter(|entries| !fits(entries)).map(|entries| entries.pattern.as_str()).collect()
    }

    /// True when an entry for exactly this module (or file) lets `error` pass, whatever runs it.
    pub fn expects(&self, wheel: &str, module: &str, error: &str) -> bool {
        let mut always = self.entries(wheel).filter(|entry| !entry.expected.emulated);
        always.any(|entry| entry.module == module && entry.expected.matches(error))
    }
}

fn read_expected(node: Node, pointer: &str, faults: &mut Vec<ShapeFault>) -> Option<Expected> {
    if let Node::Text(error) = node {
        return Some(Expected { error, ..Expected::default() });
    }
    let before = faults.len();
    let mut expected = Expected::default();
    for (key, node) in pairs(node, pointer, "an error text, or an object with `error`", faults) {
        let pointer = format!("{pointer}/{}", escape(&key));
        let mut fault = |text: String| faults.push(ShapeFault { pointer: pointer.clone(), text });
        match (key.as_str(), node) {
            ("error", Node::Text(text)) => expected.error = text,
            ("reason", Node::Text(text)) if !text.trim().is_empty() => expected.reason = Some(text),
            ("expires", Node::Text(text)) => match text.parse() {
                Ok(date) => expected.expires = Some(date),
                Err(_) => fault(format!("`{text}` is no date; write YYYY-MM-DD")),
            },
            ("emulated", Node::Bool(emulated)) => expected.emulated = emulated,
            ("emulated", node) => fault(format!("true or false is expected, not {node}")),
            ("error" | "reason" | "expires", node) => fault(format!("a text is expected, not {node}")),
            _ => fault("the keys are `error`, `reason`, `expires` and `emulated`".to_owned()),
        }
    }
    (faults.len() == before).then_some(expected)
}

fn pairs(node: Node, pointer: &str, wanted: &str, faults: &mut Vec<ShapeFault>) -> Vec<(String, Node)> {
    match node {
        Node::Object(pairs) => pairs,
        other => {
            let text = format!("{wanted} is expected, not {other}");
            faults.push(ShapeFault { pointer: pointer.to_owned(), text });
            Vec::new()
        }
    }
}

/// RFC 6901.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// JSON as it is written: pairs in order, none lost.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Object(Vec<(String, Node)>),
    Text(String),
    Bool(bool),
    /// With its name, for messages.
    Other(&'static str),
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Object(_) => "an object",
            Self::Text(text) if text.trim().is_empty() => "an empty text",
            Self::Text(_) => "a text",
            Self::Bool(_) => "true or false",
            Self::Other(name) => name,
        })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs: Vec<(String, Node)> = Vec::new();
        while let Some((key, node)) = map.next_entry::<String, Node>()? {
            if pairs.iter().any(|(other, _)| *other == key) {
                return Err(serde::de::Error::custom(format!("the key `{key}` is written twice")));
            }
            pairs.push((key, node));
        }
        Ok(Node::Object(pairs))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        while sequence.next_element::<Node>()?.is_some() {}
        Ok(Node::Other("a list"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other("a number"))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other("null"))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot use the whitelist `{}`", path.display())]
pub struct WhitelistError {
    pub path: PathBuf,
    #[source]
    pub kind: WhitelistErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum WhitelistErrorKind {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is not valid JSON")]
    Json(#[source] serde_json::Error),
    /// Never empty.
    #[error("{}", lines(_0))]
    Shape(Vec<ShapeFault>),
}

/// One place with another shape than expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", if pointer.is_empty() { "the whole file" } else { pointer.as_str() })]
pub struct ShapeFault {
    /// A JSON pointer.
    pub pointer: String,
    pub text: String,
}

fn lines(faults: &[ShapeFault]) -> String {
    faults.iter().map(ShapeFault::to_string).collect::<Vec<_>>().join("\n")
}

impl Fault for WhitelistError {
    fn code(&self) -> &'static str {
        "E_WHITELIST"
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            "the shape is { \"<wheel file name or glob>\": { \"<module>\": \"<part of the error text>\" } }".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors_for(whitelist: &str, wheel: &str) -> Vec<String> {
        let whitelist = Whitelist::parse(whitelist).unwrap();
        whitelist.entries(wheel).map(|entry| entry.expected.error.clone()).collect()
    }

    #[test]
    fn c2_the_exact_name_wins_then_the_first_glob_in_the_file() {
        let text = r#"{
            "foo-*.whl": {"foo.a": "by the first glob"},
            "foo-1.0-*.whl": {"foo.a": "by the second glob"},
            "foo-1.0-py3-none-any.whl": {"foo.a": "by name"}
        }"#;
        assert_eq!(errors_for(text, "foo-1.0-py3-none-any.whl"), ["by name"]);
        assert_eq!(errors_for(text, "foo-1.0-cp312-cp312-win_amd64.whl"), ["by the first glob"]);
        assert_eq!(errors_for(text, "bar-1.0-py3-none-any.whl"), [""; 0]);
    }

    #[test]
    fn c3_the_text_is_searched_for_in_any_case_and_an_empty_one_fits_everything() {
        let cases = [
            ("cuda DRIVER", "RuntimeError: CUDA driver version is insufficient", true),
            ("", "anything at all", true),
            ("libtbb.so.12", "ImportError: libgomp.so.1: cannot open shared object file", false),
        ];
        for (error, actual, expected) in cases {
            let entry = Expected { error: error.to_owned(), ..Expected::default() };
            assert_eq!(entry.matches(actual), expected, "for {error:?} in {actual:?}");
        }
    }

    #[test]
    fn what_holds_only_in_an_emulator_excuses_nothing_elsewhere() {
        let text = r#"{"a.whl": {"m": {"error": "x", "emulated": true}, "n": {"error": "x", "emulated": false}}}"#;
        let whitelist = Whitelist::parse(text).unwrap();
        assert_eq!(["m", "n"].map(|module| whitelist.expects("a.whl", module, "x")), [false, true]);
    }

    #[test]
    fn c5_every_wrong_shape_is_named_by_its_place() {
        let cases = [
            ("[]", "the whole file: an object of wheels is expected, not a list"),
            (r#"{"a.whl": ["x"]}"#, "/a.whl: an object of modules is expected, not a list"),
            (r#"{"a.whl": {"m": 3}}"#, "/a.whl/m: an error text, or an object with `error` is expected, not a number"),
            (
                r#"{"a/b~.whl": {"m": null}}"#,
                "/a~1b~0.whl/m: an error text, or an object with `error` is expected, not null",
            ),
            (r#"{"a.whl": {"m": {"expires": "soon"}}}"#, "/a.whl/m/expires: `soon` is no date; write YYYY-MM-DD"),
            (r#"{"a.whl": {"m": {"reason": " "}}}"#, "/a.whl/m/reason: a text is expected, not an empty text"),
            (
                r#"{"a.whl": {"m": {"why": "x"}}}"#,
                "/a.whl/m/why: the keys are `error`, `reason`, `expires` and `emulated`",
            ),
            (r#"{"a.whl": {"m": {"emulated": "wine"}}}"#, "/a.whl/m/emulated: true or false is expected, not a text"),
            (
                r#"{"a.whl": {"m": 1, "n": true}}"#,
                "/a.whl/m: an error text, or an object with `error` is expected, not a number\n/a.whl/n: an error text, or an object with `error` is expected, not true or false",
            ),
        ];
        for (text, message) in cases {
            let error = Whitelist::parse(text).unwrap_err();
            assert_eq!(error.to_string(), message, "for {text}");
        }
        for text in ["", "{", r#"{"a": {}, "a": {}}"#] {
            assert!(matches!(Whitelist::parse(text), Err(WhitelistErrorKind::Json(_))), "for {text}");
        }
    }
}
