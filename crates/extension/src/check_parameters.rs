//! Values of parameters against what an operator takes, before any Python runs. All faults come together.

use serde_json::{Map, Value};
use vocab::Fault;

use crate::descriptor::{Condition, Operator, Parameter};
use crate::vendor_format::ParameterType;

/// Integers up to this are the same in JSON and in tables; larger ones come as decimal text.
const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// Values that an operator cannot be run with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("`{operator}` cannot be run with these parameters:{}", faults.iter().map(|fault| format!("\n  {fault}")).collect::<String>())]
#[fault("E_PARAM", Usage, hint("`pydist extension inspect ZIP` lists the parameters"))]
pub struct ParameterFaults {
    pub operator: String,
    /// One sentence for each, which begins with the parameter's name.
    pub faults: Vec<String>,
}

/// What the function is called with: the given values, and defaults for the rest.
///
/// A parameter whose conditions do not hold is not checked; its default is passed, or nothing.
pub fn check_parameters(
    operator: &Operator,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, ParameterFaults> {
    let mut faults = Vec::new();
    for name in given.keys() {
        if !operator.parameters.iter().any(|parameter| parameter.name == *name) {
            let distance = |parameter: &&Parameter| strsim::damerau_levenshtein(name, &parameter.name);
            let nearest = operator.parameters.iter().min_by_key(distance).filter(|near| distance(near) <= 2);
            let hint = nearest.map(|near| format!("; did you mean `{}`?", near.name));
            faults.push(format!("`{name}` is not a parameter of it{}", hint.unwrap_or_default()));
        }
    }
    let mut values = Map::new();
    for parameter in &operator.parameters {
        // A connection comes as an input.
        if parameter.kind == Some(ParameterType::Connection) {
            continue;
        }
        if !is_shown(parameter, operator, given) {
            if let Some(default) = &parameter.default {
                values.insert(parameter.name.clone(), default.clone());
            }
            continue;
        }
        match given.get(&parameter.name).filter(|value| !value.is_null()).or(parameter.default.as_ref()) {
            Some(value) => match checked(parameter, value) {
                Ok(value) => _ = values.insert(parameter.name.clone(), value),
                Err(reason) => faults.push(format!("`{}` {reason}", parameter.name)),
            },
            None if parameter.optional => {}
            None => faults.push(format!("`{}` is missing; it takes {}", parameter.name, words(parameter))),
        }
    }
    if faults.is_empty() {
        Ok(values)
    } else {
        Err(ParameterFaults { operator: operator.implementation.clone(), faults })
    }
}

/// Reads what somebody wrote on a command line: JSON where the type is not a text.
pub fn parameter_of_text(parameter: &Parameter, text: &str) -> Value {
    let is_text = |kind| matches!(kind, ParameterType::String | ParameterType::Category | ParameterType::Column);
    if parameter.kind.is_some_and(is_text) {
        return Value::String(text.to_owned());
    }
    // What is not JSON is refused with the type's words when it is checked.
    vocab::typed_json::read(text.as_bytes()).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn is_shown(parameter: &Parameter, operator: &Operator, given: &Map<String, Value>) -> bool {
    let value = |name: &str| {
        let default = || operator.parameters.iter().find(|other| other.name == name)?.default.as_ref();
        given.get(name).or_else(default).cloned().unwrap_or(Value::Null)
    };
    parameter.conditions.iter().all(|condition| holds(condition, &value(&condition.parameter)))
}

fn holds(condition: &Condition, value: &Value) -> bool {
    let number = |value: &Value| value.as_f64();
    let compared = || Some(number(value)?.total_cmp(&number(&condition.value)?));
    let is_among = || condition.value.as_array().is_some_and(|values| values.iter().any(|one| equal(one, value)));
    match condition.comparison.as_str() {
        "==" => equal(value, &condition.value),
        "!=" => !equal(value, &condition.value),
        "<" => compared().is_some_and(std::cmp::Ordering::is_lt),
        "<=" => compared().is_some_and(std::cmp::Ordering::is_le),
        ">" => compared().is_some_and(std::cmp::Ordering::is_gt),
        ">=" => compared().is_some_and(std::cmp::Ordering::is_ge),
        "in" => is_among(),
        "not_in" => !is_among(),
        // The reader of descriptors lets no other through.
        _ => true,
    }
}

/// 1 and 1.0 are equal.
fn equal(one: &Value, other: &Value) -> bool {
    one == other || matches!((one.as_f64(), other.as_f64()), (Some(one), Some(other)) if one.total_cmp(&other).is_eq())
}

fn checked(parameter: &Parameter, value: &Value) -> Result<Value, String> {
    let refused = || format!("is {value}; it takes {}", words(parameter));
    let fits = match parameter.kind {
        Some(ParameterType::Integer) => {
            return integer(value).map_or_else(|| Err(refused()), |value| within(parameter, value));
        }
        Some(ParameterType::Real) => {
            let is_word = value.as_str().is_some_and(|text| ["NaN", "Infinity", "-Infinity"].contains(&text));
            return if value.is_number() || is_word { within(parameter, value.clone()) } else { Err(refused()) };
        }
        Some(ParameterType::String | ParameterType::Column) => value.is_string(),
        Some(ParameterType::Boolean) => value.is_boolean(),
        Some(ParameterType::Category) => {
            let is_known = |text| parameter.categories.as_ref().is_none_or(|known| known.iter().any(|one| one == text));
            value.as_str().is_some_and(is_known)
        }
        Some(ParameterType::Columns) => {
            value.as_array().is_some_and(|names| names.iter().all(Value::is_string)) && length_fits(parameter, value)
        }
        Some(ParameterType::List | ParameterType::Tuple) => value.is_array() && length_fits(parameter, value),
        Some(ParameterType::Mapping) => value.is_object(),
        Some(ParameterType::Connection) | None => true,
    };
    if fits && text_fits(parameter, value) { Ok(value.clone()) } else { Err(refused()) }
}

/// A whole number; larger ones than JSON's readers agree on come and go as decimal text.
fn integer(value: &Value) -> Option<Value> {
    let digits = |text: &str| !text.is_empty() && text.len() <= 1000 && text.bytes().all(|byte| byte.is_ascii_digit());
    match value {
        Value::String(text) => digits(text.strip_prefix('-').unwrap_or(text)).then(|| value.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            let is_exact = number.as_i64().is_some_and(|number| number.unsigned_abs() <= LARGEST_INTEGER);
            Some(if is_exact { value.clone() } else { Value::String(number.to_string()) })
        }
        _ => None,
    }
}

/// Members of a parameter that limit it are ours; `docs/formats/extension.md` lists them. What is not a number is within no
/// limit.
fn within(parameter: &Parameter, value: Value) -> Result<Value, String> {
    let limit = |name: &str| parameter.unknown.get(name).and_then(Value::as_f64);
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    let breaks = |name: &str, is_broken: &dyn Fn(f64, f64) -> bool| matches!((number, limit(name)), (Some(number), Some(limit)) if number.is_nan() || is_broken(number, limit));
    let broken = breaks("min", &|number, limit| number < limit)
        || breaks("max", &|number, limit| number > limit)
        || breaks("exclusive_min", &|number, limit| number <= limit)
        || breaks("exclusive_max", &|number, limit| number >= limit);
    if broken { Err(format!("is {value}; it takes {}", words(parameter))) } else { Ok(value) }
}

fn length_fits(parameter: &Parameter, value: &Value) -> bool {
    let length = value.as_array().map_or(0, Vec::len) as u64;
    let limit = |name: &str| parameter.unknown.get(name).and_then(Value::as_u64);
    limit("min_items").is_none_or(|least| length >= least) && limit("max_items").is_none_or(|most| length <= most)
}

fn text_fits(parameter: &Parameter, value: &Value) -> bool {
    let Some(text) = value.as_str() else { return true };
    let length = text.chars().count() as u64;
    let limit = |name: &str| parameter.unknown.get(name).and_then(Value::as_u64);
    limit("min_length").is_none_or(|least| length >= least) && limit("max_length").is_none_or(|most| length <= most)
}

/// What a parameter takes, for people.
fn words(parameter: &Parameter) -> String {
    let mut words = match parameter.kind {
        Some(ParameterType::Integer) => "a whole number".to_owned(),
        Some(ParameterType::Real) => "a number".to_owned(),
        Some(ParameterType::String) => "a text".to_owned(),
        Some(ParameterType::Boolean) => "true or false".to_owned(),
        Some(ParameterType::Category) => {
            format!("one of {}", parameter.categories.as_deref().unwrap_or_default().join(", "))
        }
        Some(ParameterType::Column) => "the name of a column".to_owned(),
        Some(ParameterType::Columns) => "a list of names of columns".to_owned(),
        Some(ParameterType::List | ParameterType::Tuple) => "a list".to_owned(),
        Some(ParameterType::Mapping) => "an object".to_owned(),
        Some(ParameterType::Connection) => "a connection".to_owned(),
        None => format!("`{}`, which is not known here", parameter.type_name),
    };
    let limits = [
        ("min", "at least"),
        ("max", "at most"),
        ("exclusive_min", "more than"),
        ("exclusive_max", "less than"),
        ("min_length", "characters: at least"),
        ("max_length", "characters: at most"),
        ("min_items", "items: at least"),
        ("max_items", "items: at most"),
    ];
    for (name, text) in limits {
        if let Some(limit) = parameter.unknown.get(name) {
            words.push_str(&format!(", {text} {limit}"));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::read_descriptor;

    fn operator() -> Operator {
        let parameter = |name: &str, kind: &str, more: Value| {
            let mut parameter = json!({ "name": name, "type": kind, "default": null });
            parameter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            parameter
        };
        let descriptor = json!({
            "extension": { "name": "E", "namespace": "e", "version": "1.0", "module": "e" },
            "operators": { "f": { "name": "F", "implementation": "f", "parameters": [
                parameter("count", "integer", json!({ "min": 1, "max": 9 })),
                parameter("ratio", "real", json!({ "default": 0.5 })),
                parameter("share", "real", json!({ "default": 0.5, "min": 0, "max": 1 })),
                parameter("mode", "category", json!({ "categories": ["fast", "slow"] })),
                parameter("many", "list", json!({ "max_items": 2, "optional": true })),
                parameter("reason", "string", json!({ "conditions": [["==", "mode", "slow"]] })),
            ] } },
        });
        let descriptor = read_descriptor("extension.json", descriptor.to_string().as_bytes()).unwrap();
        descriptor.operators.into_iter().next().unwrap()
    }

    #[test]
    fn pel_75_all_faults_come_together_and_a_hidden_parameter_is_none() {
        let operator = operator();
        let given = json!({ "ratio": "NaN", "share": "NaN", "mode": "quick", "many": [1, 2, 3], "modes": 1 });
        let faults = check_parameters(&operator, given.as_object().unwrap()).unwrap_err();
        assert_eq!(
            faults.to_string(),
            "`f` cannot be run with these parameters:\n  \
             `modes` is not a parameter of it; did you mean `mode`?\n  \
             `count` is missing; it takes a whole number, at least 1, at most 9\n  \
             `share` is \"NaN\"; it takes a number, at least 0, at most 1\n  \
             `mode` is \"quick\"; it takes one of fast, slow\n  \
             `many` is [1,2,3]; it takes a list, items: at most 2"
        );
        assert_eq!(faults.hint().as_deref(), Some("`pydist extension inspect ZIP` lists the parameters"));
        let faults = check_parameters(&operator, json!({ "mode": "slow" }).as_object().unwrap()).unwrap_err();
        assert_eq!(faults.faults.len(), 2, "{faults}");
        assert!(faults.faults[1].starts_with("`reason` is missing; it takes a text"), "{faults}");
        let values = check_parameters(&operator, json!({ "count": "7", "mode": "fast" }).as_object().unwrap()).unwrap();
        assert_eq!(Value::Object(values), json!({ "count": "7", "ratio": 0.5, "share": 0.5, "mode": "fast" }));
    }

    #[test]
    fn numbers_keep_their_digits_and_texts_stay_texts() {
        let operator = operator();
        let of_text = |name: &str, text: &str| {
            let parameter = operator.parameters.iter().find(|parameter| parameter.name == name).unwrap();
            (checked(parameter, &parameter_of_text(parameter, text)), parameter.name.clone())
        };
        assert_eq!(of_text("mode", "slow").0, Ok(json!("slow")));
        assert_eq!(of_text("reason", "12").0, Ok(json!("12")));
        assert_eq!(of_text("ratio", "2").0, Ok(json!(2)));
        assert_eq!(of_text("many", "[1]").0, Ok(json!([1])));
        assert_eq!(of_text("ratio", "\"-Infinity\"").0, Ok(json!("-Infinity")));
        for beyond in ["\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "1.5", "-0.5"] {
            assert!(of_text("share", beyond).0.is_err(), "{beyond}");
        }
        assert!(
            of_text("count", "1.5").0.is_err()
                && of_text("count", "x").0.is_err()
                && of_text("count", "1e3").0.is_err()
        );
        assert_eq!(integer(&json!(9_007_199_254_740_993_u64)), Some(json!("9007199254740993")));
        assert_eq!(integer(&json!(-9_007_199_254_740_991_i64)), Some(json!(-9_007_199_254_740_991_i64)));
    }
}
