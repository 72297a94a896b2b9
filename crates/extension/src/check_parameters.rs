//! Values of parameters against what an operator takes, before any Python runs. All faults come together.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value};
use vocab::{Fault, quoted};

use crate::descriptor::{Condition, Operator, Parameter};
use crate::parameter_limits::order;
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
/// A parameter whose conditions do not hold is not checked; its default is passed. Null is what the function has as the
/// default of its own, or `None`.
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
    let mut shown = Shown { operator, given, known: BTreeMap::new() };
    for parameter in &operator.parameters {
        // A connection comes as an input.
        if parameter.kind == Some(ParameterType::Connection) {
            continue;
        }
        if !shown.is_shown(parameter) {
            values.insert(parameter.name.clone(), parameter.default.clone().unwrap_or(Value::Null));
            continue;
        }
        match chosen(parameter, given) {
            Some(value) => match checked(parameter, value) {
                Ok(value) => _ = values.insert(parameter.name.clone(), value),
                Err(reason) => faults.push(format!("`{}` {reason}", parameter.name)),
            },
            None if parameter.optional => _ = values.insert(parameter.name.clone(), Value::Null),
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

/// What somebody gave, or its default.
fn chosen<'a>(parameter: &'a Parameter, given: &'a Map<String, Value>) -> Option<&'a Value> {
    given.get(&parameter.name).filter(|value| !value.is_null()).or(parameter.default.as_ref())
}

/// Which parameters are shown with these values; each is found out once.
struct Shown<'a> {
    operator: &'a Operator,
    given: &'a Map<String, Value>,
    known: BTreeMap<&'a str, bool>,
}

impl<'a> Shown<'a> {
    /// The reader of descriptors lets no conditions in a circle through.
    fn is_shown(&mut self, parameter: &'a Parameter) -> bool {
        if let Some(known) = self.known.get(&*parameter.name) {
            return *known;
        }
        let is_shown = parameter.conditions.iter().all(|condition| {
            let other = self.operator.parameters.iter().find(|other| other.name == condition.parameter);
            other.is_some_and(|other| {
                // Whatever somebody gave for a hidden one, its default is what the function gets.
                let value = if self.is_shown(other) { chosen(other, self.given) } else { other.default.as_ref() };
                holds(condition, value.unwrap_or(&Value::Null), other.kind)
            })
        });
        self.known.insert(&parameter.name, is_shown);
        is_shown
    }
}

/// `kind` is that of the parameter whose value it is.
fn holds(condition: &Condition, value: &Value, kind: Option<ParameterType>) -> bool {
    let is_number = matches!(kind, Some(ParameterType::Integer | ParameterType::Real));
    let compared = || order(value, &condition.value).filter(|_| is_number || value.is_number());
    let equal = |other: &Value| value == other || (is_number && order(value, other) == Some(Ordering::Equal));
    let is_among = || condition.value.as_array().is_some_and(|values| values.iter().any(equal));
    match condition.comparison.as_str() {
        "==" => equal(&condition.value),
        "!=" => !equal(&condition.value),
        "<" => compared().is_some_and(Ordering::is_lt),
        "<=" => compared().is_some_and(Ordering::is_le),
        ">" => compared().is_some_and(Ordering::is_gt),
        ">=" => compared().is_some_and(Ordering::is_ge),
        "in" => is_among(),
        "not_in" => !is_among(),
        // The reader of descriptors lets no other through.
        _ => true,
    }
}

/// A value as the function gets it. The error is what follows the parameter's name in a sentence.
pub(crate) fn checked(parameter: &Parameter, value: &Value) -> Result<Value, String> {
    let limits = &parameter.limits;
    let checked = match parameter.kind {
        Some(ParameterType::Integer) => integer(value).filter(|value| limits.admit_number(value)),
        Some(ParameterType::Real) => {
            let is_word = value.as_str().is_some_and(|text| ["NaN", "Infinity", "-Infinity"].contains(&text));
            Some(value.clone()).filter(|_| (value.is_number() || is_word) && limits.admit_number(value))
        }
        kind => {
            let fits = match kind {
                Some(ParameterType::String | ParameterType::Column) => {
                    value.as_str().is_some_and(|text| limits.admit_length(text))
                }
                Some(ParameterType::Boolean) => value.is_boolean(),
                Some(ParameterType::Category) => {
                    let names = parameter.categories.as_ref();
                    let is_known = |text| names.is_none_or(|names| names.iter().any(|name| name == text));
                    value.as_str().is_some_and(is_known)
                }
                Some(ParameterType::Columns) => {
                    let is_list = value.as_array().is_some_and(|names| names.iter().all(Value::is_string));
                    is_list && limits.admit_items(value)
                }
                Some(ParameterType::List | ParameterType::Tuple) => value.is_array() && limits.admit_items(value),
                Some(ParameterType::Mapping) => value.is_object() && limits.admit_items(value),
                _ => true,
            };
            fits.then(|| value.clone())
        }
    };
    let checked = checked.ok_or_else(|| format!("is {}; it takes {}", shortened(value), words(parameter)))?;
    match (&limits.pattern, checked.as_str()) {
        (Some(pattern), Some(text)) if !pattern.is_match(text) => {
            let pattern = quoted::shown(pattern.as_str());
            Err(format!("is {}; the whole text has to match the pattern {pattern}", shortened(value)))
        }
        _ => Ok(checked),
    }
}

/// A value in one line of a message.
fn shortened(value: &Value) -> String {
    let text = quoted::without_passwords(&value.to_string()).into_owned();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
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

/// What a parameter takes, for people.
fn words(parameter: &Parameter) -> String {
    let mut words = match parameter.kind {
        Some(ParameterType::Integer) => "a whole number".to_owned(),
        Some(ParameterType::Real) => "a number".to_owned(),
        Some(ParameterType::String) => "a text".to_owned(),
        Some(ParameterType::Boolean) => "true or false".to_owned(),
        Some(ParameterType::Category) => match &parameter.categories {
            Some(names) => format!("one of {}", names.join(", ")),
            None => "a text".to_owned(),
        },
        Some(ParameterType::Column) => "the name of a column".to_owned(),
        Some(ParameterType::Columns) => "a list of names of columns".to_owned(),
        Some(ParameterType::List | ParameterType::Tuple) => "a list".to_owned(),
        Some(ParameterType::Mapping) => "an object".to_owned(),
        Some(ParameterType::Connection) => "a connection".to_owned(),
        None => format!("`{}`, which is not known here", parameter.type_name),
    };
    words.push_str(&parameter.limits.to_string());
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
        assert_eq!(
            Value::Object(values),
            json!({ "count": "7", "ratio": 0.5, "share": 0.5, "mode": "fast", "many": null, "reason": null })
        );
    }

    fn of_parameters(parameters: &Value) -> Operator {
        let descriptor = json!({
            "extension": { "name": "E", "namespace": "e", "version": "1.0", "module": "e" },
            "operators": { "f": { "parameters": parameters } },
        });
        let descriptor = read_descriptor("extension.json", descriptor.to_string().as_bytes()).unwrap();
        descriptor.operators.into_iter().next().unwrap()
    }

    /// What is said of `x` if it is given `value`; empty if it is taken.
    fn said_of(parameter: &Value, value: &Value) -> String {
        let mut whole = json!({ "name": "x" });
        whole.as_object_mut().unwrap().extend(parameter.as_object().unwrap().clone());
        let given = json!({ "x": value });
        match check_parameters(&of_parameters(&json!([whole])), given.as_object().unwrap()) {
            Ok(values) => {
                assert_eq!(Value::Object(values), given);
                String::new()
            }
            Err(faults) => faults.faults.join("; "),
        }
    }

    #[test]
    fn every_limit_is_judged_with_the_value_at_it_and_beyond() {
        let rows = [
            // (type, limit, its value, taken, refused, what it takes)
            ("integer", "min", json!(1), json!(1), json!(0), "a whole number, at least 1"),
            ("integer", "max", json!(9), json!(9), json!(10), "a whole number, at most 9"),
            ("integer", "exclusive_min", json!(1), json!(2), json!(1), "a whole number, more than 1"),
            ("integer", "exclusive_max", json!(9), json!(8), json!(9), "a whole number, less than 9"),
            (
                "integer",
                "max",
                json!(9_007_199_254_740_992_u64),
                json!("9007199254740992"),
                json!("9007199254740993"),
                "a whole number, at most 9007199254740992",
            ),
            ("real", "min", json!(0.5), json!(0.5), json!(0.49), "a number, at least 0.5"),
            ("real", "max", json!(1), json!("-Infinity"), json!("Infinity"), "a number, at most 1"),
            ("real", "exclusive_max", json!(1), json!(0.99), json!(1.0), "a number, less than 1"),
            ("string", "min_length", json!(2), json!("äö"), json!("ä"), "a text, characters: at least 2"),
            ("string", "max_length", json!(2), json!("äö"), json!("äöü"), "a text, characters: at most 2"),
            ("column", "min_length", json!(1), json!("a"), json!(""), "the name of a column, characters: at least 1"),
            (
                "columns",
                "min_items",
                json!(1),
                json!(["a"]),
                json!([]),
                "a list of names of columns, items: at least 1",
            ),
            ("list", "max_items", json!(1), json!([1]), json!([1, 2]), "a list, items: at most 1"),
            ("tuple", "min_items", json!(2), json!([1, 2]), json!([1]), "a list, items: at least 2"),
            ("dict", "min_items", json!(1), json!({ "a": 1 }), json!({}), "an object, items: at least 1"),
            (
                "dict",
                "max_items",
                json!(1),
                json!({ "a": 1 }),
                json!({ "a": 1, "b": 2 }),
                "an object, items: at most 1",
            ),
        ];
        for (kind, name, limit, taken, refused, takes) in rows {
            let parameter = json!({ "type": kind, name: limit });
            assert_eq!(said_of(&parameter, &taken), "", "{parameter}");
            assert_eq!(said_of(&parameter, &refused), format!("`x` is {refused}; it takes {takes}"));
        }
    }

    #[test]
    fn a_text_that_does_not_match_its_pattern_is_named_with_it_and_shortened() {
        for kind in ["string", "column"] {
            let parameter = json!({ "type": kind, "pattern": "[a-z]+(-[a-z]+)*" });
            assert_eq!(said_of(&parameter, &json!("one-two")), "");
            assert_eq!(
                said_of(&parameter, &json!("one-two ")),
                "`x` is \"one-two \"; the whole text has to match the pattern `[a-z]+(-[a-z]+)*`"
            );
            let long = said_of(&parameter, &json!("x-".repeat(5000)));
            assert!(long.len() < 200 && long.contains("x-x…; the whole"), "{long}");
        }
        // A limit of another type of values says nothing, and is kept.
        let operator = of_parameters(&json!([{ "name": "x", "type": "boolean", "pattern": "(", "min": "a" }]));
        assert_eq!(operator.parameters[0].unknown.len(), 2);
        assert_eq!(operator.parameters[0].limits, crate::ParameterLimits::default());
        // None of them is null.
        assert_eq!(said_of(&json!({ "type": "string", "pattern": null, "min_length": null }), &json!("")), "");
    }

    #[test]
    fn types_and_categories_are_judged() {
        let rows = [
            (json!({ "type": "boolean" }), json!("true"), "`x` is \"true\"; it takes true or false"),
            (json!({ "type": "category", "categories": ["A"] }), json!("a"), "`x` is \"a\"; it takes one of A"),
            (json!({ "type": "category", "categories": null }), json!("a"), ""),
            (json!({ "type": "category", "categories": null }), json!(1), "`x` is 1; it takes a text"),
            (json!({ "type": "columns" }), json!([1]), "`x` is [1]; it takes a list of names of columns"),
            (json!({ "type": "dict" }), json!([]), "`x` is []; it takes an object"),
            (json!({ "type": "integer" }), json!(true), "`x` is true; it takes a whole number"),
        ];
        for (parameter, value, said) in rows {
            assert_eq!(said_of(&parameter, &value), said);
        }
        let default = of_parameters(&json!([{ "name": "x", "type": "integer", "default": 0, "min": 1 }]));
        let faults = check_parameters(&default, &Map::new()).unwrap_err();
        assert_eq!(faults.faults, ["`x` is 0; it takes a whole number, at least 1"], "a default is judged, too");
    }

    #[test]
    fn conditions_see_what_the_function_gets() {
        let shown = |conditions: Value, given: Value| {
            let operator = of_parameters(&json!([
                { "name": "x", "type": "string", "conditions": conditions },
                { "name": "count", "type": "integer", "default": 5 },
                { "name": "mode", "type": "category", "categories": ["A", "B"], "default": "A" },
                { "name": "inner", "type": "string", "default": "off", "conditions": [["==", "mode", "B"]] },
            ]));
            match check_parameters(&operator, given.as_object().unwrap()) {
                Ok(values) => {
                    assert_eq!(values["x"], Value::Null, "it is hidden and has no default");
                    false
                }
                Err(faults) => faults.faults == ["`x` is missing; it takes a text"],
            }
        };
        let rows = [
            (json!([["==", "count", 5.0]]), json!({}), true),
            (json!([["!=", "count", 5]]), json!({}), false),
            (json!([["<", "count", 5]]), json!({ "count": 4 }), true),
            (json!([["<=", "count", 5]]), json!({ "count": 6 }), false),
            // One that is larger than JSON can say, and one that was not given.
            (json!([[">", "count", 5]]), json!({ "count": "9007199254740993" }), true),
            (json!([[">=", "count", 5]]), json!({ "count": null }), true),
            (json!([["in", "mode", ["A", "C"]]]), json!({}), true),
            (json!([["not_in", "mode", ["A", "C"]]]), json!({}), false),
            (json!([["==", "count", 5], ["==", "mode", "B"]]), json!({}), false),
            // `inner` is hidden, so the function gets its default.
            (json!([["==", "inner", "on"]]), json!({ "inner": "on" }), false),
            (json!([["==", "inner", "on"]]), json!({ "inner": "on", "mode": "B" }), true),
        ];
        for (conditions, given, expected) in rows {
            assert_eq!(shown(conditions.clone(), given.clone()), expected, "{conditions} with {given}");
        }
        // Two conditions each on the one before: without memory that would take for ever.
        let chained = |at: usize| {
            let conditions = if at == 0 { json!([]) } else { json!(vec![json!(["!=", format!("p{}", at - 1), 1]); 2]) };
            json!({ "name": format!("p{at}"), "type": "integer", "default": 0, "conditions": conditions })
        };
        let operator = of_parameters(&(0..500).rev().map(chained).collect());
        assert_eq!(check_parameters(&operator, &Map::new()).unwrap().len(), 500);
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
