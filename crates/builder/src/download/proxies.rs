//! Which proxy a URL goes through, by the variables that curl, pip and uv share.

use url::Url;

use super::Secret;
use crate::context::Environment;

/// The values of the proxy variables; each may hold a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    pub http: Option<Secret>,
    pub https: Option<Secret>,
    /// Comma-separated hosts that are reached directly; a host stands for its subdomains too, `*` for all.
    pub except: String,
}

impl Proxies {
    pub fn of(environment: &Environment) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| environment.text(name)).map(Secret::new);
        Self {
            http: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            except: first(&["no_proxy", "NO_PROXY"]).map(|list| list.reveal().to_owned()).unwrap_or_default(),
        }
    }

    /// `None` is a direct connection.
    pub(super) fn for_url(&self, url: &Url) -> Option<&Secret> {
        let host = url.host_str()?.to_ascii_lowercase();
        let excepted = self.except.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
            let (name, port) = match entry.rsplit_once(':') {
                Some((name, port)) if port.parse::<u16>().is_ok() && !name.contains(':') => (name, port.parse().ok()),
                _ => (entry, None),
            };
            let name = name.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let same_host =
                name == "*" || bare == name || bare.strip_suffix(&name).is_some_and(|rest| rest.ends_with('.'));
            same_host && (port.is_none() || port == url.port_or_known_default())
        });
        if excepted {
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
        let environment = Environment::new(
            [
                ("HTTPS_PROXY", "http://tls:3128"),
                ("ALL_PROXY", "socks5://all:1080"),
                ("no_proxy", "local.example, .dot.example,127.0.0.1,odd.example:81"),
            ]
            .map(|(name, value)| (name.into(), value.into())),
        );
        let proxies = Proxies::of(&environment);
        let cases = [
            ("https://host.example/", Some("http://tls:3128")),
            ("http://host.example/", Some("socks5://all:1080")),
            ("https://local.example/", None),
            ("https://a.local.example/", None),
            ("https://notlocal.example/", Some("http://tls:3128")),
            ("https://x.dot.example/", None),
            ("http://127.0.0.1:8080/", None),
            ("http://odd.example:81/", None),
            ("http://odd.example/", Some("socks5://all:1080")),
        ];
        for (url, expected) in cases {
            let found = proxies.for_url(&Url::parse(url).unwrap()).map(Secret::reveal);
            assert_eq!(found, expected, "for {url}");
        }
    }
}
