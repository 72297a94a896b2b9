//! Which user and password a host gets.
//!
//! In this order: those in the URL itself, those given for the host, those in the netrc file. They are looked up
//! anew for every hop of a redirect, so one host's credentials never reach another.

use std::io::Cursor;
use std::path::Path;

use netrc::Netrc;
use url::Url;
use web::{Credentials, Secret};

/// Credentials for one host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCredentials {
    /// Lower case, without port.
    pub host: String,
    pub port: u16,
    pub credentials: Credentials,
}

impl HostCredentials {
    /// Credentials in an index's URL. `None` if it has none or is not a web URL.
    pub fn of_url(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        Some(Self {
            host: url.host_str()?.to_ascii_lowercase(),
            port: url.port_or_known_default()?,
            credentials: Credentials::of_url(&url)?,
        })
    }

    /// Whether the URL leads to this host and port, whatever user it names.
    pub fn are_for(&self, url: &Url) -> bool {
        url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
            && url.port_or_known_default() == Some(self.port)
    }
}

/// All credentials that are known before the first request.
#[derive(Clone, Default)]
pub(super) struct Keyring {
    hosts: Vec<HostCredentials>,
    /// Host and credentials; an empty host is the `default` entry.
    netrc: Vec<(String, Credentials)>,
}

impl Keyring {
    /// A netrc file that is absent or cannot be understood counts as empty, as with pip and curl.
    pub(super) fn new(hosts: Vec<HostCredentials>, netrc: Option<&Path>) -> Self {
        let text = netrc.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        Self { hosts, netrc: parse_netrc(&text) }
    }

    pub(super) fn for_url(&self, url: &Url) -> Option<Credentials> {
        if let Some(own) = Credentials::of_url(url) {
            return Some(own);
        }
        if let Some(given) = self.hosts.iter().find(|entry| entry.are_for(url)) {
            return Some(given.credentials.clone());
        }
        let host = url.host_str()?.to_ascii_lowercase();
        let named = self.netrc.iter().find(|(name, _)| *name == host);
        named.or_else(|| self.netrc.iter().find(|(name, _)| name.is_empty())).map(|(_, found)| found.clone())
    }
}

fn parse_netrc(text: &[u8]) -> Vec<(String, Credentials)> {
    let Ok(parsed) = Netrc::parse(Cursor::new(text)) else {
        return Vec::new();
    };
    let default = parsed.default.map(|machine| (String::new(), machine));
    parsed
        .hosts
        .into_iter()
        .chain(default)
        .map(|(host, machine)| {
            let password = Secret::new(machine.password.unwrap_or_default());
            (host.to_ascii_lowercase(), Credentials { user: Secret::new(machine.login), password })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(keyring: &Keyring, url: &str) -> Option<String> {
        let credentials = keyring.for_url(&Url::parse(url).unwrap())?;
        Some(format!("{}:{}", credentials.user.reveal(), credentials.password.reveal()))
    }

    #[test]
    fn the_url_beats_the_given_hosts_beat_the_netrc_file() {
        let folder = tempfile::tempdir().unwrap();
        let netrc = folder.path().join("netrc");
        let text = "machine a.example login netrc password file\nmachine b.example login bob password pw\n";
        std::fs::write(&netrc, text).unwrap();
        let given = HostCredentials::of_url("https://given:p%40ss@A.example/simple/").unwrap();
        let keyring = Keyring::new(vec![given], Some(&netrc));
        let cases = [
            ("https://own:x@a.example/f", Some("own:x")),
            ("https://a.example/f", Some("given:p@ss")),
            ("https://a.example:8443/f", Some("netrc:file")), // another port is another server
            ("https://b.example/f", Some("bob:pw")),
            ("https://c.example/f", None),
        ];
        for (url, expected) in cases {
            assert_eq!(found(&keyring, url).as_deref(), expected, "for {url}");
        }
    }

    #[test]
    fn the_default_entry_of_netrc_serves_every_other_host() {
        let keyring =
            Keyring { hosts: vec![], netrc: parse_netrc(b"machine a login x password y\ndefault login d password e") };
        assert_eq!(found(&keyring, "http://z/").as_deref(), Some("d:e"));
    }

    #[test]
    fn a_broken_netrc_counts_as_empty() {
        assert!(parse_netrc(b"login without machine \xff").is_empty());
        assert!(found(&Keyring::new(vec![], Some(Path::new("/nowhere/netrc"))), "http://a/").is_none());
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are_printed() {
        let entry = HostCredentials::of_url("https://ada:secret@host/").unwrap();
        let shown = format!("{entry:?} {} {:?}", entry.credentials.password, entry.credentials.basic());
        assert!(!shown.contains("secret") && !shown.contains("ada"), "{shown}");
        assert_eq!(entry.credentials.basic().reveal(), "Basic YWRhOnNlY3JldA==");
    }
}
