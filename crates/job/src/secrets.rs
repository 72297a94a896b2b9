//! Addresses of indexes without what nobody may see, for messages.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// The address without user, password and query; also of `user:password@host/path` without a scheme.
pub(crate) fn shown_index(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    let path = rest[end..].split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}{host}{path}")
}

/// Whether it holds a user or password.
pub(crate) fn has_credentials(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@')
}

/// A text of others with user, password and query cut out of every address in it; also of `user:password@host` without a
/// scheme.
pub(crate) fn without_secrets(text: &str) -> String {
    let is_end = |it: char| it.is_whitespace() || "'\"`<>,()[]{}|".contains(it);
    let mut result = String::with_capacity(text.len());
    for token in text.split_inclusive(is_end) {
        let word = token.trim_end_matches(is_end);
        result.push_str(&without_secret(word));
        result.push_str(&token[word.len()..]);
    }
    result
}

/// Of one word, such as `--index-url=https://user:password@host/simple?token=x`.
fn without_secret(word: &str) -> String {
    if let Some(place) = word.find("://") {
        let (before, address) = word.split_at(place + 3);
        // A password may hold a slash that should have been encoded; the last `@` before a query ends it.
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let host = if path.find('@').is_some_and(|at| path[..at].contains(':')) {
            path.rsplit('@').next().unwrap_or_default().to_owned()
        } else {
            let end = path.find('/').unwrap_or(path.len());
            format!("{}{}", path[..end].rsplit('@').next().unwrap_or_default(), &path[end..])
        };
        let query = if address.len() > path.len() && address.as_bytes()[path.len()] == b'#' {
            &address[path.len()..]
        } else {
            ""
        };
        return format!("{before}{host}{query}");
    }
    let start = word.find('=').map_or(0, |place| place + 1);
    match word[start..].rfind('@') {
        Some(at) if word[start..start + at].contains(':') => format!("{}{}", &word[..start], &word[start + at + 1..]),
        _ => word.to_owned(),
    }
}

/// The same for every text in a value that is shown as JSON.
pub(crate) fn shown_without_secrets<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(value).map_err(serde::ser::Error::custom)?;
    clean(&mut value);
    value.serialize(serializer)
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_secrets(text),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(map) => map.values_mut().for_each(clean),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn klio_44_no_password_is_shown() {
        let cases = [
            ("https://u:p@h.example/simple?token=x", "https://h.example/simple"),
            ("u:p@h.example/simple", "h.example/simple"),
            ("pypi.internal.net", "pypi.internal.net"),
        ];
        for (address, shown) in cases {
            assert_eq!(shown_index(address), shown);
            assert_eq!(has_credentials(address), address.contains('@'));
        }
        let cases = [
            (
                "Command ['pip', '--index-url=https://u:p@ss@h.example/x'] failed; http://a@b",
                "Command ['pip', '--index-url=https://h.example/x'] failed; http://b",
            ),
            ("x @ https://u:p/w@h.example/x-1.whl#sha256=0", "x @ https://h.example/x-1.whl#sha256=0"),
            (
                "--extra-index-url u:p@h.example/simple, mail a@b.example",
                "--extra-index-url h.example/simple, mail a@b.example",
            ),
            ("--extra-index-url=u:p@h.example", "--extra-index-url=h.example"),
            ("https://h.example/x?token=abc def", "https://h.example/x def"),
            ("git+https://h.example/x.git@v1", "git+https://h.example/x.git@v1"),
            ("a:b c@d", "a:b c@d"),
        ];
        for (text, shown) in cases {
            assert_eq!(without_secrets(text), shown);
        }
    }
}
