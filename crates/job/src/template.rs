//! `$name` in a configuration, as Python's `string.Template` replaces it; and the `key=value` of the command line.

use std::collections::BTreeMap;

use crate::code;
use crate::finding::Finding;

/// What is wrong with a text that holds dollar signs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TemplateFault {
    Unknown { name: String },
    Lone,
}

/// The text with every `$name` and `${name}` replaced and `$$` as one dollar sign. `None` if it holds no dollar sign.
pub(crate) fn substituted(text: &str, values: &BTreeMap<String, String>) -> Result<Option<String>, Vec<TemplateFault>> {
    if !text.contains('$') {
        return Ok(None);
    }
    let (mut result, mut faults) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(place) = rest.find('$') {
        result.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{');
        let name = name_at(braced.unwrap_or(rest));
        let after = match braced {
            Some(inner) => inner[name.len()..].strip_prefix('}'),
            None => Some(&rest[name.len()..]),
        };
        match (after, values.get(name)) {
            (Some(after), Some(value)) if !name.is_empty() => {
                result.push_str(value);
                rest = after;
            }
            (Some(after), None) if !name.is_empty() => {
                faults.push(TemplateFault::Unknown { name: name.to_owned() });
                rest = after;
            }
            _ => faults.push(TemplateFault::Lone),
        }
    }
    result.push_str(rest);
    if faults.is_empty() { Ok(Some(result)) } else { Err(faults) }
}

/// The longest identifier that the text begins with, maybe none.
fn name_at(text: &str) -> &str {
    let fits = |(index, it): (usize, char)| it == '_' || it.is_ascii_alphabetic() || (index > 0 && it.is_ascii_digit());
    let end = text.char_indices().find(|at| !fits(*at)).map_or(text.len(), |(index, _)| index);
    &text[..end]
}

/// The parts of `key=value`, without white space at their ends. The value may hold `=`.
pub(crate) fn assignment(argument: &str) -> Result<(String, String), Finding> {
    let parts = argument.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    match parts.filter(|(key, _)| !key.is_empty()) {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(Finding::new(code::KJ008, [("argument", argument)])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn klio_27_names_are_replaced_as_python_does() {
        let values = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("NAME".to_owned(), "$a".to_owned())]);
        let of = |text| substituted(text, &values);
        assert_eq!(of("plain"), Ok(None));
        assert_eq!(of("x$a-${a}b$$c"), Ok(Some("x1-1b$c".to_owned())));
        assert_eq!(of("${NAME}"), Ok(Some("$a".to_owned())), "values are not looked through");
        let unknown = |name: &str| TemplateFault::Unknown { name: name.to_owned() };
        assert_eq!(of("$ab ${b}"), Err(vec![unknown("ab"), unknown("b")]));
        for text in ["$", "a $ b", "${a", "${}", "$1"] {
            assert_eq!(of(text), Err(vec![TemplateFault::Lone]), "for {text}");
        }
    }

    #[test]
    fn klio_28_a_value_may_hold_an_equals_sign() {
        assert_eq!(assignment(" a = b=c ").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert!(assignment("x").is_err() && assignment("=x").is_err());
    }
}
