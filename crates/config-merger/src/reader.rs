//! Takes a document apart, value by value, and reports whatever is unexpected together with its place.
//!
//! The known keys are in `read_layer.rs`.

use std::collections::BTreeMap;
use std::str::FromStr;

use vocab::{DistributionName, PlatformKey, PythonVersion, VersionString};

use crate::complaint::Complaint;
use crate::layer::{ByName, ByPlatform, ByVersion};
use crate::patch::PlacedOperation;
use crate::places::ValuePlaces;
use crate::report::FindingReport;
use crate::{FindingCode, TextPlace};
use vocab::json::{JsonDocument, JsonKind, JsonMember, JsonNode, JsonSpan, MAX_KEY, below, short};
use vocab::quoted::shown;

/// Files with more unknown keys than this get no suggestions for the rest.
const MAX_SUGGESTIONS: usize = 100;

/// Where the values come from.
#[derive(Clone, Copy)]
pub(crate) enum ValueOrigin<'a> {
    File(&'a JsonDocument),
    /// A merged configuration to which these operations were applied.
    Merged(&'a [PlacedOperation]),
}

pub(crate) struct ConfigReader<'a> {
    pub version: &'a VersionString,
    pub origin: ValueOrigin<'a>,
    pub report: &'a mut FindingReport,
    pub places: ValuePlaces,
}

/// A value and its JSON pointer.
#[derive(Clone)]
pub(crate) struct ConfigCursor<'n> {
    pub node: &'n JsonNode,
    /// In the spelling of the file.
    pub pointer: String,
}

/// An object whose keys are taken one by one; whatever is left is unknown.
pub(crate) struct ObjectFields<'n> {
    members: &'n [JsonMember],
    pub pointer: String,
    asked: Vec<&'static str>,
}

impl<'n> ObjectFields<'n> {
    /// `None` if the key is absent or `null`. If a key is repeated, the first one counts.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<ConfigCursor<'n>> {
        self.take_even_null(key).filter(|value| !matches!(value.node.kind, JsonKind::Null))
    }

    /// Like [`take`](Self::take), for keys where `null` is a value of its own.
    pub(crate) fn take_even_null(&mut self, key: &'static str) -> Option<ConfigCursor<'n>> {
        self.asked.push(key);
        let member = self.members.iter().find(|member| member.key == key)?;
        Some(ConfigCursor { node: &member.value, pointer: below(&self.pointer, key) })
    }

    /// Whether the key is there and not `null`. Does not count as taking it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.members.iter().any(|member| member.key == key && !matches!(member.value.kind, JsonKind::Null))
    }
}

impl ConfigReader<'_> {
    /// The place in the file; in a merged configuration, of the operation that wrote it.
    pub(crate) fn place(&self, pointer: &str, span: JsonSpan) -> TextPlace {
        match self.origin {
            ValueOrigin::File(document) => document.place(pointer, span),
            ValueOrigin::Merged(operations) => PlacedOperation::responsible(operations, pointer),
        }
    }

    /// Reports an error at a value. The value is then left out, so later steps need not check it again.
    pub(crate) fn fault(
        &mut self,
        at: &ConfigCursor<'_>,
        code: FindingCode,
        text: impl Into<String>,
        hint: Option<String>,
    ) {
        self.fault_at(&at.pointer, at.node.span, code, text.into(), hint);
    }

    /// Reports a [`Complaint`] of the requirement parser at the value that was parsed.
    pub(crate) fn complaint(&mut self, at: &ConfigCursor<'_>, code: FindingCode, complaint: Complaint) {
        self.fault(at, code, complaint.text, complaint.hint);
    }

    /// Reports a warning, unless the value comes from a file, which has been read before.
    pub(crate) fn warning(
        &mut self,
        at: &ConfigCursor<'_>,
        code: FindingCode,
        text: impl Into<String>,
        hint: Option<String>,
    ) {
        // What a file contains was already reported when the file was read.
        if self.is_from_here(at) {
            let place = self.place(&at.pointer, at.node.span);
            self.report.warning(code, place, text, hint);
        }
    }

    fn fault_at(&mut self, pointer: &str, span: JsonSpan, code: FindingCode, text: String, hint: Option<String>) {
        let text = match self.origin {
            ValueOrigin::File(_) => text,
            ValueOrigin::Merged(_) => format!("after this operation, at {}: {text}", shown(pointer)),
        };
        let place = self.place(pointer, span);
        self.report.fault(code, place, text, hint);
    }

    /// Records the place of a value that later steps may complain about. `normalised` is its pointer there.
    pub(crate) fn remember(&mut self, at: &ConfigCursor<'_>, normalised: &str) {
        if self.is_from_here(at) {
            let place = self.place(&at.pointer, at.node.span);
            self.places.set(normalised, place);
        }
    }

    /// Like [`remember`](Self::remember), for an item of a list, which is found by its text.
    pub(crate) fn remember_item(&mut self, at: &ConfigCursor<'_>, list: &str, text: &str) {
        if self.is_from_here(at) {
            let place = self.place(&at.pointer, at.node.span);
            self.places.set_item(list, text, place);
        }
    }

    /// A value that no operation touched keeps its place in the file.
    fn is_from_here(&self, at: &ConfigCursor<'_>) -> bool {
        match self.origin {
            ValueOrigin::File(_) => true,
            ValueOrigin::Merged(operations) => operations.iter().any(|operation| operation.wrote(&at.pointer)),
        }
    }

    fn unexpected(&mut self, at: &ConfigCursor<'_>, expected: &str) {
        self.fault(at, FindingCode::Type, format!("{expected} is expected, not {}", at.node.describe()), None);
    }

    /// The members of an object. Call [`finish`](Self::finish) when all known keys have been taken.
    pub(crate) fn fields<'n>(&mut self, at: &ConfigCursor<'n>) -> Option<ObjectFields<'n>> {
        match &at.node.kind {
            JsonKind::Object(members) => Some(ObjectFields { members, pointer: at.pointer.clone(), asked: Vec::new() }),
            _ => {
                self.unexpected(at, "an object");
                None
            }
        }
    }

    /// Warns about the keys that nothing has taken.
    pub(crate) fn finish(&mut self, fields: &ObjectFields<'_>) {
        for member in fields.members.iter().filter(|member| !fields.asked.contains(&member.key.as_str())) {
            let place = self.place(&below(&fields.pointer, short(&member.key)), member.key_span);
            let suggest = self.report.warnings.len() < MAX_SUGGESTIONS;
            let nearest = (fields.asked.iter().filter(|_| suggest))
                .map(|key| (strsim::damerau_levenshtein(&key.to_lowercase(), &lower_start(&member.key)), *key))
                .min()
                .filter(|(distance, key)| *distance * 3 <= key.len());
            let hint = match nearest {
                Some((_, key)) => format!("did you mean `{key}`?"),
                None => format!("the keys here are {}", fields.asked.join(", ")),
            };
            let text = format!("unknown key {}; it has no effect", shown(&member.key));
            self.report.warning(FindingCode::UnknownKey, place, text, Some(hint));
        }
    }

    /// `expected` completes the message "expected …".
    pub(crate) fn string<'n>(&mut self, at: &ConfigCursor<'n>, expected: &str) -> Option<&'n str> {
        match &at.node.kind {
            JsonKind::String(text) => Some(text),
            _ => {
                self.unexpected(at, expected);
                None
            }
        }
    }

    /// `true` or `false`; anything else is reported.
    pub(crate) fn flag(&mut self, at: &ConfigCursor<'_>) -> Option<bool> {
        match &at.node.kind {
            JsonKind::Bool(flag) => Some(*flag),
            _ => {
                self.unexpected(at, "`true` or `false`");
                None
            }
        }
    }

    /// A whole number, 0 or more.
    pub(crate) fn number(&mut self, at: &ConfigCursor<'_>, expected: &str) -> Option<u64> {
        let number = if let JsonKind::Number(number) = &at.node.kind { number.as_u64() } else { None };
        if number.is_none() {
            self.unexpected(at, expected);
        }
        number
    }

    /// The items that are valid; the others are reported and left out.
    pub(crate) fn list<'n, T>(
        &mut self,
        at: &ConfigCursor<'n>,
        expected: &str,
        mut item: impl FnMut(&mut Self, &ConfigCursor<'n>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let JsonKind::Array(nodes) = &at.node.kind else {
            self.unexpected(at, expected);
            return None;
        };
        let cursors =
            nodes.iter().enumerate().map(|(index, node)| ConfigCursor { node, pointer: below(&at.pointer, index) });
        Some(cursors.filter_map(|cursor| item(self, &cursor)).collect())
    }

    /// An object whose keys are distribution names. `normalised` is its pointer; `value` also receives the pointer of
    /// the entry. `null` is kept: it removes what the shared file says.
    pub(crate) fn by_name<'n, T>(
        &mut self,
        at: &ConfigCursor<'n>,
        normalised: &str,
        mut value: impl FnMut(&mut Self, &ConfigCursor<'n>, &str) -> Option<T>,
    ) -> Option<ByName<Option<T>>> {
        let entries = self.entries(at, normalised, |reader, cursor, pointer| value(reader, cursor, pointer))?;
        Some(ByName(
            entries.into_iter().map(|(name, value): (DistributionName, _)| (name.to_string(), value)).collect(),
        ))
    }

    /// Like [`by_name`](Self::by_name), with platform keys.
    pub(crate) fn by_platform<'n, T>(
        &mut self,
        at: &ConfigCursor<'n>,
        normalised: &str,
        value: impl FnMut(&mut Self, &ConfigCursor<'n>, &str) -> Option<T>,
    ) -> Option<ByPlatform<Option<T>>> {
        self.entries::<PlatformKey, T>(at, normalised, value).map(ByPlatform)
    }

    /// Like [`by_name`](Self::by_name), with Python versions as keys.
    pub(crate) fn by_version<'n, T>(
        &mut self,
        at: &ConfigCursor<'n>,
        normalised: &str,
        value: impl FnMut(&mut Self, &ConfigCursor<'n>, &str) -> Option<T>,
    ) -> Option<ByVersion<Option<T>>> {
        let entries = self.entries::<VersionKey, T>(at, normalised, value)?;
        Some(ByVersion(entries.into_iter().map(|(version, value)| (version.0, value)).collect()))
    }

    fn entries<'n, K: EntryKey, T>(
        &mut self,
        at: &ConfigCursor<'n>,
        normalised: &str,
        mut value: impl FnMut(&mut Self, &ConfigCursor<'n>, &str) -> Option<T>,
    ) -> Option<BTreeMap<K, Option<T>>> {
        let JsonKind::Object(members) = &at.node.kind else {
            self.unexpected(at, K::EXPECTED);
            return None;
        };
        let mut entries = BTreeMap::new();
        let mut spellings: BTreeMap<K, &str> = BTreeMap::new();
        for member in members {
            let cursor = ConfigCursor { node: &member.value, pointer: below(&at.pointer, short(&member.key)) };
            if short(&member.key).len() < member.key.len() {
                let text = format!("{} is longer than {MAX_KEY} characters", shown(&member.key));
                self.fault_at(&cursor.pointer, member.key_span, K::CODE, text, None);
                continue;
            }
            let key: K = match member.key.parse() {
                Ok(key) => key,
                Err(error) => {
                    let (text, hint) = K::refusal(error);
                    self.fault_at(&cursor.pointer, member.key_span, K::CODE, text, hint);
                    // The value is still read, for its own faults.
                    value(self, &cursor, normalised);
                    continue;
                }
            };
            if let Some(first) = spellings.get(&key) {
                // Two equal spellings have already been reported as a repeated key.
                if *first != member.key {
                    let text = format!("{} names the same distribution as {} above", shown(&member.key), shown(first));
                    self.fault_at(&cursor.pointer, member.key_span, FindingCode::Conflict, text, None);
                }
                continue;
            }
            let pointer = below(normalised, key.text());
            self.remember(&cursor, &pointer);
            let entry = match member.value.kind {
                JsonKind::Null => Some(None),
                _ => value(self, &cursor, &pointer).map(Some),
            };
            if let Some(entry) = entry {
                entries.insert(key.clone(), entry);
            }
            spellings.insert(key, &member.key);
        }
        Some(entries)
    }
}

/// A key of an object whose keys are data.
trait EntryKey: FromStr + Ord + Clone {
    const EXPECTED: &str;
    const CODE: FindingCode;
    fn text(&self) -> &str;
    /// Message and hint.
    fn refusal(error: Self::Err) -> (String, Option<String>);
}

impl EntryKey for DistributionName {
    const EXPECTED: &str = "an object by distribution name";
    const CODE: FindingCode = FindingCode::Value;

    fn text(&self) -> &str {
        self.as_str()
    }

    fn refusal(error: Self::Err) -> (String, Option<String>) {
        let hint = "write the name alone, without extras, version or marker";
        (format!("{} is not a distribution name", shown(&error.text)), Some(hint.into()))
    }
}

impl EntryKey for PlatformKey {
    const EXPECTED: &str = "an object by platform key";
    const CODE: FindingCode = FindingCode::Platform;

    fn text(&self) -> &str {
        self.as_str()
    }

    fn refusal(error: Self::Err) -> (String, Option<String>) {
        let keys = Self::ALL.map(Self::as_str).join(", ");
        let hint = format!("did you mean `{}`? The keys are {keys}", error.nearest);
        (format!("{} is not a platform key", shown(&error.text)), Some(hint))
    }
}

/// The text of a [`PythonVersion`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct VersionKey(String);

impl FromStr for VersionKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<PythonVersion>().map(|version| Self(version.to_string())).map_err(|_| text.to_owned())
    }
}

impl EntryKey for VersionKey {
    const EXPECTED: &str = "an object by Python version";
    const CODE: FindingCode = FindingCode::Value;

    fn text(&self) -> &str {
        &self.0
    }

    fn refusal(error: Self::Err) -> (String, Option<String>) {
        let hint = "write three numbers, such as `3.12.10`";
        (format!("{} is not a Python version", shown(&error)), Some(hint.into()))
    }
}

/// A key may be as long as a file; only its beginning can resemble a known one.
fn lower_start(key: &str) -> String {
    key.chars().take(60).collect::<String>().to_lowercase()
}
