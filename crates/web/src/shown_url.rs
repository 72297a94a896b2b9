//! URLs in a form that may be shown.

use url::Url;

/// The URL without user, password, query and fragment, any of which may hold a secret. A plain path stays as it is.
pub fn without_secrets(place: &str) -> String {
    // `C:\artifacts\x.zip` parses as a URL with the scheme `c`.
    if place.as_bytes().get(1) == Some(&b':') {
        return place.to_owned();
    }
    let Ok(mut url) = Url::parse(place) else {
        // Not a valid URL; still nothing that looks like user and password may be shown.
        return match (place.find("://"), place.rfind('@')) {
            (Some(scheme), Some(at)) if scheme < at => format!("{}://{}", &place[..scheme], &place[at + 1..]),
            _ => place.to_owned(),
        };
    };
    // Fails only for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// The URL without user and password, to be compared and written down. Unlike [`without_secrets`] it still names the same
/// thing: what stands behind `?` and `#` stays.
pub fn without_credentials(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
            // Both fail only for URLs that cannot have credentials.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_password_and_query_are_never_shown() {
        let cases = [
            ("https://ada:secret@host.example/a/b.whl?X-Signature=secret#secret", "https://host.example/a/b.whl"),
            ("https://token@host.example:8443/simple/", "https://host.example:8443/simple/"),
            ("file:///tmp/x.whl", "file:///tmp/x.whl"),
            ("/tmp/x?y.tar", "/tmp/x?y.tar"),
            ("C:\\x.tar", "C:\\x.tar"),
            ("https://ada:secret@host:port/x", "https://host:port/x"),
        ];
        for (place, shown) in cases {
            assert_eq!(without_secrets(place), shown, "for {place:?}");
        }
    }
}
