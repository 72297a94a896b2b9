//! Reads values of a `package.json` together with their places, and collects faults.

use vocab::TextPlace;
use vocab::json::{JsonDocument, JsonKind, JsonMember, JsonNode, below};
use vocab::quoted::shown;

use crate::fault::{PackageFault, PackageFaultKind};

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedValue<T> {
    pub value: T,
    pub place: TextPlace,
}

pub(crate) struct PackageReader<'d> {
    document: &'d JsonDocument,
    pub faults: Vec<PackageFault>,
}

/// A value and its JSON pointer.
#[derive(Clone)]
pub(crate) struct JsonCursor<'d> {
    pub node: &'d JsonNode,
    pub pointer: String,
}

impl<'d> JsonCursor<'d> {
    /// `None` if the key is absent or `null`.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let node = self.node.get(key).filter(|node| !matches!(node.kind, JsonKind::Null))?;
        Some(Self { node, pointer: below(&self.pointer, key) })
    }

    /// Through objects, each of which may be absent or something else.
    pub(crate) fn path(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self.clone(), |at, key| at.get(key))
    }
}

impl<'d> PackageReader<'d> {
    /// Reads from the root of `document`; no faults yet.
    pub(crate) fn new(document: &'d JsonDocument) -> Self {
        Self { document, faults: Vec::new() }
    }

    /// The whole document, at the empty pointer.
    pub(crate) fn root(&self) -> JsonCursor<'d> {
        JsonCursor { node: &self.document.root, pointer: String::new() }
    }

    /// The place of a value, for a fault about it.
    pub(crate) fn place(&self, at: &JsonCursor<'_>) -> TextPlace {
        self.document.place(&at.pointer, at.node.span)
    }

    /// The place of a member's key, for a fault about its name.
    pub(crate) fn place_of_key(&self, parent: &JsonCursor<'_>, member: &JsonMember) -> TextPlace {
        self.document.place(&below(&parent.pointer, &member.key), member.key_span)
    }

    /// Records a fault about this file alone. Reading continues.
    pub(crate) fn fault(&mut self, place: TextPlace, text: impl Into<String>, hint: impl Into<String>) {
        self.faults.push(PackageFault::new(PackageFaultKind::File, place, text, hint));
    }

    fn unexpected(&mut self, at: &JsonCursor<'_>, expected: &str) {
        let text = format!("{expected} is expected, not {}", at.node.describe());
        let place = self.place(at);
        self.faults.push(PackageFault { kind: PackageFaultKind::File, place, text, hint: None });
    }

    /// The string at `key`; anything else there is a fault.
    pub(crate) fn text(&mut self, parent: &JsonCursor<'d>, key: &str) -> Option<PlacedValue<String>> {
        let at = parent.get(key)?;
        self.text_at(&at)
    }

    /// The string that this value is; anything else is a fault.
    pub(crate) fn text_at(&mut self, at: &JsonCursor<'d>) -> Option<PlacedValue<String>> {
        match at.node.as_str() {
            Some(text) => Some(PlacedValue { value: text.to_owned(), place: self.place(at) }),
            None => {
                self.unexpected(at, "a string");
                None
            }
        }
    }

    /// The string at `key`, which must be there and not empty; `example` is a possible value for the message.
    pub(crate) fn needed_text(
        &mut self,
        parent: &JsonCursor<'d>,
        key: &str,
        example: &str,
    ) -> Option<PlacedValue<String>> {
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

    /// Like [`needed_text`](Self::needed_text), and it must be `expected`.
    pub(crate) fn constant(&mut self, parent: &JsonCursor<'d>, key: &str, expected: &str) {
        if let Some(text) = self.needed_text(parent, key, expected)
            && text.value != expected
        {
            let hint = format!("write `\"{key}\": \"{expected}\"`");
            self.fault(text.place, format!("`{key}` is {}, not `{expected}`", shown(&text.value)), hint);
        }
    }

    /// The members of an object; anything else is a fault, and has none.
    pub(crate) fn members(&mut self, at: &JsonCursor<'d>) -> &'d [JsonMember] {
        if !matches!(at.node.kind, JsonKind::Object(_)) {
            self.unexpected(at, "an object");
        }
        at.node.members()
    }

    /// The strings of a list; other items are faults.
    pub(crate) fn texts(&mut self, at: &JsonCursor<'d>) -> Vec<PlacedValue<String>> {
        let JsonKind::Array(nodes) = &at.node.kind else {
            self.unexpected(at, "a list of strings");
            return Vec::new();
        };
        let items = nodes.iter().enumerate();
        let items = items.map(|(index, node)| JsonCursor { node, pointer: below(&at.pointer, index) });
        items.filter_map(|item| self.text_at(&item)).collect()
    }
}
