//! Requests over HTTP: connections, proxies, credentials, redirects, limits.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{Request, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use url::Url;

use super::FetchErrorKind;
use super::origin::without_secrets;

/// Plain data.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    pub proxies: Proxies,
    /// For finding the host, connecting and the TLS handshake.
    pub connect_limit: Duration,
    /// The longest silence in the middle of an answer.
    pub stall_limit: Duration,
    /// For each range, at least 1.
    pub attempts: u32,
    /// Before the second attempt; doubles from one to the next.
    pub first_pause: Duration,
    /// How many ranges are fetched at once, at least 1.
    pub at_once: usize,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            proxies: Proxies::default(),
            connect_limit: Duration::from_secs(10),
            stall_limit: Duration::from_secs(30),
            attempts: 5,
            first_pause: Duration::from_millis(500),
            at_once: 4,
        }
    }
}

/// The values of the proxy variables that curl, pip and uv share. Each may hold a password.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    /// Comma-separated hosts that are reached directly; a host stands for its subdomains too, `*` for all.
    except: String,
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Proxies").field("except", &self.except).finish_non_exhaustive()
    }
}

impl Proxies {
    /// `variable` gives the value of an environment variable.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        Self {
            http: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            except: first(&["no_proxy", "NO_PROXY"]).unwrap_or_default(),
        }
    }

    /// `None` is a direct connection.
    fn for_url(&self, url: &Url) -> Option<&str> {
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        let excepted = |entry: &str| {
            let (name, port) = match entry.rsplit_once(':') {
                Some((name, port)) if !name.contains(':') => (name, port.parse::<u16>().ok()),
                _ => (entry, None),
            };
            let name = name.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
            let below = host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            (name == "*" || below) && (port.is_none() || port == url.port_or_known_default())
        };
        if self.except.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(excepted) {
            return None;
        }
        if url.scheme() == "https" { self.https.as_deref() } else { self.http.as_deref() }
    }
}

/// Why there was no answer, or no whole one.
#[derive(Debug)]
pub(super) enum Setback {
    /// Another attempt may go better.
    Passing(String),
    Final(FetchErrorKind),
}

impl From<FetchErrorKind> for Setback {
    fn from(kind: FetchErrorKind) -> Self {
        Self::Final(kind)
    }
}

const MAX_REDIRECTS: u32 = 10;

/// An artifact on a web server.
pub(super) struct Web {
    url: Url,
    proxies: Proxies,
    agent: ureq::Agent,
}

pub(super) type WebAnswer = Response<ureq::Body>;

impl Web {
    pub(super) fn new(url: Url, settings: &FetchSettings) -> Self {
        Self { url, proxies: settings.proxies.clone(), agent: ureq::Agent::new_with_config(config(settings)) }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Follows redirects by itself: each hop has its own proxy, and credentials stay with their host.
    pub(super) fn get(&self, url: &Url, headers: &[(header::HeaderName, String)]) -> Result<WebAnswer, Setback> {
        let refuse = |reason: String| Setback::Final(FetchErrorKind::Refused { reason });
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(&url, headers)?;
            if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let mut target = location
                .and_then(|text| url.join(text).ok())
                .filter(|target| matches!(target.scheme(), "http" | "https"))
                .ok_or_else(|| refuse("the server redirects to no usable URL".to_owned()))?;
            if url.scheme() == "https" && target.scheme() == "http" {
                let to = without_secrets(target.as_str());
                return Err(refuse(format!("the server redirects from https to unencrypted `{to}`")));
            }
            if target.origin() == url.origin() && target.username().is_empty() && target.password().is_none() {
                // Neither can fail for a URL that has a host.
                let _ = target.set_username(url.username());
                let _ = target.set_password(url.password());
            }
            url = target;
        }
        Err(refuse(format!("the server redirects more than {MAX_REDIRECTS} times")))
    }

    fn send(&self, url: &Url, headers: &[(header::HeaderName, String)]) -> Result<WebAnswer, Setback> {
        let refuse = |reason: String| Setback::Final(FetchErrorKind::Refused { reason });
        let mut bare = url.clone();
        // The user information travels as a header, never in a URL that could turn up in a message.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        bare.set_fragment(None);
        let mut request = Request::get(bare.as_str());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(basic) = basic(url) {
            request = request.header(header::AUTHORIZATION, basic);
        }
        let request = request.body(()).map_err(|error| refuse(error.to_string()))?;
        let sent = match self.proxies.for_url(&bare) {
            None => self.agent.run(request),
            Some(proxy) => {
                let proxy = ureq::Proxy::new(proxy)
                    .map_err(|_| refuse("the proxy variable for this URL holds no usable URL".to_owned()))?;
                self.agent.run(self.agent.configure_request(request).proxy(Some(proxy)).build())
            }
        };
        sent.map_err(|error| setback_of(&error))
    }
}

fn config(settings: &FetchSettings) -> ureq::config::Config {
    ureq::Agent::config_builder()
        // Its default is to look at the environment; here each request is told its proxy.
        .proxy(None)
        // The certificates that the system trusts, a company's own among them.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("pydist/", env!("CARGO_PKG_VERSION")))
        // Ranges are of the file itself.
        .accept_encoding("identity")
        .timeout_resolve(Some(settings.connect_limit))
        .timeout_connect(Some(settings.connect_limit))
        .timeout_recv_response(Some(settings.stall_limit))
        .timeout_per_read(Some(settings.stall_limit))
        .build()
}

/// The value of an `Authorization` header (RFC 7617), from the user information of a URL.
fn basic(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let plain = |text: &str| percent_decoded(text);
    let pair = [plain(url.username()), plain(url.password().unwrap_or_default())].join(&b':');
    Some(format!("Basic {}", STANDARD.encode(pair)))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        let decoded = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    bytes
}

fn setback_of(error: &ureq::Error) -> Setback {
    let passing = match error {
        ureq::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_) => true,
        _ => false,
    };
    let reason = match error {
        ureq::Error::HostNotFound => "the host's name does not resolve".to_owned(),
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            "the host cannot be connected within the limit".to_owned()
        }
        ureq::Error::Timeout(_) => "the server went silent".to_owned(),
        ureq::Error::Io(error) => format!("the connection failed: {error}"),
        other => other.to_string(),
    };
    if passing { Setback::Passing(reason) } else { Setback::Final(FetchErrorKind::Refused { reason }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_proxy_and_no_proxy_excepts_hosts_with_their_subdomains() {
        let proxies = Proxies::of(&|name| {
            let value = match name {
                "HTTPS_PROXY" => "http://u:secret@tls:3128",
                "ALL_PROXY" => "socks5://all:1080",
                "no_proxy" => "local.example, .dot.example,127.0.0.1,odd.example:81",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let cases = [
            ("https://host.example/", Some("http://u:secret@tls:3128")),
            ("http://host.example/", Some("socks5://all:1080")),
            ("https://local.example/", None),
            ("https://a.local.example/", None),
            ("https://notlocal.example/", Some("http://u:secret@tls:3128")),
            ("http://127.0.0.1:8080/", None),
            ("http://odd.example:81/", None),
            ("http://odd.example/", Some("socks5://all:1080")),
        ];
        for (url, expected) in cases {
            assert_eq!(proxies.for_url(&Url::parse(url).unwrap()), expected, "for {url}");
        }
        assert!(!format!("{proxies:?}").contains("secret"));
    }

    #[test]
    fn credentials_are_decoded() {
        let url = Url::parse("https://ada:p%40ss@host.example/").unwrap();
        assert_eq!(basic(&url).unwrap(), format!("Basic {}", STANDARD.encode("ada:p@ss")));
        assert_eq!(basic(&Url::parse("https://host.example/").unwrap()), None);
    }
}
