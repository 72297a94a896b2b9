//! User and password, and how they are sent.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

/// A text, or a key of another library, that must not be shown: `Display` and `Debug` hide it. A type that holds one derives
/// `Debug` and shows nothing of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl Secret {
    /// Hides the text from `Display` and `Debug` from here on; memory is not wiped.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for sending it to its server.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T> Secret<T> {
    /// As [`Secret::new`], for a value of any type.
    pub fn hiding(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for its one use.
    pub fn as_inner(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("****")
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("****")
    }
}

/// User and password for one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// May itself be a token, so it is hidden as well.
    pub user: Secret,
    pub password: Secret,
}

impl Credentials {
    /// From the user information of a URL, percent-decoded. `None` if it has none.
    pub fn of_url(url: &Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        Some(Self {
            user: Secret(percent_decoded(url.username())),
            password: Secret(percent_decoded(url.password().unwrap_or_default())),
        })
    }

    /// From the value of an `Authorization` header. `None` for another scheme than `Basic`.
    pub fn of_basic(value: &str) -> Option<Self> {
        let (scheme, coded) = value.trim().split_once(' ')?;
        let plain = STANDARD.decode(coded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let plain = String::from_utf8(plain).ok()?;
        let (user, password) = plain.split_once(':')?;
        Some(Self { user: Secret::new(user), password: Secret::new(password) })
    }

    /// The value of an `Authorization` header (RFC 7617).
    pub fn basic(&self) -> Secret {
        Secret(format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user.0, self.password.0))))
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientIdentity, Method, Proxies, WebClient, WebLimits, WebRequest};

    #[test]
    fn the_user_information_of_a_url_is_decoded_and_hidden_wherever_it_is_printed() {
        let of = |url: &str| Credentials::of_url(&Url::parse(url).unwrap());
        let found = of("https://ada:p%40ss@host.example/").unwrap();
        assert_eq!((found.user.reveal(), found.password.reveal()), ("ada", "p@ss"));
        let found = of("https://ada:secret@host/").unwrap();
        let shown = format!("{found:?} {} {:?}", found.password, found.basic());
        assert!(!shown.contains("secret") && !shown.contains("ada"), "{shown}");
        let key = Secret::hiding(vec!["secret"]);
        let identity = ClientIdentity { certificates: Vec::new(), key: Secret::new("secret") };
        let proxies = Proxies::of(&|name| (name == "HTTP_PROXY").then(|| "http://ada:secret@host".to_owned()));
        let url = Url::parse("https://ada:secret@host/?token=secret").unwrap();
        let ask = WebRequest { authorization: Some(Secret::new("Bearer secret")), ..WebRequest::new(Method::GET, url) };
        let client = WebClient::new(proxies.clone(), WebLimits::default());
        let shown = format!("{key:?} {key} {identity:?} {proxies:?} {ask:?} {client:?}");
        assert!(!shown.contains("secret") && !shown.contains("ada"), "{shown}");
        assert_eq!(found.basic().reveal(), "Basic YWRhOnNlY3JldA==");
        assert_eq!(of("https://host.example/"), None);
    }

    #[test]
    fn the_value_of_a_header_is_read_back_unless_it_is_of_another_scheme_or_broken() {
        let given = Credentials { user: Secret::new("ada"), password: Secret::new("p:w") };
        assert_eq!(Credentials::of_basic(given.basic().reveal()), Some(given));
        for value in ["", "Basic", "Basic !", "Bearer YTpi", "Basic YWRh", "Basic /////w=="] {
            assert_eq!(Credentials::of_basic(value), None, "for {value}");
        }
    }
}
