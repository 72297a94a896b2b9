//! A descriptor from its bytes: strict about JSON and about what is public, lenient about members that nobody has described.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use vocab::json::{JsonDocument, JsonFaultKind, JsonKind, JsonNode};
use vocab::{Fault, SourceFile, TextPlace};

use crate::descriptor::{Condition, Descriptor, ExtensionDependency, ExtensionHead, Operator, Parameter, Port};
use crate::parameter_limits::{PATTERN, ParameterLimits, Pattern, limits_of};
use crate::vendor_format as vendor;

/// In bytes.
pub(crate) const MAX_DESCRIPTOR: u64 = 4 << 20;
const MAX_OPERATORS: usize = 2000;
const MAX_PARAMETERS: usize = 500;
/// Different ones: each has to be compiled, which takes up to some milliseconds.
const MAX_PATTERNS: usize = 200;
const MAX_DEPTH: usize = 32;
const COMPARISONS: [&str; 8] = ["==", "!=", "<", "<=", ">", ">=", "in", "not_in"];

/// Why a text is not a descriptor, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum DescriptorError {
    #[error("{place}: it is not UTF-8 from here on")]
    #[fault("E_EXT_DESCRIPTOR_TEXT", hint("{BUILD_AGAIN}"))]
    NotUtf8 { place: Box<TextPlace> },
    #[error("{place}: {kind}")]
    #[fault("E_EXT_DESCRIPTOR_SYNTAX", hint("{BUILD_AGAIN}"))]
    Syntax { place: Box<TextPlace>, kind: JsonFaultKind },
    #[error("{place}: {kind}")]
    #[fault("E_EXT_DESCRIPTOR_KEY", hint("{BUILD_AGAIN}"))]
    RepeatedKey { place: Box<TextPlace>, kind: JsonFaultKind },
    #[error("{place}: {text}")]
    #[fault("E_EXT_DESCRIPTOR", hint("{BUILD_AGAIN}"))]
    Content { place: Box<TextPlace>, text: String },
}

const BUILD_AGAIN: &str = "the descriptor is generated: build the extension again, or ask its author to";

/// Reads a descriptor. `name` is for messages.
pub fn read_descriptor(name: &str, bytes: &[u8]) -> Result<Descriptor, DescriptorError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        DescriptorError::NotUtf8 { place: Box::new(TextPlace::at_offset(name, &valid, valid.len())) }
    })?;
    let (document, faults) = JsonDocument::parse(&SourceFile::new(name, text));
    let first = faults.into_iter().next();
    let document = match (document, first) {
        (Some(document), None) => document,
        (Some(_), Some(fault)) => {
            return Err(DescriptorError::RepeatedKey { place: Box::new(fault.place), kind: fault.kind });
        }
        (None, Some(fault)) => return Err(DescriptorError::Syntax { place: Box::new(fault.place), kind: fault.kind }),
        (None, None) => {
            let place = Box::new(TextPlace::of_file(name));
            return Err(DescriptorError::Syntax { place, kind: JsonFaultKind::Empty });
        }
    };
    DescriptorReader { document: &document, patterns: RefCell::default() }.descriptor()
}

/// Whether the text may be a descriptor: JSON with both of its objects.
pub(crate) fn looks_like_descriptor(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let (Some(document), _) = JsonDocument::parse(&SourceFile::new("", text)) else { return false };
    let is_object = |key| document.root.get(key).is_some_and(|node| matches!(node.kind, JsonKind::Object(_)));
    is_object(vendor::EXTENSION) && is_object(vendor::OPERATORS)
}

struct DescriptorReader<'a> {
    document: &'a JsonDocument,
    /// Those that were compiled.
    patterns: RefCell<BTreeMap<String, Pattern>>,
}

type Read<T> = Result<T, DescriptorError>;

impl<'a> DescriptorReader<'a> {
    fn fault<T>(&self, at: &JsonNode, text: impl Into<String>) -> Read<T> {
        let place = Box::new(self.document.place(&self.document.root.pointer_to(at.span), at.span));
        Err(DescriptorError::Content { place, text: text.into() })
    }

    fn descriptor(&self) -> Read<Descriptor> {
        let root = &self.document.root;
        if depth(root) > MAX_DEPTH {
            return self.fault(root, format!("it is nested more than {MAX_DEPTH} levels deep"));
        }
        let head = self.object(root, vendor::EXTENSION)?;
        let operators = self.object(root, vendor::OPERATORS)?;
        let found = operators.members().len();
        if found > MAX_OPERATORS {
            return self.fault(operators, format!("{found} operators; at most {MAX_OPERATORS} are read"));
        }
        let operators: Read<Vec<_>> =
            operators.members().iter().map(|member| self.operator(&member.key, &member.value)).collect();
        let objects = vendor::OBJECTS.iter().find(|key| root.get(key).is_some());
        let known: Vec<&str> = [vendor::EXTENSION, vendor::OPERATORS].into_iter().chain(objects.copied()).collect();
        Ok(Descriptor {
            extension: self.head(head)?,
            operators: operators?,
            objects: objects.and_then(|key| root.get(key)).map(value_of),
            unknown: unknown(root, &known),
        })
    }

    fn head(&self, at: &'a JsonNode) -> Read<ExtensionHead> {
        let namespace = self.text(at, "namespace")?;
        let version = self.text(at, "version")?;
        if !is_namespace(&namespace) {
            let at = at.get("namespace").unwrap_or(at);
            return self.fault(
                at,
                "a namespace has letters, digits, `_`, `-` and `.`, begins with a letter and is not longer than 64",
            );
        }
        if version.parse::<pep440_rs::Version>().is_err() {
            let at = at.get("version").unwrap_or(at);
            return self.fault(
                at,
                format!("`{}` is not a version such as 1.2.0", version.chars().take(60).collect::<String>()),
            );
        }
        let module = self.text(at, "module")?;
        if !is_identifier(&module) {
            let at = at.get("module").unwrap_or(at);
            return self.fault(at, "the module is not a Python identifier");
        }
        let mut dependencies = Vec::new();
        for at in self.list(at, "dependencies")? {
            let min_version = self.optional_text(at, "min_version")?;
            if min_version.as_ref().is_some_and(|text| text.parse::<pep440_rs::Version>().is_err()) {
                return self.fault(at, "`min_version` is not a version such as 1.2.0");
            }
            let (name, module) = (self.text(at, "name")?, self.optional_text(at, "module")?);
            dependencies.push(ExtensionDependency { name, min_version, module });
        }
        let known = [
            "name",
            "namespace",
            "version",
            "module",
            "license",
            "environment",
            "dependencies",
            "sdk_version",
            "min_core_version",
        ];
        Ok(ExtensionHead {
            name: self.text(at, "name")?,
            namespace,
            version,
            module,
            license: self.optional_text(at, "license")?,
            environment: self.optional_text(at, "environment")?,
            dependencies,
            sdk_version: self.optional_text(at, "sdk_version")?,
            min_core_version: self.optional_text(at, "min_core_version")?,
            unknown: unknown(at, &known),
        })
    }

    fn operator(&self, key: &str, at: &'a JsonNode) -> Read<Operator> {
        if !matches!(at.kind, JsonKind::Object(_)) {
            return self.fault(at, format!("an object is expected, not {}", at.describe()));
        }
        let listed = self.list(at, "parameters")?;
        if listed.len() > MAX_PARAMETERS {
            return self.fault(at, format!("{} parameters; at most {MAX_PARAMETERS} are read", listed.len()));
        }
        let parameters = listed.into_iter().map(|at| self.parameter(at)).collect::<Read<Vec<_>>>()?;
        let names: BTreeSet<&str> = parameters.iter().map(|parameter| &*parameter.name).collect();
        if names.len() < parameters.len() {
            return self.fault(at, "two of its parameters have one name");
        }
        self.check_conditions(at, &parameters, &names)?;
        let implementation = self.optional_text(at, "implementation")?.unwrap_or_else(|| key.to_owned());
        if !is_identifier(&implementation) {
            return self.fault(at, "the implementation is not a Python identifier");
        }
        let spelled = |keys: [&'static str; 2]| keys.into_iter().find(|key| at.get(key).is_some());
        let (inputs, outputs) = (spelled(vendor::INPUTS), spelled(vendor::OUTPUTS));
        let known: Vec<&str> = ["name", "implementation", "description", "group", "icon", "parameters"]
            .into_iter()
            .chain(inputs)
            .chain(outputs)
            .collect();
        Ok(Operator {
            key: key.to_owned(),
            name: self.optional_text(at, "name")?.unwrap_or_else(|| title(key)),
            implementation,
            description: self.optional_text(at, "description")?,
            group: self.optional_text(at, "group")?,
            icon: self.optional_text(at, "icon")?,
            inputs: self.ports(at, inputs)?,
            outputs: self.ports(at, outputs)?,
            parameters,
            unknown: unknown(at, &known),
        })
    }

    fn ports(&self, at: &'a JsonNode, key: Option<&str>) -> Read<Vec<Port>> {
        let Some(key) = key else { return Ok(Vec::new()) };
        let port = |at: &'a JsonNode| {
            Ok(Port {
                name: self.text(at, "name")?,
                type_name: self.optional_text(at, "type")?,
                description: self.optional_text(at, "description")?,
                optional: self.flag(at, "optional")?,
            })
        };
        self.list(at, key)?.into_iter().map(port).collect()
    }

    fn parameter(&self, at: &'a JsonNode) -> Read<Parameter> {
        let type_name = self.text(at, "type")?;
        let mut conditions = Vec::new();
        for at in self.list(at, "conditions")? {
            let JsonKind::Array(items) = &at.kind else {
                return self.fault(at, "a condition is a list of comparison, parameter and value");
            };
            let [comparison, parameter, value] = &items[..] else {
                return self.fault(at, "a condition is a list of comparison, parameter and value");
            };
            let (Some(comparison), Some(parameter)) = (comparison.as_str(), parameter.as_str()) else {
                return self.fault(at, "a condition begins with two texts: comparison and parameter");
            };
            if !COMPARISONS.contains(&comparison) {
                return self.fault(at, format!("a comparison is one of {}", COMPARISONS.join(" ")));
            }
            conditions.push(Condition {
                comparison: comparison.to_owned(),
                parameter: parameter.to_owned(),
                value: value_of(value),
            });
        }
        let categories = match at.get("categories").map(|node| &node.kind) {
            None | Some(JsonKind::Null) => None,
            Some(JsonKind::Array(items)) => match items.iter().map(|item| item.as_str().map(str::to_owned)).collect() {
                Some(names) => Some(names),
                None => return self.fault(at, "`categories` is a list of texts or null"),
            },
            Some(_) => return self.fault(at, "`categories` is a list of texts or null"),
        };
        let kind = vendor::parameter_type(&type_name);
        let mut known = vec!["name", "type", "description", "categories", "default", "optional", "conditions"];
        let mut limits = ParameterLimits::default();
        // Those that say nothing about values of its type are kept as they are.
        for member in kind.map(limits_of).unwrap_or_default() {
            let Some(node) = at.get(member) else { continue };
            known.push(member);
            if matches!(node.kind, JsonKind::Null) {
                continue;
            }
            let set = match node.as_str() {
                Some(text) if *member == PATTERN => self.pattern(text).map(|it| limits.pattern = Some(it)),
                _ => limits.set(member, &value_of(node)),
            };
            if let Err(reason) = set {
                return self.fault(node, reason);
            }
        }
        Ok(Parameter {
            name: self.text(at, "name")?,
            kind,
            type_name,
            description: self.optional_text(at, "description")?,
            categories,
            default: at.get("default").map(value_of).filter(|value| !value.is_null()),
            optional: self.flag(at, "optional")?,
            conditions,
            limits,
            unknown: unknown(at, &known),
        })
    }

    /// Equal ones are compiled once.
    fn pattern(&self, text: &str) -> Result<Pattern, String> {
        let mut known = self.patterns.borrow_mut();
        if let Some(pattern) = known.get(text) {
            return Ok(pattern.clone());
        }
        if known.len() == MAX_PATTERNS {
            return Err(format!("more than {MAX_PATTERNS} different patterns; no more are read"));
        }
        let pattern = Pattern::of_text(text)?;
        known.insert(text.to_owned(), pattern.clone());
        Ok(pattern)
    }

    /// Conditions name parameters that exist, and none waits for itself.
    fn check_conditions(&self, at: &JsonNode, parameters: &[Parameter], names: &BTreeSet<&str>) -> Read<()> {
        let mut waits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for parameter in parameters {
            for condition in &parameter.conditions {
                if !names.contains(&*condition.parameter) {
                    let text = format!(
                        "a condition of `{}` names the parameter `{}`, which does not exist",
                        parameter.name, condition.parameter
                    );
                    return self.fault(at, text);
                }
                waits.entry(&parameter.name).or_default().insert(&condition.parameter);
            }
        }
        // Those that wait for nothing are removed until nothing changes; what is left is a cycle or leads into one.
        loop {
            let ready: Vec<&str> = waits
                .iter()
                .filter(|(_, of)| of.iter().all(|name| !waits.contains_key(name)))
                .map(|(name, _)| *name)
                .collect();
            if ready.is_empty() {
                break;
            }
            waits.retain(|name, _| !ready.contains(name));
        }
        match waits.keys().next() {
            None => Ok(()),
            Some(name) => self.fault(at, format!("conditions lead from `{name}` back to itself")),
        }
    }

    fn object(&self, at: &'a JsonNode, key: &str) -> Read<&'a JsonNode> {
        let Some(node) = at.get(key) else { return self.fault(at, format!("`{key}` is missing")) };
        match node.kind {
            JsonKind::Object(_) => Ok(node),
            _ => self.fault(node, format!("an object is expected, not {}", node.describe())),
        }
    }

    /// Absent and null are an empty list.
    fn list(&self, at: &'a JsonNode, key: &str) -> Read<Vec<&'a JsonNode>> {
        let Some(node) = at.get(key) else { return Ok(Vec::new()) };
        match &node.kind {
            JsonKind::Null => Ok(Vec::new()),
            JsonKind::Array(items) => Ok(items.iter().collect()),
            _ => self.fault(node, format!("a list is expected, not {}", node.describe())),
        }
    }

    fn text(&self, at: &'a JsonNode, key: &str) -> Read<String> {
        match self.optional_text(at, key)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => self.fault(at, format!("`{key}` is missing")),
        }
    }

    fn optional_text(&self, at: &'a JsonNode, key: &str) -> Read<Option<String>> {
        match at.get(key) {
            None => Ok(None),
            Some(node) => match &node.kind {
                JsonKind::Null => Ok(None),
                JsonKind::String(text) => Ok(Some(text.clone())),
                _ => self.fault(node, format!("a text is expected, not {}", node.describe())),
            },
        }
    }

    fn flag(&self, at: &'a JsonNode, key: &str) -> Read<bool> {
        match at.get(key).map(|node| (node, &node.kind)) {
            None | Some((_, JsonKind::Null)) => Ok(false),
            Some((_, JsonKind::Bool(flag))) => Ok(*flag),
            Some((node, _)) => self.fault(node, format!("true or false is expected, not {}", node.describe())),
        }
    }
}

/// Fit for names of files and for operator ids.
fn is_namespace(text: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !text.contains("..")
        && !text.ends_with('.')
}

/// Python allows other letters, too.
fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
        && text.len() <= 200
}

/// `load_all` is shown as `Load All`.
fn title(key: &str) -> String {
    let words = key.split('_').filter(|word| !word.is_empty()).map(|word| {
        let mut rest = word.chars();
        rest.next().map(|first| first.to_uppercase().collect::<String>() + rest.as_str()).unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A document has at most 127 levels.
fn depth(node: &JsonNode) -> usize {
    let inner = match &node.kind {
        JsonKind::Array(items) => items.iter().map(depth).max(),
        JsonKind::Object(members) => members.iter().map(|member| depth(&member.value)).max(),
        _ => None,
    };
    inner.map_or(0, |inner| inner + 1)
}

fn value_of(node: &JsonNode) -> Value {
    match &node.kind {
        JsonKind::Null => Value::Null,
        JsonKind::Bool(flag) => Value::Bool(*flag),
        JsonKind::Number(number) => Value::Number(number.clone()),
        JsonKind::String(text) => Value::String(text.clone()),
        JsonKind::Array(items) => Value::Array(items.iter().map(value_of).collect()),
        JsonKind::Object(members) => {
            Value::Object(members.iter().map(|member| (member.key.clone(), value_of(&member.value))).collect())
        }
    }
}

fn unknown(node: &JsonNode, known: &[&str]) -> Map<String, Value> {
    let members = node.members().iter().filter(|member| !known.contains(&&*member.key));
    members.map(|member| (member.key.clone(), value_of(&member.value))).collect()
}
