//! What a descriptor says, as plain data.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::parameter_limits::ParameterLimits;
use crate::vendor_format::ParameterType;

/// The JSON at the root of an extension zip. Members that are not known are kept in `unknown` and have no effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Descriptor {
    pub extension: ExtensionHead,
    /// In the order of the file.
    pub operators: Vec<Operator>,
    /// Data objects, as they are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub unknown: Map<String, Value>,
}

/// The object `extension`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExtensionHead {
    /// Shown to people.
    pub name: String,
    pub namespace: String,
    pub version: String,
    /// The Python package in the zip: an identifier.
    pub module: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// As it is written; absent where it follows from namespace and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    pub dependencies: Vec<ExtensionDependency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdk_version: Option<String>,
    /// The lowest version of the product that it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_core_version: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub unknown: Map<String, Value>,
}

/// Another extension that this one imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtensionDependency {
    /// Its namespace.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

/// One function that can be run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operator {
    /// Its key in the descriptor.
    pub key: String,
    pub name: String,
    /// The function's name.
    pub implementation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    pub parameters: Vec<Parameter>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub unknown: Map<String, Value>,
}

impl Operator {
    /// The first parameter whose type is not known; the operator cannot run because of it.
    pub fn unsupported(&self) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.kind.is_none())
    }
}

/// A value that people choose before a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    pub name: String,
    /// As it is written.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Absent for a word that is not known here.
    #[serde(skip)]
    pub kind: Option<ParameterType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    pub optional: bool,
    pub conditions: Vec<Condition>,
    #[serde(flatten)]
    pub limits: ParameterLimits,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub unknown: Map<String, Value>,
}

/// When a parameter is shown: another one compares so with a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not_in`.
    pub comparison: String,
    pub parameter: String,
    pub value: Value,
}

/// An input or an output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Port {
    pub name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub optional: bool,
}
