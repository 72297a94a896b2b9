//! `extension.toml`, from which a zip is built, and the descriptor that follows from it and from the functions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vocab::Fault;

use crate::build_parameters::{ParameterInputError, check_defaults, parameters};
use crate::read_descriptor::{DescriptorError, read_descriptor};
use crate::vendor_format as vendor;

/// What an author writes about an extension.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildInput {
    /// The table `extension`, as it is written.
    pub extension: toml::Table,
    /// Tables of operators by the names of functions.
    pub operators: toml::Table,
    /// Extensions that it needs: tables with `name` and, where they have them, `min_version` and `module`.
    pub dependencies: Vec<toml::Table>,
}

/// A function as Python describes it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct DescribedFunction {
    pub name: String,
    /// Why it cannot be an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub parameters: Vec<Map<String, Value>>,
    #[serde(default)]
    pub inputs: Vec<Map<String, Value>>,
    #[serde(default)]
    pub outputs: Vec<Map<String, Value>>,
}

/// An extension cannot be built from what is there.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum BuildInputError {
    #[error("extension.toml is not valid TOML: {reason}")]
    #[fault("E_EXT_TOML")]
    Toml { reason: String },
    #[error("extension.toml has no text `{key}` below [extension]")]
    #[fault("E_EXT_TOML", hint("name, namespace, version and module are required"))]
    Missing { key: &'static str },
    #[error("extension.toml: `{key}` is not {wanted}")]
    #[fault("E_EXT_TOML")]
    Shape { key: String, wanted: &'static str },
    #[error("extension.toml describes `{function}` below [operator.{function}] and below [operators.{function}]")]
    #[fault("E_EXT_TOML", hint("keep one of them"))]
    Twice { function: String },
    #[error("extension.toml describes `{function}`, which the module does not have; it has {}", known.join(", "))]
    #[fault("E_EXT_TOML", hint("import the function in the module's __init__.py"))]
    NoFunction { function: String, known: Vec<String> },
    #[error("`{function}` cannot be an operator: {reason}")]
    #[fault("E_EXT_FUNCTION", hint("change its signature, or begin its name with `_`"))]
    Function { function: String, reason: String },
    #[error("extension.toml gives `{function}` {given} names for its {wanted} {ports}")]
    #[fault("E_EXT_TOML")]
    Names { function: String, ports: &'static str, given: usize, wanted: usize },
    #[error("the module has no function that could be an operator")]
    #[fault("E_EXT_FUNCTION", hint("import the functions in the module's __init__.py"))]
    NoOperators,
    #[error(transparent)]
    #[fault(transparent)]
    Parameters(#[from] ParameterInputError),
    #[error(transparent)]
    #[fault(transparent)]
    Descriptor(#[from] DescriptorError),
}

impl BuildInput {
    /// Reads `extension.toml`. Both spellings of an operator's table are read, but not for one function.
    pub fn read(text: &str) -> Result<Self, BuildInputError> {
        let document: toml::Table =
            text.parse().map_err(|error: toml::de::Error| BuildInputError::Toml { reason: error.to_string() })?;
        let table =
            |name: &str| document.get(name).map_or_else(|| Ok(toml::Table::new()), |value| table_of(name, value));
        let extension = table("extension")?;
        for key in ["name", "namespace", "version", "module"] {
            if extension.get(key).and_then(toml::Value::as_str).is_none_or(str::is_empty) {
                return Err(BuildInputError::Missing { key });
            }
        }
        let mut operators = table("operator")?;
        for (function, described) in table("operators")? {
            if operators.insert(function.clone(), described).is_some() {
                return Err(BuildInputError::Twice { function });
            }
        }
        for (function, described) in &operators {
            let written = table_of(&format!("operator.{function}"), described)?;
            for ports in [vendor::INPUTS[0], vendor::OUTPUTS[0]] {
                let is_list =
                    |names: &toml::Value| names.as_array().is_some_and(|names| names.iter().all(toml::Value::is_str));
                if !written.get(ports).is_none_or(is_list) {
                    return Err(BuildInputError::Shape {
                        key: format!("operator.{function}.{ports}"),
                        wanted: "a list of texts",
                    });
                }
            }
        }
        const LISTED: &str = "extension.dependencies";
        let mut dependencies = match extension.get("dependencies") {
            None => Vec::new(),
            Some(toml::Value::Array(listed)) => {
                listed.iter().map(|it| table_of(LISTED, it)).collect::<Result<Vec<_>, _>>()?
            }
            Some(_) => {
                return Err(BuildInputError::Shape { key: LISTED.to_owned(), wanted: "a list of tables" });
            }
        };
        for (namespace, more) in table("dependencies")? {
            let mut dependency = table_of(&format!("dependencies.{namespace}"), &more)?;
            dependency.entry("name").or_insert(toml::Value::String(namespace));
            dependencies.push(dependency);
        }
        Ok(Self { extension, operators, dependencies })
    }

    /// A text of `[extension]`; required ones are there.
    pub fn text(&self, key: &str) -> &str {
        self.extension.get(key).and_then(toml::Value::as_str).unwrap_or_default()
    }

    /// The descriptor, as bytes: keys in one order, so that equal input gives equal bytes. It is read back before it is
    /// returned, by the reader that loads extensions.
    pub fn descriptor(&self, functions: &[DescribedFunction]) -> Result<Vec<u8>, BuildInputError> {
        let known = || functions.iter().map(|function| function.name.clone()).collect();
        if let Some(function) = self.operators.keys().find(|name| functions.iter().all(|it| it.name != **name)) {
            return Err(BuildInputError::NoFunction { function: function.clone(), known: known() });
        }
        if functions.is_empty() {
            return Err(BuildInputError::NoOperators);
        }
        let mut operators = Map::new();
        for function in functions {
            operators.insert(function.name.clone(), self.operator(function)?);
        }
        let mut head: Map<String, Value> = self
            .extension
            .iter()
            .filter(|(key, _)| *key != "dependencies")
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        head.insert("dependencies".to_owned(), json!(self.dependencies));
        let descriptor = json!({ vendor::EXTENSION: head, vendor::OPERATORS: operators });
        let mut bytes = serde_json::to_vec_pretty(&descriptor).expect("values of JSON");
        bytes.push(b'\n');
        check_defaults(&read_descriptor(vendor::DESCRIPTOR, &bytes)?)?;
        Ok(bytes)
    }

    fn operator(&self, function: &DescribedFunction) -> Result<Value, BuildInputError> {
        if let Some(reason) = &function.fault {
            return Err(BuildInputError::Function { function: function.name.clone(), reason: reason.clone() });
        }
        let written = self.operators.get(&function.name).and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let mut operator: Map<String, Value> = written
            .iter()
            .filter(|(key, _)| !["inputs", "outputs", "parameters"].contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        operator.entry("name").or_insert_with(|| json!(title(&function.name)));
        operator.insert("implementation".to_owned(), json!(function.name));
        if let Some(description) = &function.description {
            operator.entry("description").or_insert_with(|| json!(description));
        }
        let clean = |entries: &[Map<String, Value>]| -> Vec<Map<String, Value>> {
            // Absent and null say the same, but for a default.
            let is_said = |(key, value): &(String, Value)| !value.is_null() || key == "default";
            entries.iter().map(|entry| entry.clone().into_iter().filter(is_said).collect()).collect()
        };
        operator.insert(
            "parameters".to_owned(),
            json!(clean(&parameters(&function.name, &function.parameters, &written)?)),
        );
        for (key, ports) in [(vendor::INPUTS[0], &function.inputs), (vendor::OUTPUTS[0], &function.outputs)] {
            let mut ports = clean(ports);
            if let Some(names) = written.get(key).and_then(toml::Value::as_array) {
                if names.len() != ports.len() {
                    let (given, wanted) = (names.len(), ports.len());
                    let function = function.name.clone();
                    return Err(BuildInputError::Names { function, ports: key, given, wanted });
                }
                // An input is an argument, whose name Python decides; only what people see changes.
                let member = if key == vendor::INPUTS[0] { "label" } else { "name" };
                for (port, name) in ports.iter_mut().zip(names) {
                    port.insert(member.to_owned(), json!(name));
                }
            }
            operator.insert(key.to_owned(), json!(ports));
        }
        Ok(Value::Object(operator))
    }
}

fn table_of(key: &str, value: &toml::Value) -> Result<toml::Table, BuildInputError> {
    let shape = || BuildInputError::Shape { key: key.to_owned(), wanted: "a table" };
    value.as_table().cloned().ok_or_else(shape)
}

/// `count_words` becomes `Count Words`.
fn title(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    name.split('_').filter(|part| !part.is_empty()).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[extension]\nname = 'E'\nnamespace = 'e'\nversion = '1.0'\nmodule = 'm'\n";

    fn function(name: &str) -> DescribedFunction {
        let port = |name: &str| json!({ "name": name, "type": "x.Y" }).as_object().cloned().unwrap();
        DescribedFunction {
            name: name.to_owned(),
            fault: None,
            description: None,
            parameters: Vec::new(),
            inputs: vec![port("table")],
            outputs: vec![port("result")],
        }
    }

    #[test]
    fn pel_48_both_spellings_of_an_operator_are_read_but_not_for_one_function() {
        let alone = |word: &str| {
            let input = BuildInput::read(&format!("{HEAD}[{word}.count_words]\ngroup = 'text'\n")).unwrap();
            input.descriptor(&[function("count_words")]).unwrap()
        };
        assert_eq!(alone("operator"), alone("operators"));
        let text = String::from_utf8(alone("operator")).unwrap();
        assert!(text.contains("\"name\": \"Count Words\"") && text.contains("\"group\": \"text\""), "{text}");
        let both = BuildInput::read(&format!("{HEAD}[operator.f]\n[operators.f]\n")).unwrap_err();
        assert_eq!(both.to_string(), "extension.toml describes `f` below [operator.f] and below [operators.f]");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let refused = |text: &str, functions: &[DescribedFunction]| match BuildInput::read(&format!("{HEAD}{text}")) {
            Ok(input) => input.descriptor(functions).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        let f = function("f");
        assert_eq!(
            refused("[operator.g]", std::slice::from_ref(&f)),
            "extension.toml describes `g`, which the module does not have; it has f"
        );
        assert_eq!(
            refused("[operator.f]\noutputs = ['a', 'b']", std::slice::from_ref(&f)),
            "extension.toml gives `f` 2 names for its 1 outputs"
        );
        let faulty = DescribedFunction { fault: Some("`*more` cannot be passed by name".to_owned()), ..f };
        assert_eq!(refused("", &[faulty]), "`f` cannot be an operator: `*more` cannot be passed by name");
        assert!(refused("", &[]).contains("no function"));
        let missing = BuildInput::read("[extension]\nname = 'E'\n").unwrap_err();
        assert_eq!(missing.to_string(), "extension.toml has no text `namespace` below [extension]");
        assert!(BuildInput::read("[extension").unwrap_err().to_string().contains("line 1"));
    }
}
