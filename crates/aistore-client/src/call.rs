//! One call of the API: its URL, the redirects that it meets, when it is made again.
//!
//! Redirects are followed by hand: a proxy answers 301 or 307 to send a client to the target that has an object, at
//! another port and so at another origin. `Location` is followed as it stands, since the target checks what the proxy
//! wrote into it; the token and AIStore's headers go along; and no answer is remembered, not even a 301, since objects
//! move between targets.

use std::io::Read as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use url::{Position, Url};
use web::{
    FailureKind, HeaderName, Method, RequestContent, RetryChance, Secret, WebAnswer, WebClient, WebFailure, WebRequest,
    header,
};

use crate::client::Client;
use crate::content::{ContentAgain, HELD_FROM};
use crate::error::shortened;
use crate::{Error, Refusal, RefusalKind};

/// Redirects of one call.
const MOST_HOPS: usize = 5;

/// The longest answer other than an object, in bytes.
const LONGEST_ANSWER: u64 = 256 << 20;

/// What is asked.
pub(crate) struct ApiCall {
    pub(crate) method: Method,
    /// From `/v1` on, encoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) content: Option<RequestContent>,
    /// For content that is a stream: the same anew.
    pub(crate) again: Option<ContentAgain>,
    /// Whether asking twice does the same as asking once.
    pub(crate) is_repeatable: bool,
}

impl ApiCall {
    pub(crate) fn new(method: Method, path: String, query: Vec<(&'static str, String)>) -> Self {
        let is_repeatable = method == Method::GET || method == Method::HEAD;
        Self { method, path, query, headers: Vec::new(), content: None, again: None, is_repeatable }
    }

    /// With a body that says what to do.
    pub(crate) fn action(mut self, action: &str, value: &impl Serialize) -> Self {
        self.named_action(action, "", value);
        self
    }

    pub(crate) fn named_action(&mut self, action: &str, name: &str, value: &impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.json(&serde_json::json!({ "action": action, "name": name, "value": value }));
    }

    pub(crate) fn json(&mut self, body: &serde_json::Value) {
        self.headers.push((header::CONTENT_TYPE, "application/json".to_owned()));
        self.content = Some(RequestContent::Bytes(Bytes::from(body.to_string())));
    }

    pub(crate) fn header(&mut self, name: &'static str, value: impl Into<String>) {
        self.headers.push((HeaderName::from_static(name), value.into()));
    }

    /// For messages.
    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn url(&self, endpoint: &Url) -> Result<Url, Error> {
        let mut text = endpoint.as_str().trim_end_matches('/').to_owned();
        text.push_str(&self.path);
        for (index, (name, value)) in self.query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.push_str(&encoded(value));
        }
        let unusable = |reason: String| crate::names::invalid("URL", &text, reason);
        let url = Url::parse(&text).map_err(|error| unusable(error.to_string()))?;
        if url.as_str() == text { Ok(url) } else { Err(unusable("it would be changed on the way".to_owned())) }
    }
}

/// For a query, and for one component of a path: everything but letters, digits and `-_.~`.
pub(crate) fn encoded(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, SET).to_string()
}

/// For a path; `/` stays.
pub(crate) fn encoded_path(text: &str) -> String {
    text.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// An attempt that came to nothing.
struct CallSetback {
    error: Box<Error>,
    chance: Option<RetryChance>,
}

impl web::Setback for CallSetback {
    fn chance(&self) -> Option<RetryChance> {
        self.chance.clone()
    }
}

impl Client {
    /// The answer to a call, one of success.
    ///
    /// # Errors
    /// Every other.
    pub(crate) fn call(&self, mut call: ApiCall) -> Result<WebAnswer, Error> {
        let begun = Instant::now();
        let mut pause = self.settings().retries.first_pause.max(Duration::from_millis(100));
        loop {
            match self.call_with_retries(&mut call) {
                Err(error) if error.is(RefusalKind::Busy) => {
                    let left = self.settings().busy_limit.saturating_sub(begun.elapsed());
                    if left.is_zero() || !renew(&mut call) {
                        return Err(error);
                    }
                    std::thread::sleep(pause.min(left));
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                outcome => return outcome,
            }
        }
    }

    /// As [`Client::call`], a single time, and asking this server first.
    pub(crate) fn try_once(&self, server: &Url, mut call: ApiCall) -> Result<WebAnswer, Error> {
        self.follow(&call.url(server)?, &mut call)
    }

    fn call_with_retries(&self, call: &mut ApiCall) -> Result<WebAnswer, Error> {
        let url = call.url(self.endpoint())?;
        self.settings()
            .retries
            .run(&|| Ok(()), &|_, _| {}, || {
                let attempt = self.follow(&url, call);
                attempt.map_err(|error| {
                    let chance = chance(&error, call.is_repeatable);
                    CallSetback { chance: chance.filter(|_| renew(call)), error: Box::new(error) }
                })
            })
            .map_err(|(_, setback)| *setback.error)
    }

    /// Asks, and asks where the answer leads to.
    fn follow(&self, url: &Url, call: &mut ApiCall) -> Result<WebAnswer, Error> {
        let mut url = url.clone();
        for hop in 0..=MOST_HOPS {
            let token = self.settings().token.as_ref();
            let ask = WebRequest {
                headers: call.headers.clone(),
                authorization: token.map(|token| Secret::new(format!("Bearer {}", token.reveal()))),
                ..WebRequest::new(call.method.clone(), url.clone())
            };
            let content = for_hop(call.content.clone(), hop, self.settings().redirect_wait);
            let answer = ask_once(self.web(), &ask, content);
            let answer = answer.map_err(|failure| Error::Unanswered { request: call.shown(), failure })?;
            let status = answer.status().as_u16();
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                let location = answer.headers().get(header::LOCATION).map(web_text);
                url = redirected(&url, location.as_deref(), keeps_method(&call.method, status))
                    .map_err(|reason| Error::Redirect { request: call.shown(), reason })?;
                if !renew(call) {
                    return Err(Error::SentOnce { request: call.shown() });
                }
                continue;
            }
            return if status < 400 { Ok(answer) } else { Err(refused(&call.shown(), answer)) };
        }
        let reason = format!("too many redirects: more than {MOST_HOPS}");
        Err(Error::Redirect { request: call.shown(), reason })
    }
}

fn ask_once(web: &WebClient, ask: &WebRequest, content: Option<RequestContent>) -> Result<WebAnswer, WebFailure> {
    match content {
        None if ask.method == Method::GET || ask.method == Method::HEAD => web.ask(ask),
        // Some servers want to know that nothing will follow.
        None => web.put(ask, RequestContent::Bytes(Bytes::new())),
        Some(content) => web.put(ask, content),
    }
}

/// Makes the content fit for another request. `false` when it is a stream that was begun and cannot be read again.
fn renew(call: &mut ApiCall) -> bool {
    let Some(RequestContent::Stream(stream)) = &call.content else { return true };
    let renewed =
        stream.reclaim().map(RequestContent::Stream).or_else(|| call.again.as_mut().and_then(|again| again()));
    let Some(content) = renewed else { return false };
    call.content = Some(content);
    true
}

/// Content as the first hop, or a later one, gets it. A server that was redirected to takes it.
fn for_hop(content: Option<RequestContent>, hop: usize, wait: Duration) -> Option<RequestContent> {
    let Some(RequestContent::Stream(stream)) = content else { return content };
    let wait = if hop == 0 && stream.length() >= HELD_FROM { wait } else { Duration::ZERO };
    Some(RequestContent::Stream(stream.held(wait)))
}

fn chance(error: &Error, is_repeatable: bool) -> Option<RetryChance> {
    let chance = RetryChance { reason: error.to_string(), pause: None };
    match error {
        Error::Refused(refusal) => matches!(refusal.status, 429 | 502..=504).then_some(chance),
        Error::Unanswered { failure, .. } => {
            (failure.kind == FailureKind::Passing && (is_repeatable || failure.never_arrived())).then_some(chance)
        }
        _ => None,
    }
}

fn web_text(value: &impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(value.as_ref()).into_owned()
}

/// Whether a redirect with this status is one for this method: 301 to 303 turn others into GET.
fn keeps_method(method: &Method, status: u16) -> bool {
    matches!(status, 307 | 308) || *method == Method::GET || *method == Method::HEAD
}

/// AIStore writes some characters of names into `Location` that no URL may hold, such as `{` and `\`. They are encoded, and
/// nothing else is touched.
fn sendable(location: &str) -> String {
    let query = location.find('?').unwrap_or(location.len());
    let mut text = String::with_capacity(location.len());
    for (index, character) in location.char_indices() {
        let is_kept = match character {
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => false,
            '\'' => index < query,
            _ => character.is_ascii_graphic(),
        };
        if is_kept {
            text.push(character);
        } else {
            text.push_str(&encoded(character.encode_utf8(&mut [0; 4])));
        }
    }
    text
}

/// Where `Location` leads to, to the letter.
fn redirected(from: &Url, location: Option<&str>, keeps_method: bool) -> Result<Url, String> {
    let location = location.ok_or("the server redirects to no URL")?;
    if !keeps_method {
        return Err("the server redirects a request that changes something as if it read".to_owned());
    }
    let location = &sendable(location);
    let target = from.join(location).map_err(|_| "the server redirects to no usable URL")?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err(format!("the server redirects to the scheme `{}:`", target.scheme()));
    }
    if from.scheme() == "https" && target.scheme() == "http" {
        return Err("the server redirects from https to an unencrypted connection".to_owned());
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err("the server redirects to a URL that holds a user or a password".to_owned());
    }
    let rest = match location.split_once("://") {
        Some((_, rest)) => rest.find(['/', '?', '#']).map_or("/", |index| &rest[index..]),
        None => location,
    };
    // Dots that would be resolved, characters that would be encoded, a fragment that would be cut.
    if target[Position::BeforePath..] != *rest || target.fragment().is_some() {
        return Err("the server redirects to a URL that would be changed on the way".to_owned());
    }
    Ok(target)
}

fn refused(request: &str, answer: WebAnswer) -> Error {
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let mut body = Vec::new();
    // What there is of it says more than that it broke off.
    let _ = answer.into_body().take(64 << 10).read_to_end(&mut body);
    Error::Refused(Box::new(Refusal::of(request, status, &headers, &body)))
}

/// All of an answer that is not an object.
pub(crate) fn body(request: &str, answer: WebAnswer) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = answer.into_body().take(LONGEST_ANSWER + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::Unanswered { request: request.to_owned(), failure: WebFailure::of_body(&error) })?;
    if bytes.len() as u64 > LONGEST_ANSWER {
        return Err(unreadable(request, "it is too long", &bytes));
    }
    Ok(bytes)
}

/// As [`body`], for ids and the like.
pub(crate) fn body_text(request: &str, answer: WebAnswer) -> Result<String, Error> {
    let bytes = body(request, answer)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable(request, "it is not text", &bytes))?;
    Ok(text.trim().trim_matches('"').to_owned())
}

pub(crate) fn unreadable(request: &str, reason: impl Into<String>, bytes: &[u8]) -> Error {
    Error::Unreadable { request: request.to_owned(), reason: reason.into(), text: shortened(bytes) }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;

    #[test]
    fn ais_6_a_location_is_followed_to_the_letter_or_not_at_all() {
        let cases = [
            ("http://p:1/v1/x", "http://t:2/v1/objects/b/a%20b?provider=ais&utm=x", None),
            ("http://p:1/v1/x", "/v1/objects/b/a", None),
            ("http://p:1/v1/x", "https://t:2/v1/x?a=%2F%2f", None),
            ("http://p:1/v1/x", "http://t:2", None),
            ("http://p:1/v1/x", "file:///etc/passwd", Some("the server redirects to the scheme `file:`")),
            ("http://p:1/v1/x", "ftp://h/x", Some("the server redirects to the scheme `ftp:`")),
            ("https://p:1/v1/x", "http://t:2/v1/x", Some("from https to an unencrypted")),
            ("http://p:1/v1/x", "http://ada:pw@t:2/v1/x", Some("holds a user or a password")),
            ("http://p:1/v1/x", "http://t:2/a/../b", Some("changed on the way")),
            ("http://p:1/v1/x", "http://t:2/a#b", Some("changed on the way")),
            ("http://p:1/v1/x", "other", Some("changed on the way")),
            ("http://p:1/v1/x", "http://", Some("no usable URL")),
        ];
        for (from, location, refusal) in cases {
            let found = redirected(&Url::parse(from).unwrap(), Some(location), true);
            match (found, refusal) {
                (Ok(url), None) => assert!(url.as_str().trim_end_matches('/').ends_with(location), "{location}"),
                (Err(reason), Some(expected)) => assert!(reason.contains(expected), "{location}: {reason}"),
                (found, _) => panic!("{location}: {found:?}"),
            }
        }
        assert!(redirected(&Url::parse("http://p/").unwrap(), None, true).is_err());
        // What no URL may hold is encoded.
        let found = redirected(&Url::parse("http://p/").unwrap(), Some(r#"http://t:2/a\b{1}"é'?x='y'&z=%7b"#), true);
        assert_eq!(found.unwrap().as_str(), "http://t:2/a%5Cb%7B1%7D%22%C3%A9'?x=%27y%27&z=%7b");
    }

    #[test]
    fn ais_13_names_are_encoded_by_component() {
        assert_eq!(encoded_path("dir/o 1#é"), "dir/o%201%23%C3%A9");
        assert_eq!(encoded_path("a?b%c+d&e"), "a%3Fb%25c%2Bd%26e");
    }

    proptest! {
        #[test]
        fn a_location_of_any_text_is_an_answer_and_no_panic(text in ".*", secure in any::<bool>()) {
            let from = Url::parse(if secure { "https://p:1/v1/x" } else { "http://p:1/v1/x" }).unwrap();
            if let Ok(url) = redirected(&from, Some(&text), true) {
                prop_assert!(matches!(url.scheme(), "http" | "https"));
                prop_assert!(!secure || url.scheme() == "https");
            }
        }

        #[test]
        fn an_answer_of_any_bytes_is_a_refusal_and_no_panic(bytes in vec(any::<u8>(), 0..4096), in_header in vec(any::<u8>(), 0..300), status in 400_u16..600) {
            let mut headers = web::HeaderMap::new();
            if let Ok(value) = in_header.as_slice().try_into() {
                headers.insert(crate::headers::ERROR, value);
            }
            for body in [bytes.as_slice(), b""] {
                let refusal = Refusal::of("GET /x", status, &headers, body);
                prop_assert_eq!(refusal.status, status);
                prop_assert!(refusal.text.len() <= 1024);
                prop_assert!(!refusal.to_string().chars().any(char::is_control));
            }
        }

        #[test]
        fn an_error_that_is_cut_or_damaged_anywhere_is_a_refusal_with_its_status(at in any::<Index>(), byte in any::<u8>()) {
            let whole = br#"{"tcode":"ErrBckNotFound","message":"bucket \"ais://demo\" does not exist","status":404}"#;
            let cut = &whole[..at.index(whole.len())];
            let mut damaged = whole.to_vec();
            damaged[at.index(whole.len())] = byte;
            for body in [cut, &damaged] {
                let refusal = Refusal::of("HEAD /x", 404, &web::HeaderMap::new(), body);
                prop_assert_eq!(refusal.status, 404);
                prop_assert_eq!(&refusal.text, &String::from_utf8_lossy(body));
            }
        }

        #[test]
        fn headers_of_any_bytes_are_properties_and_no_panic(bytes in vec(any::<u8>(), 0..100), name in select(HEADERS)) {
            let mut headers = web::HeaderMap::new();
            if let Ok(value) = bytes.as_slice().try_into() {
                headers.insert(name, value);
                let _ = crate::ObjectProperties::of_headers(&headers);
            }
        }
    }

    const HEADERS: &[&str] = &[
        crate::headers::CHECKSUM_KIND,
        crate::headers::CUSTOM,
        crate::headers::VERSION,
        crate::headers::ACCESSED,
        crate::headers::COPIES,
        "content-length",
        "etag",
    ];
}
