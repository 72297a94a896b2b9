//! From JSON to entries. Order matters: the first glob that fits is taken.

use globset::{Glob, GlobMatcher};
use vocab::json::{JsonDocument, JsonKind, JsonMember, JsonNode, JsonSpan, below, short};
use vocab::quoted::shown;
use vocab::{DistributionName, SourceFile, TextPlace};

use super::{DistributionEntries, ExpectedFailure, WhitelistPattern};

/// The entries of one platform's file.
pub(super) fn parse(source: &SourceFile) -> Result<Vec<DistributionEntries>, Vec<ShapeFault>> {
    Reader::read(source, |reader, root| reader.distributions(root, ""))
}

/// The entries of a file that has them by glob of platform keys.
pub(super) fn parse_by_platform(
    source: &SourceFile,
) -> Result<Vec<(WhitelistPattern, Vec<DistributionEntries>)>, Vec<ShapeFault>> {
    Reader::read(source, |reader, root| {
        let mut platforms = Vec::new();
        for member in reader.members(root, "", "an object of platforms") {
            let pointer = below("", short(&member.key));
            if let Some(pattern) = reader.pattern(member, &pointer) {
                platforms.push((pattern, reader.distributions(&member.value, &pointer)));
            }
        }
        platforms
    })
}

struct Reader<'a> {
    document: &'a JsonDocument,
    faults: Vec<ShapeFault>,
}

impl Reader<'_> {
    /// All that `take` makes of the document, or every fault.
    fn read<T>(source: &SourceFile, take: impl FnOnce(&mut Reader<'_>, &JsonNode) -> T) -> Result<T, Vec<ShapeFault>> {
        let (document, faults) = JsonDocument::parse(source);
        let faults = faults.into_iter().map(|fault| ShapeFault { place: fault.place, text: fault.kind.to_string() });
        let mut faults: Vec<ShapeFault> = faults.collect();
        if let Some(document) = &document {
            let mut reader = Reader { document, faults };
            let taken = take(&mut reader, &document.root);
            if reader.faults.is_empty() {
                return Ok(taken);
            }
            faults = reader.faults;
        }
        Err(faults)
    }

    fn fault(&mut self, pointer: &str, span: JsonSpan, text: String) {
        self.faults.push(ShapeFault { place: self.document.place(pointer, span), text });
    }

    fn expected(&mut self, node: &JsonNode, pointer: &str, wanted: &str) {
        self.fault(pointer, node.span, format!("{wanted} is expected, not {}", described(node)));
    }

    fn members<'n>(&mut self, node: &'n JsonNode, pointer: &str, wanted: &str) -> &'n [JsonMember] {
        if !matches!(node.kind, JsonKind::Object(_)) {
            self.expected(node, pointer, wanted);
        }
        node.members()
    }

    fn distributions(&mut self, node: &JsonNode, pointer: &str) -> Vec<DistributionEntries> {
        let mut distributions = Vec::new();
        for member in self.members(node, pointer, "an object of distributions") {
            let pointer = below(pointer, short(&member.key));
            let pattern = self.pattern(member, &pointer);
            let mut modules = Vec::new();
            for member in self.members(&member.value, &pointer, "an object of modules") {
                if let Some(expected) = self.entry(&member.value, &below(&pointer, short(&member.key))) {
                    // The brackets of a file name need not be a glob.
                    let glob = Glob::new(&member.key).ok().map(|glob| glob.compile_matcher());
                    modules.push((WhitelistPattern { text: member.key.clone(), glob }, expected));
                }
            }
            if let Some(file) = pattern {
                distributions.push(DistributionEntries { name: name_glob(&file.text), file, modules });
            }
        }
        distributions
    }

    /// `None` and a fault if the key is not a valid glob.
    fn pattern(&mut self, member: &JsonMember, pointer: &str) -> Option<WhitelistPattern> {
        match Glob::new(&member.key) {
            Ok(glob) => Some(WhitelistPattern { text: member.key.clone(), glob: Some(glob.compile_matcher()) }),
            Err(error) => {
                self.fault(pointer, member.key_span, format!("it is not a valid glob: {}", error.kind()));
                None
            }
        }
    }

    fn entry(&mut self, node: &JsonNode, pointer: &str) -> Option<ExpectedFailure> {
        if let Some(error) = node.as_str() {
            return Some(ExpectedFailure { errors: vec![error.to_owned()], ..ExpectedFailure::default() });
        }
        let before = self.faults.len();
        // An object without `error` fits every error.
        let mut expected = ExpectedFailure { errors: vec![String::new()], ..ExpectedFailure::default() };
        for member in self.members(node, pointer, "an error text, or an object with `error`,") {
            let (key, value) = (member.key.as_str(), &member.value);
            let pointer = below(pointer, short(key));
            match (key, &value.kind) {
                ("error", JsonKind::Array(nodes)) if !nodes.is_empty() => {
                    let texts = nodes.iter().enumerate();
                    let texts = texts.filter_map(|(index, node)| self.text(node, &below(&pointer, index)));
                    expected.errors = texts.collect();
                }
                ("error", _) => expected.errors = self.text(value, &pointer).into_iter().collect(),
                ("reason", JsonKind::String(text)) if text.trim().is_empty() => {
                    self.expected(value, &pointer, "a string");
                }
                ("reason", _) => expected.reason = self.text(value, &pointer),
                ("expires", _) => match self.text(value, &pointer).map(|text| (text.parse(), text)) {
                    Some((Ok(date), _)) => expected.expires = Some(date),
                    Some((Err(_), text)) => {
                        let text = format!("{} is not a date; write YYYY-MM-DD", shown(&text));
                        self.fault(&pointer, value.span, text);
                    }
                    None => {}
                },
                ("emulated", JsonKind::Bool(emulated)) => expected.emulated = *emulated,
                ("emulated", _) => self.expected(value, &pointer, "`true` or `false`"),
                _ => {
                    let text = "the keys are `error`, `reason`, `expires` and `emulated`".to_owned();
                    self.fault(&pointer, member.key_span, text);
                }
            }
        }
        (self.faults.len() == before).then_some(expected)
    }

    fn text(&mut self, node: &JsonNode, pointer: &str) -> Option<String> {
        let text = node.as_str().map(str::to_owned);
        if text.is_none() {
            self.expected(node, pointer, "a string");
        }
        text
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

/// A value for messages, an empty text told apart.
fn described(node: &JsonNode) -> String {
    match node.as_str() {
        Some(text) if text.trim().is_empty() => "an empty string".to_owned(),
        _ => node.describe(),
    }
}

/// What is wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {text}")]
pub struct ShapeFault {
    pub place: TextPlace,
    pub text: String,
}
