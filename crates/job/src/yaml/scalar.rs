//! What a plain scalar is in YAML 1.1, by the rules of PyYAML's resolver: `no` is false, `017` is 15, `1:30` is 90.

use serde_json::{Number, Value};

/// The value of a scalar that is written without quotes.
pub(crate) fn resolved(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Value::Bool(false),
        _ => {}
    }
    if let Some(value) = integer(text) {
        return value;
    }
    match float(text) {
        // JSON has neither infinity nor NaN; such a value keeps its text.
        Some(value) => Number::from_f64(value).map_or_else(|| Value::String(text.to_owned()), Value::Number),
        None => Value::String(text.to_owned()),
    }
}

/// The value of a scalar with a tag; `Err` says what the tag wanted.
pub(crate) fn tagged(text: &str, tag: &str) -> Result<Value, &'static str> {
    let value = resolved(text);
    match tag {
        "str" | "timestamp" => Ok(Value::String(text.to_owned())),
        "null" => Ok(Value::Null),
        "int" if value.is_i64() => Ok(value),
        "int" => Err("a whole number"),
        "float" if value.is_number() => Ok(value.as_f64().and_then(Number::from_f64).map_or(value, Value::Number)),
        "float" => Err("a number"),
        "bool" if value.is_boolean() => Ok(value),
        "bool" => Err("a boolean"),
        _ => Err("a list or a mapping"),
    }
}

fn integer(text: &str) -> Option<Value> {
    let (sign, digits) = signed(text);
    let clean = digits.replace('_', "");
    let of = |digits: &str, radix| i128::from_str_radix(digits, radix).ok();
    let is = |digits: &str, radix| !digits.is_empty() && digits.chars().all(|it| it == '_' || it.is_digit(radix));
    let value = if let Some(rest) = digits.strip_prefix("0b") {
        if is(rest, 2) { of(&clean[2..], 2) } else { None }
    } else if let Some(rest) = digits.strip_prefix("0x") {
        if is(rest, 16) { of(&clean[2..], 16) } else { None }
    } else if digits == "0" {
        Some(0)
    } else if let Some(rest) = digits.strip_prefix('0') {
        if is(rest, 8) { of(&clean, 8) } else { None }
    } else if digits.starts_with(|first: char| first.is_ascii_digit()) {
        if is(digits, 10) { of(&clean, 10) } else { sexagesimal(&clean) }
    } else {
        None
    };
    let value = value?.checked_mul(sign)?;
    Some(match i64::try_from(value) {
        Ok(value) => Value::from(value),
        Err(_) => Value::String(text.to_owned()),
    })
}

/// `1:30:00`: parts after the first are below 60.
fn sexagesimal(text: &str) -> Option<i128> {
    let mut parts = text.split(':');
    let number = |part: &str| {
        let fits = !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        if fits { part.parse::<i128>().ok() } else { None }
    };
    let first = number(parts.next()?)?;
    let rest: Vec<i128> =
        parts.map(|part| number(part).filter(|it| *it < 60 && part.len() <= 2)).collect::<Option<_>>()?;
    if rest.is_empty() {
        return None;
    }
    rest.into_iter().try_fold(first, |sum, part| sum.checked_mul(60)?.checked_add(part))
}

fn float(text: &str) -> Option<f64> {
    let (sign, digits) = signed(text);
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(f64::INFINITY * sign as f64),
        _ if [".nan", ".NaN", ".NAN"].contains(&text) => return Some(f64::NAN),
        _ => {}
    }
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(place) => (&digits[..place], Some(&digits[place + 1..])),
        None => (digits, None),
    };
    // PyYAML wants a sign in the exponent: `1.0e5` is text.
    let exponent_fits = |it: &str| {
        it.strip_prefix(['+', '-']).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_digit()))
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits_fit = |it: &str| it.bytes().all(|it| it == b'_' || it.is_ascii_digit());
    let begins = whole.starts_with(|it: char| it.is_ascii_digit())
        || (whole.is_empty() && text == digits && fraction.starts_with(|it: char| it.is_ascii_digit()));
    if !begins || !digits_fit(whole) || !digits_fit(fraction) || !exponent.is_none_or(exponent_fits) {
        return None;
    }
    let clean: String = digits.chars().filter(|it| *it != '_').collect();
    clean.parse::<f64>().ok().map(|value| value * sign as f64)
}

fn signed(text: &str) -> (i128, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The values are PyYAML's.
    #[test]
    fn klio_26_plain_scalars_are_those_of_yaml_1_1() {
        let cases = [
            ("no", json!(false)),
            ("On", json!(true)),
            ("nO", json!("nO")),
            ("y", json!("y")),
            ("~", json!(null)),
            ("", json!(null)),
            ("017", json!(15)),
            ("08", json!("08")),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("-5", json!(-5)),
            ("1:30", json!(90)),
            ("1:60", json!("1:60")),
            ("1.5", json!(1.5)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("1.0e5", json!("1.0e5")),
            ("1.0e+5", json!(100_000.0)),
            ("1e5", json!("1e5")),
            (".inf", json!(".inf")),
            ("99999999999999999999", json!("99999999999999999999")),
            ("2020-01-01", json!("2020-01-01")),
            ("+", json!("+")),
            ("-", json!("-")),
            ("0b", json!("0b")),
        ];
        for (text, value) in cases {
            assert_eq!(resolved(text), value, "for {text:?}");
        }
    }

    #[test]
    fn tags_decide_where_there_are_any() {
        assert_eq!(tagged("no", "str"), Ok(json!("no")));
        assert_eq!(tagged("5", "int"), Ok(json!(5)));
        assert_eq!(tagged("x", "int"), Err("a whole number"));
    }
}
