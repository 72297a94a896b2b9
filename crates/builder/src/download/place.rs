//! URLs as they may be shown.

use url::Url;

/// The URL without user, password, query and fragment, any of which may hold a secret. A plain path stays as it is.
pub fn without_secrets(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else {
        // Not a URL for us; still nothing that looks like a user and password may get out.
        return match (url.find("://"), url.rfind('@')) {
            (Some(scheme), Some(at)) if scheme < at => format!("{}://{}", &url[..scheme], &url[at + 1..]),
            _ => url.to_owned(),
        };
    };
    // Refused only by URLs that cannot have them.
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    parsed.set_query(None);
    parsed.set_fragment(None);
    parsed.into()
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
            ("/tmp/x.whl", "/tmp/x.whl"),
            ("https://ada:secret@host:port/x", "https://host:port/x"),
        ];
        for (url, shown) in cases {
            assert_eq!(without_secrets(url), shown, "for {url:?}");
        }
    }
}
