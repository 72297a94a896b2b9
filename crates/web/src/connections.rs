//! Connections to servers: one client of reqwest for each proxy, with TLS for all threads, without it for each lane.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use url::Url;

use crate::host_names::SystemResolver;
use crate::lane::{Driver, Lanes, runtime};
use crate::{Secret, Tls, WebFailure, WebLimits, tls};

/// How long others wait for the first answer of a new server.
const MEETING: Duration = Duration::from_secs(1);

/// The first request to a server goes alone: its answer shows whether the others can share its connection; otherwise
/// they would find none and open one each.
#[derive(Default)]
pub(crate) struct FirstMeeting {
    over: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

impl FirstMeeting {
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        if self.over.load(Ordering::Acquire) {
            return work.await;
        }
        let turn = tokio::time::timeout(MEETING, self.turn.lock()).await;
        if self.over.load(Ordering::Acquire) {
            drop(turn);
            return work.await;
        }
        // Also after a failure, or the others would fail one after the other. If the first was cancelled, the next
        // takes its turn.
        let done = work.await;
        self.over.store(true, Ordering::Release);
        done
    }
}

/// Clients by what they need; each is created at its first use.
pub(crate) struct ConnectionPool {
    limits: WebLimits,
    /// For TLS, by the proxy's URL (empty for direct connections), and whether the server is believed anyway.
    clients: Mutex<BTreeMap<(String, bool), reqwest::Client>>,
    /// For all without TLS.
    lanes: Arc<Lanes>,
    tls_settings: Tls,
    /// Reading the system's certificates takes a while, and is not needed without TLS.
    tls: OnceLock<Result<ClientConfig, String>>,
    unverified_tls: OnceLock<Result<ClientConfig, String>>,
    /// Keyed by the server's origin. Without TLS they speak HTTP/1.1, where each request needs a connection anyway.
    meetings: Mutex<BTreeMap<String, Arc<FirstMeeting>>>,
}

impl ConnectionPool {
    pub(crate) fn new(limits: WebLimits, tls_settings: Tls) -> Self {
        let (clients, lanes, meetings) = (Mutex::default(), Arc::default(), Mutex::default());
        let (tls, unverified_tls) = (OnceLock::new(), OnceLock::new());
        Self { limits, clients, lanes, tls_settings, tls, unverified_tls, meetings }
    }

    /// The client for the URL's host, and what drives it. It follows no redirect and accepts every status.
    pub(crate) fn client(&self, url: &Url, proxy: Option<&Secret>) -> Result<(reqwest::Client, Driver), WebFailure> {
        let proxy = proxy.map(Secret::reveal).unwrap_or_default();
        if url.scheme() != "https" && !proxy.to_ascii_lowercase().starts_with("https:") {
            let lane = self.lanes.take()?;
            let client = lane.client(proxy, || self.connect(proxy, tls::unused()))?;
            return Ok((client, Driver::Lane(lane)));
        }
        let key = (proxy.to_owned(), self.tls_settings.is_unverified(url));
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match clients.get(&key) {
            Some(client) => client.clone(),
            None => {
                let client = self.connect(proxy, self.tls(key.1))?;
                clients.insert(key, client.clone());
                client
            }
        };
        Ok((client, Driver::Threads(runtime()?)))
    }

    pub(crate) fn meeting(&self, url: &Url) -> Option<Arc<FirstMeeting>> {
        if url.scheme() != "https" {
            return None;
        }
        let mut meetings = self.meetings.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(meetings.entry(url.origin().ascii_serialization()).or_default()))
    }

    fn connect(&self, proxy: &str, tls: Result<ClientConfig, String>) -> Result<reqwest::Client, WebFailure> {
        let WebLimits { connect, stall, .. } = self.limits;
        let mut headers = HeaderMap::new();
        // Ranges and digests refer to the file itself.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut tls = tls.map_err(|error| WebFailure::lasting(format!("TLS cannot be used: {error}")))?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // By default it would read the environment.
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .user_agent(concat!("pydist/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .dns_resolver(Arc::new(SystemResolver))
            .connect_timeout(connect)
            // A connection that many requests share may be dead: without this, each further attempt would wait on the
            // same one. It is detected before a request counts as silent.
            .http2_keep_alive_interval(stall / 3)
            .http2_keep_alive_timeout(stall / 3);
        if !proxy.is_empty() {
            let unusable = || WebFailure::lasting("the proxy variable for this URL holds no usable URL");
            let proxy = proxy_url(proxy).ok_or_else(unusable)?;
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| unusable())?);
        }
        builder.build().map_err(|error| WebFailure::of(&error))
    }

    fn tls(&self, unverified: bool) -> Result<ClientConfig, String> {
        let slot = if unverified { &self.unverified_tls } else { &self.tls };
        slot.get_or_init(|| self.tls_settings.config(unverified)).clone()
    }
}

/// A proxy as the variables name it: also `host:port`, and `socks:` for SOCKS 5.
fn proxy_url(text: &str) -> Option<Url> {
    let text = match text.split_once("://") {
        None => format!("http://{text}"),
        Some(("socks", rest)) => format!("socks5://{rest}"),
        Some(_) => text.to_owned(),
    };
    let url = Url::parse(&text).ok().filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))?;
    matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_url_of_a_known_scheme_or_a_host() {
        let cases = [
            ("http://u:p@host:3128", Some("http://u:p@host:3128/")),
            ("host:3128", Some("http://host:3128/")),
            ("u:p@host:3128", Some("http://u:p@host:3128/")),
            ("https://host", Some("https://host/")),
            ("socks://host:1", Some("socks5://host:1")),
            ("socks5h://host", Some("socks5h://host")),
            ("socks4://host", Some("socks4://host")),
            ("ftp://host", None),
            ("http://", None),
            ("http://u:secret@", None),
        ];
        for (text, expected) in cases {
            assert_eq!(proxy_url(text).as_ref().map(Url::as_str), expected, "for {text:?}");
        }
    }
}
