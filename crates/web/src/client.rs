//! Sending a request, and following where it leads.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{HeaderName, Method, Request, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use url::Url;

use crate::pace::OverLimit;
use crate::{Body, Credentials, Deadline, Failure, Pace, Proxies, without_secrets};

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    /// User and password in it are sent as a header.
    pub url: Url,
    /// Sent to every host that the request is redirected to, so never anything secret.
    pub headers: Vec<(HeaderName, String)>,
}

pub type Answer = Response<ureq::Body>;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For finding the host, connecting and the TLS handshake.
    pub connect: Duration,
    /// The longest silence in the middle of an answer.
    pub stall: Duration,
    pub pace: Pace,
    /// For all requests together.
    pub deadline: Option<Deadline>,
}

impl Default for Limits {
    fn default() -> Self {
        let (connect, stall) = (Duration::from_secs(10), Duration::from_secs(30));
        Self { connect, stall, pace: Pace::default(), deadline: None }
    }
}

/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    proxies: Proxies,
    limits: Limits,
    /// By the proxy's URL, the empty text for direct connections.
    agents: Mutex<BTreeMap<String, ureq::Agent>>,
}

const MAX_REDIRECTS: u32 = 10;

impl Client {
    pub fn new(proxies: Proxies, limits: Limits) -> Self {
        Self { inner: Arc::new(Inner { proxies, limits, agents: Mutex::default() }) }
    }

    /// What reaches the URL's host. Follows no redirect and takes every status for an answer.
    ///
    /// # Errors
    /// The proxy for this URL is none.
    pub fn agent(&self, url: &Url) -> Result<ureq::Agent, Failure> {
        let Inner { proxies, limits, agents } = &*self.inner;
        let proxy = proxies.for_url(url).map(|secret| secret.reveal().to_owned()).unwrap_or_default();
        // Made at the first use, because reading the system's certificates takes a while.
        let mut agents = agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&proxy) {
            return Ok(agent.clone());
        }
        let unusable = |_| Failure::lasting("the proxy variable for this URL holds no usable URL");
        let through = if proxy.is_empty() { None } else { Some(ureq::Proxy::new(&proxy).map_err(unusable)?) };
        let config = ureq::Agent::config_builder()
            // Its default is to look at the environment.
            .proxy(through)
            // The certificates that the system trusts, a company's own among them.
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("pydist/", env!("CARGO_PKG_VERSION")))
            // Ranges and digests are of the file itself.
            .accept_encoding("identity")
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.stall))
            .timeout_per_read(Some(limits.stall))
            .build();
        let agent = ureq::Agent::new_with_config(config);
        agents.insert(proxy, agent.clone());
        Ok(agent)
    }

    /// The answer at the end of all redirects. Each hop has its own proxy and its own `credentials`; those in a URL
    /// stay with their server.
    ///
    /// # Errors
    /// There is no answer, or a redirect that must not be followed. Any status is an answer.
    pub fn send(&self, mut ask: Ask, credentials: &dyn Fn(&Url) -> Option<Credentials>) -> Result<Answer, Failure> {
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send_once(&ask, credentials)?;
            if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            ask.url = redirected(&ask.url, location)?;
        }
        Err(Failure::lasting(format!("the server redirects more than {MAX_REDIRECTS} times")))
    }

    /// The bytes of an answer that came from here, within the limits.
    pub fn body(&self, answer: Answer) -> Body {
        let Limits { pace, deadline, .. } = self.inner.limits;
        Body::new(answer, pace, deadline)
    }

    fn send_once(&self, ask: &Ask, credentials: &dyn Fn(&Url) -> Option<Credentials>) -> Result<Answer, Failure> {
        let mut bare = ask.url.clone();
        // The user information travels as a header, never in a URL that could turn up in a message.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        bare.set_fragment(None);
        let mut request = Request::builder().method(ask.method.clone()).uri(bare.as_str());
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if let Some(credentials) = credentials(&ask.url) {
            request = request.header(header::AUTHORIZATION, credentials.basic().reveal());
        }
        let mut request = request.body(()).map_err(|error| Failure::lasting(error.to_string()))?;
        let agent = self.agent(&bare)?;
        let Some(deadline) = self.inner.limits.deadline else {
            return agent.run(request).map_err(|error| Failure::from(&error));
        };
        let late = || Failure::from(OverLimit::Late { limit: deadline.limit });
        let left = deadline.left();
        if left.is_zero() {
            return Err(late());
        }
        request = agent.configure_request(request).timeout_global(Some(left)).build();
        agent.run(request).map_err(|error| if deadline.left().is_zero() { late() } else { Failure::from(&error) })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { proxies, limits, .. } = &*self.inner;
        formatter.debug_struct("Client").field("proxies", proxies).field("limits", limits).finish_non_exhaustive()
    }
}

/// Where `url` is redirected to by a `Location` header.
fn redirected(url: &Url, location: Option<&str>) -> Result<Url, Failure> {
    let mut target = location
        .and_then(|text| url.join(text).ok())
        .filter(|target| matches!(target.scheme(), "http" | "https"))
        .ok_or_else(|| Failure::lasting("the server redirects to no usable URL"))?;
    if url.scheme() == "https" && target.scheme() == "http" {
        let to = without_secrets(target.as_str());
        return Err(Failure::lasting(format!("the server redirects from https to unencrypted `{to}`")));
    }
    // A server may name itself in full.
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
        let client = Client::new(proxies, Limits::default());
        let failure = client.agent(&Url::parse("http://a.example/").unwrap()).unwrap_err();
        assert!(failure.kind == crate::FailureKind::Lasting && !failure.reason.contains("secret"), "{failure:?}");
        assert!(client.agent(&Url::parse("https://a.example/").unwrap()).is_ok());
    }
}
