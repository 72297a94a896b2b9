//! Sending a request, and following redirects.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderName, HeaderValue, Method, header};
use url::Url;

use crate::connections::ConnectionPool;
use crate::content::{OutgoingStream, RequestContent};
use crate::pace::OverLimit;
use crate::upload::FileUpload;
use crate::{Credentials, Deadline, Proxies, Secret, Tls, WebAnswer, WebFailure, WebLimits, failure, without_secrets};

/// A request without content.
#[derive(Clone)]
pub struct WebRequest {
    pub method: Method,
    /// User and password in it are sent as a header.
    pub url: Url,
    /// [`WebClient::send`] sends them to every host that the request is redirected to, so they must not be secret.
    pub headers: Vec<(HeaderName, String)>,
    /// The value of `Authorization`, for this URL alone. It comes before what the URL or `credentials` say.
    pub authorization: Option<Secret>,
}

impl WebRequest {
    /// Without headers.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), authorization: None }
    }
}

/// The URL without what may be secret in it.
impl fmt::Debug for WebRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, url, headers, authorization } = self;
        formatter
            .debug_struct("WebRequest")
            .field("method", method)
            .field("url", &without_secrets(url.as_str()))
            .field("headers", headers)
            .field("authorization", authorization)
            .finish()
    }
}

/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct WebClient {
    inner: Arc<SharedClient>,
}

struct SharedClient {
    proxies: Proxies,
    limits: WebLimits,
    connections: ConnectionPool,
}

const MAX_REDIRECTS: u32 = 10;

/// How many times longer than otherwise a server may be silent when it has received a whole file, since it stores it.
const STORING: u32 = 4;

/// Size of content that is stored at once, in bytes.
const SMALL: u64 = 64 << 10;

impl WebClient {
    /// Trusts the certificates that the system trusts. Connects to nothing yet.
    pub fn new(proxies: Proxies, limits: WebLimits) -> Self {
        Self::with(proxies, limits, Tls::default())
    }

    /// With other TLS settings than the system's.
    pub fn with(proxies: Proxies, limits: WebLimits, tls: Tls) -> Self {
        Self { inner: Arc::new(SharedClient { proxies, limits, connections: ConnectionPool::new(limits, tls) }) }
    }

    /// The answer at the end of all redirects. Each hop has its own proxy and its own `credentials`; those in a URL
    /// stay with their server.
    ///
    /// # Errors
    /// There is no answer, or a redirect that must not be followed, or `credentials` failed, so that nothing was asked.
    /// Any status is an answer.
    pub fn send<E: From<WebFailure>>(
        &self,
        mut ask: WebRequest,
        credentials: &dyn Fn(&Url) -> Result<Option<Credentials>, E>,
    ) -> Result<WebAnswer, E> {
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send_once(&ask, credentials(&ask.url)?)?;
            if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            ask.url = redirected(&ask.url, location)?;
            ask.authorization = None;
        }
        Err(WebFailure::lasting(format!("the server redirects more than {MAX_REDIRECTS} times")).into())
    }

    /// The answer to this very request, even if it is a redirect.
    ///
    /// # Errors
    /// There is no answer. Any status is one.
    pub fn ask(&self, ask: &WebRequest) -> Result<WebAnswer, WebFailure> {
        self.send_once(ask, Credentials::of_url(&ask.url))
    }

    /// Like [`WebClient::ask`], with the file's content, from its position on.
    ///
    /// # Errors
    /// The file cannot be read, the server accepts nothing for too long, or there is no answer.
    pub fn give(&self, ask: &WebRequest, content: File) -> Result<WebAnswer, WebFailure> {
        let unreadable = |error| WebFailure::lasting(format!("the file to be sent cannot be read: {error}"));
        let upload = FileUpload::new(content).map_err(unreadable)?;
        let (length, sent) = (upload.length(), upload.sent());
        self.transmit(ask, reqwest::Body::wrap(upload), (length, &sent), STORING)
    }

    /// Like [`WebClient::ask`], with content. Its length is sent, even if it is 0.
    ///
    /// # Errors
    /// A stream cannot be read, the server accepts nothing for too long, or there is no answer.
    pub fn put(&self, ask: &WebRequest, content: RequestContent) -> Result<WebAnswer, WebFailure> {
        match content {
            RequestContent::Bytes(bytes) => {
                let length = bytes.len() as u64;
                let patience = if length > SMALL { STORING } else { 1 };
                self.transmit(ask, bytes.into(), (length, &AtomicU64::new(0)), patience)
            }
            RequestContent::Stream(stream) => {
                let length = stream.length();
                let outgoing = OutgoingStream::new(stream);
                let sent = outgoing.sent();
                self.transmit(ask, reqwest::Body::wrap(outgoing), (length, &sent), STORING)
            }
        }
    }

    /// `sent` counts the bytes of the body that were handed over: as long as it grows, the server is not silent.
    /// `patience` is the number of silences that end the request.
    fn transmit(
        &self,
        ask: &WebRequest,
        body: reqwest::Body,
        (length, sent): (u64, &AtomicU64),
        patience: u32,
    ) -> Result<WebAnswer, WebFailure> {
        let mut request = request(ask, Credentials::of_url(&ask.url))?;
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        *request.body_mut() = Some(body);
        let mut seen = 0;
        let mut silent = 0;
        self.exchange(request, || {
            let now = sent.load(Ordering::Relaxed);
            silent = if now == seen { silent + 1 } else { 0 };
            seen = now;
            silent < patience
        })
    }

    fn send_once(&self, ask: &WebRequest, credentials: Option<Credentials>) -> Result<WebAnswer, WebFailure> {
        self.exchange(request(ask, credentials)?, || false)
    }

    /// `patient` decides after each silence whether to wait for another.
    fn exchange(&self, request: reqwest::Request, mut patient: impl FnMut() -> bool) -> Result<WebAnswer, WebFailure> {
        let SharedClient { proxies, limits, connections } = &*self.inner;
        let (client, driver) = connections.client(request.url(), proxies.for_url(request.url()))?;
        let late = |deadline: Deadline| WebFailure::from(OverLimit::Late { limit: deadline.limit });
        let meeting = connections.meeting(request.url());
        let response = driver.block_on(async {
            let mut answer = std::pin::pin!(async {
                match meeting {
                    Some(meeting) => meeting.during(client.execute(request)).await,
                    None => client.execute(request).await,
                }
            });
            loop {
                let left = limits.deadline.map_or(limits.stall, |deadline| deadline.left().min(limits.stall));
                let waited = tokio::time::timeout(left, &mut answer).await;
                let over = limits.deadline.filter(|deadline| deadline.left().is_zero());
                match (waited, over) {
                    (Ok(Ok(response)), _) => return Ok(response),
                    (_, Some(deadline)) => return Err(late(deadline)),
                    (Ok(Err(error)), None) => return Err(WebFailure::of(&error)),
                    (Err(_), None) if patient() => {}
                    (Err(_), None) => return Err(WebFailure::passing(failure::SILENT)),
                }
            }
        })?;
        Ok(WebAnswer::new(response, driver, *limits))
    }
}

impl fmt::Debug for WebClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SharedClient { proxies, limits, .. } = &*self.inner;
        formatter.debug_struct("WebClient").field("proxies", proxies).field("limits", limits).finish_non_exhaustive()
    }
}

fn request(ask: &WebRequest, credentials: Option<Credentials>) -> Result<reqwest::Request, WebFailure> {
    let mut bare = ask.url.clone();
    // The user information is sent as a header, never in a URL that could appear in a message.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_fragment(None);
    let mut request = reqwest::Request::new(ask.method.clone(), bare);
    let secret = ask.authorization.clone().or_else(|| credentials.map(|credentials| credentials.basic()));
    let unusable = |name: &HeaderName| WebFailure::lasting(format!("the header `{name}` cannot be sent"));
    for (name, value) in &ask.headers {
        let value = HeaderValue::from_str(value).map_err(|_| unusable(name))?;
        request.headers_mut().append(name, value);
    }
    if let Some(secret) = secret {
        let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| unusable(&header::AUTHORIZATION))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

/// Where a `Location` header redirects `url` to.
fn redirected(url: &Url, location: Option<&str>) -> Result<Url, WebFailure> {
    let mut target = location
        .and_then(|text| url.join(text).ok())
        .filter(|target| matches!(target.scheme(), "http" | "https"))
        .ok_or_else(|| WebFailure::lasting("the server redirects to no usable URL"))?;
    if url.scheme() == "https" && target.scheme() == "http" {
        let to = without_secrets(target.as_str());
        return Err(WebFailure::lasting(format!("the server redirects from https to unencrypted `{to}`")));
    }
    // A server may name itself with its full address.
    let server = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
    if server(&target) == server(url) && target.username().is_empty() && target.password().is_none() {
        // Neither can fail for a URL that has a host.
        let _ = target.set_username(url.username());
        let _ = target.set_password(url.password());
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_keeps_credentials_with_their_server_and_never_leaves_https() {
        let cases = [
            ("https://ada:pw@a.example/x/y", Some("z"), Ok("https://ada:pw@a.example/x/z")),
            ("https://ada:pw@a.example/x", Some("https://a.example/z"), Ok("https://ada:pw@a.example/z")),
            ("https://ada:pw@a.example/x", Some("https://a.example:444/z"), Ok("https://a.example:444/z")),
            ("https://ada:pw@a.example/x", Some("https://b.example/z"), Ok("https://b.example/z")),
            ("https://ada:pw@a.example/x", Some("https://bob:2@a.example/z"), Ok("https://bob:2@a.example/z")),
            (
                "https://a.example/x",
                Some("http://a.example/z?key=1"),
                Err("the server redirects from https to unencrypted `http://a.example/z`"),
            ),
            ("http://a.example/x", Some("https://a.example/z"), Ok("https://a.example/z")),
            ("http://a.example/x", Some("file:///etc/passwd"), Err("the server redirects to no usable URL")),
            ("http://a.example/x", None, Err("the server redirects to no usable URL")),
        ];
        for (url, location, expected) in cases {
            let found = redirected(&Url::parse(url).unwrap(), location);
            let found = found.as_ref().map(Url::as_str).map_err(|failure| failure.reason.as_str());
            assert_eq!(found, expected, "for {url} to {location:?}");
        }
    }

    #[test]
    fn a_proxy_that_is_no_url_is_said_without_its_text() {
        let proxies = Proxies::of(&|name| (name == "HTTP_PROXY").then(|| "http://u:secret@".to_owned()));
        let client = WebClient::new(proxies, WebLimits::default());
        let ask = WebRequest::new(Method::GET, Url::parse("http://a.example/").unwrap());
        let failure = client.ask(&ask).unwrap_err();
        assert_eq!(failure, WebFailure::lasting("the proxy variable for this URL holds no usable URL"));
    }
}
