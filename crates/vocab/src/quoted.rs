//! Text from files, shortened for messages: on one line, without passwords.

use std::borrow::Cow;

/// Quotes text from a file: in backticks, on one line, at most 60 characters, without passwords.
pub fn shown(text: &str) -> String {
    let text = without_passwords(text);
    let mut short = escaped(&text.chars().take(60).collect::<String>());
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

/// Replaces the password of each `scheme://user:password@host` by three stars. For `http` and `https` the user is
/// replaced as well, since it may be a token: messages end up in logs.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    let mut safe = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        let end = rest[start..].find(['/', '"', '\'', ' ', '\n']).map_or(rest.len(), |length| start + length);
        let authority = &rest[start..end];
        let is_web = ["http://", "https://"].iter().any(|scheme| rest[..start].ends_with(scheme));
        match authority.rsplit_once('@').map(|(user, host)| (user.split_once(':').map(|(name, _)| name), host)) {
            Some((_, host)) if is_web => safe.push_str(&format!("{}***@{host}", &rest[..start])),
            Some((Some(user), host)) => safe.push_str(&format!("{}{user}:***@{host}", &rest[..start])),
            _ => safe.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    if safe.is_empty() {
        return Cow::Borrowed(text);
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

/// Escapes whatever could move a cursor, change the writing direction or start a line.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '"' | '\'' => escaped.push(character),
            other => escaped.extend(other.escape_debug()),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_shows_a_password() {
        let cases = [
            ("https://me:secret@x/y", "https://***@x/y"),
            ("a @ git+https://me:se@cret@x ; b", "a @ git+https://***@x ; b"),
            ("https://token@x/a:b@c", "https://***@x/a:b@c"),
            ("git+ssh://git@x/a", "git+ssh://git@x/a"),
            ("ftp://a:b@c/d http://e:f@g", "ftp://a:***@c/d http://***@g"),
            ("numpy", "numpy"),
        ];
        for (text, safe) in cases {
            assert_eq!(without_passwords(text), safe);
        }
    }
}
