//! Addresses of indexes without what nobody may see, for messages.

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

/// A text of others with user and password cut out of every address in it.
pub(crate) fn without_secrets(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find("://") {
        result.push_str(&rest[..place + 3]);
        rest = &rest[place + 3..];
        let end = rest.find(|it: char| it.is_whitespace() || "/'\"`<>,".contains(it)).unwrap_or(rest.len());
        if let Some(at) = rest[..end].rfind('@') {
            rest = &rest[at + 1..];
        }
    }
    result.push_str(rest);
    result
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
        let text = "Command ['pip', '--index-url=https://u:p@ss@h.example/x'] failed; http://a@b";
        assert_eq!(without_secrets(text), "Command ['pip', '--index-url=https://h.example/x'] failed; http://b");
    }
}
