//! From JSON to entries. Order matters (the first glob that fits is taken), so objects are read as lists of pairs, and
//! a duplicate key is a fault.

use std::fmt;

use globset::{Glob, GlobMatcher};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use vocab::DistributionName;

use super::{DistributionEntries, ExpectedFailure, WhitelistErrorKind, WhitelistPattern};

/// The entries of one platform's file.
pub(super) fn parse(text: &str) -> Result<Vec<DistributionEntries>, WhitelistErrorKind> {
    let mut faults = Vec::new();
    let entries = distributions(node_of(text)?, "", &mut faults);
    if faults.is_empty() { Ok(entries) } else { Err(WhitelistErrorKind::Shape(faults)) }
}

/// The entries of a file that has them by glob of platform keys.
pub(super) fn parse_by_platform(
    text: &str,
) -> Result<Vec<(WhitelistPattern, Vec<DistributionEntries>)>, WhitelistErrorKind> {
    let mut faults = Vec::new();
    let mut platforms = Vec::new();
    for (key, node) in pairs(node_of(text)?, "", "an object of platforms", &mut faults) {
        let pointer = format!("/{}", escape(&key));
        if let Some(pattern) = read_pattern(key, &pointer, &mut faults) {
            platforms.push((pattern, distributions(node, &pointer, &mut faults)));
        }
    }
    if faults.is_empty() { Ok(platforms) } else { Err(WhitelistErrorKind::Shape(faults)) }
}

fn node_of(text: &str) -> Result<WhitelistNode, WhitelistErrorKind> {
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(WhitelistErrorKind::Json)
}

fn distributions(node: WhitelistNode, pointer: &str, faults: &mut Vec<ShapeFault>) -> Vec<DistributionEntries> {
    let mut distributions = Vec::new();
    for (key, node) in pairs(node, pointer, "an object of distributions", faults) {
        let pointer = format!("{pointer}/{}", escape(&key));
        let pattern = read_pattern(key, &pointer, faults);
        let mut modules = Vec::new();
        for (key, node) in pairs(node, &pointer, "an object of modules", faults) {
            let pointer = format!("{pointer}/{}", escape(&key));
            if let Some(expected) = read_expected(node, &pointer, faults) {
                // The brackets of a file name need not be a glob.
                let glob = Glob::new(&key).ok().map(|glob| glob.compile_matcher());
                modules.push((WhitelistPattern { text: key, glob }, expected));
            }
        }
        if let Some(file) = pattern {
            distributions.push(DistributionEntries { name: name_glob(&file.text), file, modules });
        }
    }
    distributions
}

/// `None` and a fault if it is not a valid glob.
fn read_pattern(text: String, pointer: &str, faults: &mut Vec<ShapeFault>) -> Option<WhitelistPattern> {
    match Glob::new(&text) {
        Ok(glob) => Some(WhitelistPattern { text, glob: Some(glob.compile_matcher()) }),
        Err(error) => {
            let text = format!("it is not a valid glob: {}", error.kind());
            faults.push(ShapeFault { pointer: pointer.to_owned(), text });
            None
        }
    }
}

/// The same pattern for normalised names: `cupy_cuda*` is `cupy-cuda*`. `None` for what can be a file name alone.
fn name_glob(pattern: &str) -> Option<GlobMatcher> {
    // What a glob has besides a name's characters stays where it is.
    let plain: String = pattern.chars().map(|c| if "*?[]{},!".contains(c) { 'x' } else { c }).collect();
    plain.parse::<DistributionName>().ok()?;
    let normalised = pattern.to_lowercase().replace(['_', '.'], "-");
    Some(Glob::new(&normalised).ok()?.compile_matcher())
}

fn read_expected(node: WhitelistNode, pointer: &str, faults: &mut Vec<ShapeFault>) -> Option<ExpectedFailure> {
    if let WhitelistNode::Text(error) = node {
        return Some(ExpectedFailure { errors: vec![error], ..ExpectedFailure::default() });
    }
    let before = faults.len();
    // An object without `error` fits every error.
    let mut expected = ExpectedFailure { errors: vec![String::new()], ..ExpectedFailure::default() };
    for (key, node) in pairs(node, pointer, "an error text, or an object with `error`", faults) {
        let pointer = format!("{pointer}/{}", escape(&key));
        let mut fault = |text: String| faults.push(ShapeFault { pointer: pointer.clone(), text });
        match (key.as_str(), node) {
            ("error", WhitelistNode::Text(text)) => expected.errors = vec![text],
            ("error", WhitelistNode::List(nodes)) if !nodes.is_empty() => {
                expected.errors.clear();
                for (index, node) in nodes.into_iter().enumerate() {
                    match node {
                        WhitelistNode::Text(text) => expected.errors.push(text),
                        node => faults.push(ShapeFault {
                            pointer: format!("{pointer}/{index}"),
                            text: format!("a text is expected, not {node}"),
                        }),
                    }
                }
            }
            ("reason", WhitelistNode::Text(text)) if !text.trim().is_empty() => expected.reason = Some(text),
            ("expires", WhitelistNode::Text(text)) => match text.parse() {
                Ok(date) => expected.expires = Some(date),
                Err(_) => fault(format!("`{text}` is not a date; write YYYY-MM-DD")),
            },
            ("emulated", WhitelistNode::Bool(emulated)) => expected.emulated = emulated,
            ("emulated", node) => fault(format!("true or false is expected, not {node}")),
            ("error" | "reason" | "expires", node) => fault(format!("a text is expected, not {node}")),
            _ => fault("the keys are `error`, `reason`, `expires` and `emulated`".to_owned()),
        }
    }
    (faults.len() == before).then_some(expected)
}

fn pairs(
    node: WhitelistNode,
    pointer: &str,
    wanted: &str,
    faults: &mut Vec<ShapeFault>,
) -> Vec<(String, WhitelistNode)> {
    match node {
        WhitelistNode::Object(pairs) => pairs,
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
enum WhitelistNode {
    Object(Vec<(String, WhitelistNode)>),
    Text(String),
    Bool(bool),
    List(Vec<WhitelistNode>),
    /// With its name, for messages.
    Other(&'static str),
}

impl fmt::Display for WhitelistNode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Object(_) => "an object",
            Self::Text(text) if text.trim().is_empty() => "an empty text",
            Self::Text(_) => "a text",
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list",
            Self::Other(name) => name,
        })
    }
}

impl<'de> Deserialize<'de> for WhitelistNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = WhitelistNode;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WhitelistNode, A::Error> {
        let mut pairs: Vec<(String, WhitelistNode)> = Vec::new();
        while let Some((key, node)) = map.next_entry::<String, WhitelistNode>()? {
            if pairs.iter().any(|(other, _)| *other == key) {
                return Err(serde::de::Error::custom(format!("the key `{key}` is written twice")));
            }
            pairs.push((key, node));
        }
        Ok(WhitelistNode::Object(pairs))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<WhitelistNode, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element()? {
            nodes.push(node);
        }
        Ok(WhitelistNode::List(nodes))
    }

    fn visit_str<E>(self, text: &str) -> Result<WhitelistNode, E> {
        Ok(WhitelistNode::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<WhitelistNode, E> {
        Ok(WhitelistNode::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<WhitelistNode, E> {
        Ok(WhitelistNode::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<WhitelistNode, E> {
        Ok(WhitelistNode::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<WhitelistNode, E> {
        Ok(WhitelistNode::Other("a number"))
    }

    fn visit_unit<E>(self) -> Result<WhitelistNode, E> {
        Ok(WhitelistNode::Other("null"))
    }
}

/// One place with another shape than expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", if pointer.is_empty() { "the whole file" } else { pointer.as_str() })]
pub struct ShapeFault {
    /// A JSON pointer.
    pub pointer: String,
    pub text: String,
}
