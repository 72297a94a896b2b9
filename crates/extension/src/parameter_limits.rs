//! What values of a parameter may be beside its type: numbers, lengths, counts of items, a pattern. All of it is ours; no page
//! of the vendor shows such members.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use crate::vendor_format::ParameterType;

/// In bytes.
const LONGEST_PATTERN: usize = 1000;
/// Of one pattern when it is compiled, in bytes.
const LARGEST_PATTERN: usize = 1 << 19;

/// Limits of a parameter's values, as its descriptor has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ParameterLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusive_min: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusive_max: Option<Number>,
    /// In characters, as the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
}

pub(crate) const PATTERN: &str = "pattern";

/// Members that limit the numbers, the texts and the collections of parameters.
const OF_NUMBERS: [&str; 4] = ["min", "max", "exclusive_min", "exclusive_max"];
const OF_TEXTS: [&str; 3] = ["min_length", "max_length", PATTERN];
const OF_ITEMS: [&str; 2] = ["min_items", "max_items"];

/// The members that limit values of a type.
pub(crate) fn limits_of(kind: ParameterType) -> &'static [&'static str] {
    match kind {
        ParameterType::Integer | ParameterType::Real => &OF_NUMBERS,
        ParameterType::String | ParameterType::Column => &OF_TEXTS,
        ParameterType::Columns | ParameterType::List | ParameterType::Tuple | ParameterType::Mapping => &OF_ITEMS,
        ParameterType::Boolean | ParameterType::Category | ParameterType::Connection => &[],
    }
}

/// Whether a member limits values of any type.
pub(crate) fn is_limit(member: &str) -> bool {
    OF_NUMBERS.iter().chain(&OF_TEXTS).chain(&OF_ITEMS).any(|limit| *limit == member)
}

impl ParameterLimits {
    /// Takes a member of [`limits_of`] that is a number. The error is what it has to be.
    pub(crate) fn set(&mut self, member: &str, value: &Value) -> Result<(), String> {
        let number = || match value {
            Value::Number(number) => Ok(Some(number.clone())),
            _ => Err(format!("`{member}` is a number or null")),
        };
        let count =
            || value.as_u64().map(Some).ok_or_else(|| format!("`{member}` is a whole number from 0 on, or null"));
        match member {
            "min" => self.min = number()?,
            "max" => self.max = number()?,
            "exclusive_min" => self.exclusive_min = number()?,
            "exclusive_max" => self.exclusive_max = number()?,
            "min_length" => self.min_length = count()?,
            "max_length" => self.max_length = count()?,
            "min_items" => self.min_items = count()?,
            "max_items" => self.max_items = count()?,
            _ => return Err(format!("`{member}` is a text or null")),
        }
        Ok(())
    }

    /// Whether a number is within them. What is not a number is within none.
    pub(crate) fn admit_number(&self, value: &Value) -> bool {
        let within = |limit: &Option<Number>, fits: fn(Ordering) -> bool| {
            limit.as_ref().is_none_or(|limit| order(value, &Value::Number(limit.clone())).is_some_and(fits))
        };
        within(&self.min, Ordering::is_ge)
            && within(&self.max, Ordering::is_le)
            && within(&self.exclusive_min, Ordering::is_gt)
            && within(&self.exclusive_max, Ordering::is_lt)
    }

    /// Whether the text has a length within them. The pattern is another question.
    pub(crate) fn admit_length(&self, text: &str) -> bool {
        is_between(text.chars().count(), self.min_length, self.max_length)
    }

    /// Whether a list or an object has so many items.
    pub(crate) fn admit_items(&self, value: &Value) -> bool {
        let items = value.as_array().map(Vec::len).or_else(|| Some(value.as_object()?.len()));
        items.is_some_and(|items| is_between(items, self.min_items, self.max_items))
    }
}

/// For people, to be put after a type: `, at least 1`. The pattern is not among it.
impl std::fmt::Display for ParameterLimits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers = [
            ("at least", &self.min),
            ("at most", &self.max),
            ("more than", &self.exclusive_min),
            ("less than", &self.exclusive_max),
        ];
        let counts = [
            ("characters: at least", self.min_length),
            ("characters: at most", self.max_length),
            ("items: at least", self.min_items),
            ("items: at most", self.max_items),
        ];
        let numbers = numbers.into_iter().filter_map(|(text, limit)| Some((text, limit.as_ref()?.to_string())));
        let mut limits = numbers.chain(counts.into_iter().filter_map(|(text, limit)| Some((text, limit?.to_string()))));
        limits.try_for_each(|(text, limit)| write!(formatter, ", {text} {limit}"))
    }
}

fn is_between(found: usize, least: Option<u64>, most: Option<u64>) -> bool {
    let found = found as u64;
    least.is_none_or(|least| found >= least) && most.is_none_or(|most| found <= most)
}

/// How two numbers compare; those that cannot be exact in JSON are texts. `None` if one of them is not a number.
pub(crate) fn order(one: &Value, other: &Value) -> Option<Ordering> {
    let exact = |value: &Value| match value {
        Value::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        Value::String(text) => text.parse::<i128>().ok(),
        _ => None,
    };
    let rounded = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    match (exact(one), exact(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => rounded(one)?.partial_cmp(&rounded(other)?),
    }
}

/// A regular expression that a whole text has to match. One without look-around and back-references takes time in
/// proportion to the text, whatever it says.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    whole: Regex,
}

impl Pattern {
    /// The error says why it is none, without the text.
    pub(crate) fn of_text(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST_PATTERN {
            return Err(format!("`pattern` has {} bytes; at most {LONGEST_PATTERN} are read", text.len()));
        }
        let refused = |error: regex::Error| {
            let reason = match error {
                regex::Error::CompiledTooBig(_) => "it stands for too much".to_owned(),
                other => {
                    let text = other.to_string();
                    let reason = text.lines().last().unwrap_or_default();
                    reason.strip_prefix("error: ").unwrap_or(reason).to_owned()
                }
            };
            format!("`pattern` is not a regular expression that can be used: {reason}")
        };
        let compile = |text: &str| RegexBuilder::new(text).size_limit(LARGEST_PATTERN).build();
        // By itself, since `a)(b` would be one between brackets.
        compile(text).map_err(refused)?;
        // A comment at its end, which `(?x)` allows, ends with its line.
        let whole = compile(&format!(r"\A(?:{text})\z")).or_else(|_| compile(&format!("\\A(?:{text}\n)\\z")));
        Ok(Self { text: text.to_owned(), whole: whole.map_err(refused)? })
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole text is as it says.
    pub fn is_match(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_is_about_the_whole_text() {
        let rows = [
            // (pattern, text, whether it matches)
            ("[a-z]+", "abc", true),
            ("[a-z]+", "abc1", false),
            ("[a-z]+", "1abc", false),
            ("[a-z]+", "abc\n", false),
            // The shorter branch comes first and does not count alone.
            ("a|ab", "ab", true),
            ("a|b", "ab", false),
            ("^a$", "a", true),
            ("(?m)^a$", "a\na", false),
            ("", "", true),
            ("", "a", false),
            (r"\w+", "größe", true),
            (r"\p{Lu}.*", "Ärger", true),
            ("(?i)abc", "ABC", true),
            ("(?x) a b # and a comment", "ab", true),
            (".", "\u{1f600}", true),
            (r"\w{10}", "0123456789", true),
            ("[0-9A-Za-z_]{1000}", "0123456789", false),
        ];
        for (pattern, text, is_match) in rows {
            let pattern = Pattern::of_text(pattern).unwrap();
            assert_eq!(pattern.is_match(text), is_match, "{:?} and {text:?}", pattern.as_str());
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_used_says_why() {
        let long = "a".repeat(LONGEST_PATTERN + 1);
        let rows = [
            ("a)(b", "unopened group"),
            ("[a-", "unclosed character class"),
            ("a{2,1}", "invalid repetition count range, the start must be <= the end"),
            (r"(a)\1", "backreferences are not supported"),
            ("(?=a)b", "look-around, including look-ahead and look-behind, is not supported"),
            (r"\w{20}", "it stands for too much"),
            (&long, "`pattern` has 1001 bytes; at most 1000 are read"),
        ];
        for (pattern, reason) in rows {
            let error = Pattern::of_text(pattern).unwrap_err();
            assert!(error.ends_with(reason) && error.starts_with("`pattern` "), "{error}");
        }
    }

    #[test]
    fn numbers_compare_as_they_are_written() {
        let large = json!(9_007_199_254_740_993_u64);
        assert_eq!(order(&json!("9007199254740992"), &large), Some(Ordering::Less), "equal as real numbers");
        assert_eq!(order(&json!(1), &json!(1.0)), Some(Ordering::Equal));
        assert_eq!(order(&json!("Infinity"), &json!(1e300)), Some(Ordering::Greater));
        assert_eq!(order(&json!("-Infinity"), &json!(0)), Some(Ordering::Less));
        assert_eq!(order(&json!("NaN"), &json!(0)), None);
        assert_eq!(order(&json!("x"), &json!(0)), None);
    }
}
