//! Which proxy a URL goes through, by the variables that curl, pip and uv share.

use url::Url;

use super::Secret;

/// The values of the proxy variables; each may hold a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http:` URLs.
    pub http: Option<Secret>,
    /// For `https:` URLs.
    pub https: Option<Secret>,
    /// Comma-separated hosts that are reached directly; a host includes its subdomains, `*` means all.
    pub except: String,
}

impl Proxies {
    /// `variable` returns the value of an environment variable.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        Self {
            http: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]).map(Secret::new),
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]).map(Secret::new),
            except: first(&["no_proxy", "NO_PROXY"]).unwrap_or_default(),
        }
    }

    /// `None`: a direct connection.
    pub fn for_url(&self, url: &Url) -> Option<&Secret> {
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let excepted = |entry: &str| {
            let (name, port) = match entry.rsplit_once(':') {
                Some((name, port)) if port.parse::<u16>().is_ok() && !name.contains(':') => (name, port.parse().ok()),
                _ => (entry, None),
            };
            let name = name.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
            let below = host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            (name == "*" || below) && (port.is_none() || port == url.port_or_known_default())
        };
        if self.except.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(excepted) {
            return None;
        }
        if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }
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
            ("https://x.dot.example/", None),
            ("http://127.0.0.1:8080/", None),
            ("http://odd.example:81/", None),
            ("http://odd.example/", Some("socks5://all:1080")),
        ];
        for (url, expected) in cases {
            let found = proxies.for_url(&Url::parse(url).unwrap()).map(Secret::reveal);
            assert_eq!(found, expected, "for {url}");
        }
        assert!(!format!("{proxies:?}").contains("secret"));
    }
}
