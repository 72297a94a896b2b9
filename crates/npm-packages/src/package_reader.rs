//! Takes values out of a `package.json` together with their places, and collects what is not as expected.

use vocab::Place;
use vocab::json::{Document, Kind, Member, Node, below};
use vocab::quoted::shown;

use crate::fault::{PackageFault, PackageFaultKind};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    pub value: T,
    pub place: Place,
}

pub(crate) struct Reader<'d> {
    document: &'d Document,
    pub faults: Vec<PackageFault>,
}

/// A value and its JSON pointer.
#[derive(Clone)]
pub(crate) struct At<'d> {
    pub node: &'d Node,
    pub pointer: String,
}

impl<'d> At<'d> {
    /// `None` where the key is absent or `null`.
    pub fn get(&self, key: &str) -> Option<Self> {
        let node = self.node.get(key).filter(|node| !matches!(node.kind, Kind::Null))?;
        Some(Self { node, pointer: below(&self.pointer, key) })
    }

    /// Through objects that may each be absent, or be something else.
    pub fn path(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self.clone(), |at, key| at.get(key))
    }
}

impl<'d> Reader<'d> {
    pub fn new(document: &'d Document) -> Self {
        Self { document, faults: Vec::new() }
    }

    pub fn root(&self) -> At<'d> {
        At { node: &self.document.root, pointer: String::new() }
    }

    pub fn place(&self, at: &At<'_>) -> Place {
        self.document.place(&at.pointer, at.node.span)
    }

    pub fn place_of_key(&self, parent: &At<'_>, member: &Member) -> Place {
        self.document.place(&below(&parent.pointer, &member.key), member.key_span)
    }

    pub fn fault(&mut self, place: Place, text: impl Into<String>, hint: impl Into<String>) {
        self.faults.push(PackageFault::new(PackageFaultKind::File, place, text, hint));
    }

    fn unexpected(&mut self, at: &At<'_>, expected: &str) {
        let text = format!("{expected} is expected, not {}", at.node.describe());
        let place = self.place(at);
        self.faults.push(PackageFault { kind: PackageFaultKind::File, place, text, hint: None });
    }

    /// The text at `key`; something else there is a fault.
    pub fn text(&mut self, parent: &At<'d>, key: &str) -> Option<Placed<String>> {
        let at = parent.get(key)?;
        self.text_at(&at)
    }

    pub fn text_at(&mut self, at: &At<'d>) -> Option<Placed<String>> {
        match at.node.as_str() {
            Some(text) => Some(Placed { value: text.to_owned(), place: self.place(at) }),
            None => {
                self.unexpected(at, "a string");
                None
            }
        }
    }

    /// The text at `key`, which has to be there and not empty; `example` is what could stand there.
    pub fn needed_text(&mut self, parent: &At<'d>, key: &str, example: &str) -> Option<Placed<String>> {
        if parent.get(key).is_none() {
            let place = self.place(parent);
            self.fault(place, format!("`{key}` is missing"), format!("write `\"{key}\": \"{example}\"`"));
            return None;
        }
        let text = self.text(parent, key)?;
        if text.value.trim().is_empty() {
            self.fault(text.place, format!("`{key}` is empty"), format!("write `\"{key}\": \"{example}\"`"));
            return None;
        }
        Some(text)
    }

    /// The same, and it has to be this.
    pub fn constant(&mut self, parent: &At<'d>, key: &str, expected: &str) {
        if let Some(text) = self.needed_text(parent, key, expected)
            && text.value != expected
        {
            let hint = format!("write `\"{key}\": \"{expected}\"`");
            self.fault(text.place, format!("`{key}` is {}, not `{expected}`", shown(&text.value)), hint);
        }
    }

    /// The members of an object; empty, and a fault, where it is something else.
    pub fn members(&mut self, at: &At<'d>) -> &'d [Member] {
        if !matches!(at.node.kind, Kind::Object(_)) {
            self.unexpected(at, "an object");
        }
        at.node.members()
    }

    /// The texts of a list; what is no text is a fault.
    pub fn texts(&mut self, at: &At<'d>) -> Vec<Placed<String>> {
        let Kind::Array(nodes) = &at.node.kind else {
            self.unexpected(at, "a list of strings");
            return Vec::new();
        };
        let items = nodes.iter().enumerate();
        let items = items.map(|(index, node)| At { node, pointer: below(&at.pointer, index) });
        items.filter_map(|item| self.text_at(&item)).collect()
    }
}
