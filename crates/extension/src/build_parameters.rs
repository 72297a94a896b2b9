//! What `extension.toml` adds to the parameters that Python describes: limits, conditions, and which texts are columns.

use serde_json::{Map, Value, json};
use toml::Table;
use vocab::Fault;

use crate::check_parameters::checked;
use crate::descriptor::Descriptor;
use crate::parameter_limits::{is_limit, limits_of};
use crate::vendor_format::{ParameterType, parameter_type};

/// What `extension.toml` says of parameters does not fit the functions.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum ParameterInputError {
    #[error("extension.toml describes parameters of `{function}`, but not as tables")]
    #[fault("E_EXT_TOML", hint("write [operator.{function}.parameters.NAME], and below it a line for each limit"))]
    Parameters { function: String },
    #[error(
        "extension.toml describes the parameter `{parameter}` of `{function}`, which the function does not have; it has {}",
        known.join(", ")
    )]
    #[fault(
        "E_EXT_TOML",
        hint(
            "arguments that are annotated with int, float, str, bool, an Enum, a list, a tuple or a dict are parameters"
        )
    )]
    NoParameter { function: String, parameter: String, known: Vec<String> },
    #[error("extension.toml describes the parameter `{parameter}` of `{function}`: `{member}` {reason}")]
    #[fault("E_EXT_TOML")]
    Member { function: String, parameter: String, member: String, reason: String },
    #[error("the default of `{parameter}` cannot be a value of it in `{function}`: it {reason}")]
    #[fault("E_EXT_FUNCTION", hint("change the default, or what limits the parameter in extension.toml"))]
    Default { function: String, parameter: String, reason: String },
}

/// Parameters of a function with what `written`, the table of its operator, has of them below `parameters`.
pub(crate) fn parameters(
    function: &str,
    described: &[Map<String, Value>],
    written: &Table,
) -> Result<Vec<Map<String, Value>>, ParameterInputError> {
    let mut parameters = described.to_vec();
    let Some(tables) = written.get("parameters") else { return Ok(parameters) };
    let Some(tables) = tables.as_table() else {
        return Err(ParameterInputError::Parameters { function: function.to_owned() });
    };
    for (name, table) in tables {
        let is_it = |parameter: &&mut Map<String, Value>| parameter.get("name").and_then(Value::as_str) == Some(name);
        let Some(parameter) = parameters.iter_mut().find(is_it) else {
            let names = described.iter().filter_map(|it| it.get("name")?.as_str());
            let known = names.map(str::to_owned).collect();
            return Err(ParameterInputError::NoParameter {
                function: function.to_owned(),
                parameter: name.clone(),
                known,
            });
        };
        let Some(table) = table.as_table() else {
            return Err(ParameterInputError::Parameters { function: function.to_owned() });
        };
        let refused = |member: &str, reason: String| ParameterInputError::Member {
            function: function.to_owned(),
            parameter: name.clone(),
            member: member.to_owned(),
            reason,
        };
        // What limits a value depends on its type.
        let kind = kind_of(parameter, table).map_err(|reason| refused("type", reason))?;
        parameter.insert("type".to_owned(), json!(kind.0));
        for (member, value) in table {
            let limits = kind.1.map(limits_of).unwrap_or_default();
            // TOML knows infinity and days, which are null and objects.
            let value = json!(value);
            match member.as_str() {
                "type" => {}
                limit if limits.contains(&limit) && value.is_null() => {
                    return Err(refused(member, "is not a number of JSON".to_owned()));
                }
                "description" | "conditions" => _ = parameter.insert(member.clone(), value),
                limit if limits.contains(&limit) => _ = parameter.insert(member.clone(), value),
                limit if is_limit(limit) => {
                    return Err(refused(member, format!("says nothing about values of the type {}", kind.0)));
                }
                _ => {
                    let known = ["type", "description", "conditions"].iter().chain(limits).copied();
                    let known = known.collect::<Vec<_>>().join(", ");
                    return Err(refused(member, format!("is not known; it may have {known}")));
                }
            }
        }
    }
    Ok(parameters)
}

/// The word for the type and the type: what Python says, or that the text or the list names columns.
fn kind_of(described: &Map<String, Value>, table: &Table) -> Result<(String, Option<ParameterType>), String> {
    let word = described.get("type").and_then(Value::as_str).unwrap_or_default();
    let word = match (word, table.get("type")) {
        (word, None) => word,
        ("string", Some(toml::Value::String(text))) if text == "column" => "column",
        ("list", Some(toml::Value::String(text))) if text == "columns" => "columns",
        (word, Some(toml::Value::String(text))) if text == word => word,
        ("string", _) => return Err("can be `column` alone, as it is annotated with str".to_owned()),
        ("list", _) => return Err("can be `columns` alone, as it is annotated with a list".to_owned()),
        (word, _) => return Err(format!("follows from the annotation: it is {word}")),
    };
    Ok((word.to_owned(), parameter_type(word)))
}

/// The defaults of parameters that are always shown are values that they take.
pub(crate) fn check_defaults(descriptor: &Descriptor) -> Result<(), ParameterInputError> {
    for operator in &descriptor.operators {
        // What a hidden one is given may say that there is nothing.
        for parameter in operator.parameters.iter().filter(|parameter| parameter.conditions.is_empty()) {
            if let Some(default) = &parameter.default
                && let Err(reason) = checked(parameter, default)
            {
                let (function, parameter) = (operator.implementation.clone(), parameter.name.clone());
                return Err(ParameterInputError::Default { function, parameter, reason });
            }
        }
    }
    Ok(())
}
