//! YAML as Klio's loader reads it: version 1.1, safe types only. Gives each value its line, refuses keys that are given
//! twice, and bounds what a document may become.
//!
//! granit-parser reads the syntax; which words are booleans and numbers in YAML 1.1 is decided in `scalar`.

pub(crate) mod scalar;

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, Span};

/// In bytes.
const LARGEST: usize = 16 << 20;
/// Values, those of aliases and of anchors counted each time: an anchor keeps a copy.
const MOST_NODES: usize = 200_000;
const DEEPEST: usize = 100;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Counted from 1.
    pub(crate) column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeKind {
    Scalar {
        text: String,
        /// Written without quotes, so that its text decides its type.
        plain: bool,
        /// `str`, `int` and so on, if it has a tag.
        tag: Option<String>,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum YamlFault {
    Syntax { line: usize, column: usize, reason: String },
    Twice { line: usize, first: usize, key: String },
}

/// The one document of a file; `None` if the file is empty.
pub(crate) fn parse(text: &str) -> Result<Option<Node>, Vec<YamlFault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > LARGEST {
        return Err(vec![fault(1, 1, format!("it has more than {} MiB", LARGEST >> 20))]);
    }
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let taken = match event {
            Ok((event, span)) => reader.take(event, span),
            Err(error) => {
                let place = error.marker();
                Err(fault(place.line(), place.col() + 1, error.info()))
            }
        };
        if let Err(error) = taken {
            reader.faults.push(error);
            break;
        }
    }
    if reader.faults.is_empty() { Ok(reader.document) } else { Err(reader.faults) }
}

fn fault(line: usize, column: usize, reason: impl Into<String>) -> YamlFault {
    YamlFault::Syntax { line, column, reason: reason.into() }
}

/// A list or mapping whose end has not come.
struct Open {
    node: Node,
    anchor: usize,
    /// A mapping's key that waits for its value.
    key: Option<Node>,
    /// Keys with their lines.
    keys: HashMap<String, usize>,
    /// Values in it, itself included.
    count: usize,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    /// With the number of their values.
    anchors: HashMap<usize, (Node, usize)>,
    count: usize,
    document: Option<Node>,
    documents: usize,
    faults: Vec<YamlFault>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlFault> {
        let (line, column) = (span.start.line(), span.start.col() + 1);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(fault(line, column, "a second document begins here; one is expected"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| core_tag(&tag, line, column)).transpose()?;
                let kind = NodeKind::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                    tag: tag.flatten(),
                };
                self.counted(1, line, column)?;
                self.finished(Node { kind, line, column }, anchor, 1)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                tag.map(|tag| core_tag(&tag, line, column)).transpose()?;
                self.opened(NodeKind::List(Vec::new()), anchor, line, column)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                tag.map(|tag| core_tag(&tag, line, column)).transpose()?;
                self.opened(NodeKind::Map(Vec::new()), anchor, line, column)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let node = match open.node.kind {
                        NodeKind::Map(entries) => Node { kind: NodeKind::Map(merged(entries)?), ..open.node },
                        _ => open.node,
                    };
                    self.finished(node, open.anchor, open.count)?;
                }
            }
            Event::Alias(id) => {
                let Some((node, count)) = self.anchors.get(&id).cloned() else {
                    return Err(fault(line, column, "an alias stands in the value that it names"));
                };
                self.counted(count, line, column)?;
                if self.open.len() + depth(&node) > DEEPEST {
                    return Err(fault(line, column, format!("it has more than {DEEPEST} levels")));
                }
                self.finished(node, 0, count)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn counted(&mut self, count: usize, line: usize, column: usize) -> Result<(), YamlFault> {
        self.count += count;
        if self.count > MOST_NODES {
            return Err(fault(line, column, format!("it has more than {MOST_NODES} values")));
        }
        Ok(())
    }

    fn opened(&mut self, kind: NodeKind, anchor: usize, line: usize, column: usize) -> Result<(), YamlFault> {
        self.counted(1, line, column)?;
        if self.open.len() >= DEEPEST {
            return Err(fault(line, column, format!("it has more than {DEEPEST} levels")));
        }
        let node = Node { kind, line, column };
        self.open.push(Open { node, anchor, key: None, keys: HashMap::new(), count: 1 });
        Ok(())
    }

    fn finished(&mut self, node: Node, anchor: usize, count: usize) -> Result<(), YamlFault> {
        if anchor > 0 {
            self.counted(count, node.line, node.column)?;
            self.anchors.insert(anchor, (node.clone(), count));
        }
        let Some(open) = self.open.last_mut() else {
            self.document = Some(node);
            return Ok(());
        };
        open.count += count;
        match &mut open.node.kind {
            NodeKind::List(items) => items.push(node),
            NodeKind::Map(entries) => match open.key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let NodeKind::Scalar { text, .. } = &node.kind else {
                        return Err(fault(node.line, node.column, "a key must be a scalar"));
                    };
                    if let Some(first) = open.keys.insert(text.clone(), node.line).filter(|_| text != "<<") {
                        self.faults.push(YamlFault::Twice { line: node.line, first, key: text.clone() });
                    }
                    open.key = Some(node);
                }
            },
            NodeKind::Scalar { .. } => unreachable!("only lists and mappings are opened"),
        }
        Ok(())
    }
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        NodeKind::Scalar { .. } => 0,
        NodeKind::List(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        NodeKind::Map(entries) => 1 + entries.iter().map(|(_, value)| depth(value)).max().unwrap_or_default(),
    }
}

/// The name of a type of YAML's own; what a safe loader cannot make is an error.
fn core_tag(tag: &granit_parser::Tag, line: usize, column: usize) -> Result<Option<String>, YamlFault> {
    const SAFE: [&str; 10] = ["str", "int", "float", "bool", "null", "map", "seq", "timestamp", "set", "omap"];
    match tag.core_suffix() {
        Some(name) if SAFE.contains(&name) => Ok(Some(name.to_owned())),
        _ if tag.original() == "!" => Ok(Some("str".to_owned())),
        _ => Err(fault(line, column, format!("the tag `{}` is not of a plain type", tag.original()))),
    }
}

/// Takes the entries that `<<` names into the mapping; its own win.
fn merged(entries: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>, YamlFault> {
    let is_merge = |key: &Node| matches!(&key.kind, NodeKind::Scalar { text, plain: true, tag: None } if text == "<<");
    if !entries.iter().any(|(key, _)| is_merge(key)) {
        return Ok(entries);
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| is_merge(key));
    let text_of = |key: &Node| match &key.kind {
        NodeKind::Scalar { text, .. } => text.clone(),
        _ => String::new(),
    };
    let mut known: HashSet<String> = own.iter().map(|(key, _)| text_of(key)).collect();
    for (key, value) in merges {
        let sources = match value.kind {
            NodeKind::Map(entries) => vec![entries],
            NodeKind::List(items) => {
                let maps = items.into_iter().map(|item| match item.kind {
                    NodeKind::Map(entries) => Ok(entries),
                    _ => Err(fault(item.line, item.column, "`<<` takes mappings")),
                });
                maps.collect::<Result<_, _>>()?
            }
            NodeKind::Scalar { .. } => return Err(fault(key.line, key.column, "`<<` takes mappings")),
        };
        for (key, value) in sources.into_iter().flatten() {
            if known.insert(text_of(&key)) {
                own.push((key, value));
            }
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> (usize, usize, String) {
        match parse(text).unwrap_err().remove(0) {
            YamlFault::Syntax { line, column, reason } => (line, column, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn klio_22_syntax_errors_have_a_line_and_a_column() {
        let (line, _, reason_) = reason("job_name: x\njob_config: {a: [1\n");
        assert!(line >= 2, "{line}: {reason_}");
        assert_eq!(reason("a:\n\tb: 1\n").0, 2);
        assert_eq!(reason("a: 1\n---\nb: 2\n").0, 2);
        assert_eq!(reason("a: !!python/object:os.system x\n").0, 1);
    }

    #[test]
    fn klio_25_keys_given_twice_are_named_with_both_lines() {
        let faults = parse("a: 1\nb: 2\na: 3\nc:\n  d: 1\n  d: 2\n").unwrap_err();
        let twice = |line, first, key: &str| YamlFault::Twice { line, first, key: key.to_owned() };
        assert_eq!(faults, [twice(3, 1, "a"), twice(6, 5, "d")]);
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(reason(&bomb).2.contains("values"));
        // The parser itself has a limit, too.
        let nested = reason(&"[".repeat(100_000)).2;
        assert!(nested.contains("levels") || nested.contains("depth") || nested.contains("limit"), "{nested}");
        let mut deep = "a0: &a0 [x]\n".to_owned();
        for level in 1..500 {
            deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert!(reason(&deep).2.contains("levels"));
        assert!(!reason("a: &a [*a]\n").2.is_empty());
        // Each anchor keeps a copy of what it names.
        let anchored: String = (0..99).map(|level| format!("&a{level} [")).collect();
        let anchored = format!("{anchored}{}{}", "x, ".repeat(150_000), "]".repeat(99));
        assert!(reason(&anchored).2.contains("values"));
    }

    #[test]
    fn large_merges_take_no_longer_than_their_size() {
        let keys = |name: &str| (0..15_000).map(|key| format!("  {name}{key}: 1\n")).collect::<String>();
        let text = format!("a: &a\n{}b:\n  <<: *a\n{}", keys("x"), keys("y"));
        assert!(parse(&text).is_ok());
    }

    #[test]
    fn aliases_and_merges_are_followed() {
        let node = parse("base: &b {x: 1, y: 2}\nit:\n  <<: *b\n  y: 3\n").unwrap().unwrap();
        let NodeKind::Map(entries) = &node.kind else { panic!() };
        let NodeKind::Map(it) = &entries[1].1.kind else { panic!() };
        let text = |node: &Node| match &node.kind {
            NodeKind::Scalar { text, .. } => text.clone(),
            _ => panic!(),
        };
        let pairs: Vec<_> = it.iter().map(|(key, value)| (text(key), text(value))).collect();
        assert_eq!(pairs, [("y".to_owned(), "3".to_owned()), ("x".to_owned(), "1".to_owned())]);
        assert_eq!(parse("# nothing\n").unwrap(), None);
    }
}
