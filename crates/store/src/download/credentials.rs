//! Which user and password a host gets.
//!
//! In uv's order: those in the URL itself, those given for its index or host, those in the netrc file, those that `uv
//! auth login` stored, those of the program `keyring`. They are looked up anew for every hop of a redirect, so one
//! host's credentials never reach another.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use netrc::Netrc;
use url::Url;
use web::{Credentials, Secret};

use super::keepers::Keepers;
use super::uv_indexes::{UserIndex, is_path_below, root_of};

/// Credentials for one server: what was given for `https` is never sent in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCredentials {
    /// `https` or `http`.
    pub scheme: String,
    /// Lower case, without port.
    pub host: String,
    pub port: u16,
    /// Where a host has several, those whose path is nearest to that of a URL are for it. Without a slash at its end.
    pub path: String,
    pub credentials: Credentials,
}

impl HostCredentials {
    /// Credentials in an index's URL. `None` if it has none or is not a web URL.
    pub fn of_url(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        Self::new(&url, Credentials::of_url(&url)?)
    }

    fn new(url: &Url, credentials: Credentials) -> Option<Self> {
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str()?.to_ascii_lowercase(),
            port: url.port_or_known_default()?,
            path: root_of(url.path()).to_owned(),
            credentials,
        })
    }

    pub(super) fn of_index(index: &UserIndex) -> Option<Self> {
        Self::new(&index.url, index.credentials.clone()?)
    }

    /// Whether the URL leads to this server, whatever user it names.
    pub fn are_for(&self, url: &Url) -> bool {
        url.scheme() == self.scheme
            && url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
            && url.port_or_known_default() == Some(self.port)
    }

    /// Those for the URL: of its own index, or else the first of its host.
    pub fn nearest<'a>(all: &'a [Self], url: &Url) -> Option<&'a Self> {
        let of_host = || all.iter().filter(|entry| entry.are_for(url));
        // The first of several that are equally near: `max_by_key` takes the last.
        let own = of_host().rev().filter(|entry| is_path_below(url.path(), &entry.path));
        own.max_by_key(|entry| entry.path.len()).or_else(|| of_host().next())
    }
}

/// All credentials that are known before the first request, and the programs that may know more.
#[derive(Default)]
pub(super) struct Keyring {
    hosts: Vec<HostCredentials>,
    /// Host and credentials; an empty host is the `default` entry.
    netrc: Vec<(String, Credentials)>,
    indexes: Vec<UserIndex>,
    keepers: Keepers,
}

impl Keyring {
    /// A netrc file that is absent or cannot be understood counts as empty, as with pip and curl.
    pub(super) fn new(
        hosts: Vec<HostCredentials>,
        netrc: Option<&Path>,
        indexes: Vec<UserIndex>,
        keepers: Keepers,
    ) -> Self {
        let text = netrc.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        Self { hosts, netrc: parse_netrc(&text), indexes, keepers }
    }

    /// The program that keeps what `uv auth login` stored.
    pub(super) fn learn_uv(&self, program: PathBuf) {
        self.keepers.learn_uv(program);
    }

    /// What is known already; starts a program only for the password of a user.
    pub(super) fn for_url(&self, url: &Url) -> Option<Credentials> {
        let given = || HostCredentials::nearest(&self.hosts, url).map(|entry| entry.credentials.clone());
        match Credentials::of_url(url).or_else(given) {
            Some(known) if !known.password.reveal().is_empty() => Some(known),
            Some(known) => Some(self.with_password(url, known)),
            None => self
                .of_netrc(url, None)
                .or_else(|| self.places(url).into_iter().find_map(|index| self.keepers.remembered(url, index))),
        }
    }

    /// Asks the programs for a server that wants credentials although it got none. Whether there are some now.
    pub(super) fn ask_for(&self, url: &Url) -> bool {
        let keepers = &self.keepers;
        self.for_url(url).is_none() && self.places(url).into_iter().any(|index| keepers.ask(url, index, None).is_some())
    }

    /// A user alone may be a token, so it stays as it is where nobody knows a password.
    fn with_password(&self, url: &Url, known: Credentials) -> Credentials {
        let user = known.user.reveal();
        let kept = || self.places(url).into_iter().find_map(|index| self.keepers.ask(url, index, Some(user)));
        self.of_netrc(url, Some(user)).or_else(kept).unwrap_or(known)
    }

    fn of_netrc(&self, url: &Url, user: Option<&str>) -> Option<Credentials> {
        let host = url.host_str()?.to_ascii_lowercase();
        let fits = |found: &Credentials| user.is_none_or(|user| user == found.user.reveal());
        let entry = |name: &str| self.netrc.iter().find(|(host, found)| host == name && fits(found));
        entry(&host).or_else(|| entry("")).map(|(_, found)| found.clone())
    }

    /// What to ask the programs for: the index of a URL; the indexes of its server, since their files may lie anywhere
    /// on it; the server.
    fn places(&self, url: &Url) -> Vec<Option<&UserIndex>> {
        let own = self.indexes.iter().filter(|index| index.contains(url)).max_by_key(|index| index.reach());
        let of_server = self.indexes.iter().filter(|index| index.url.origin() == url.origin());
        match own {
            Some(own) => vec![Some(own), None],
            None => of_server.map(Some).chain([None]).collect(),
        }
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

    fn keyring(hosts: Vec<HostCredentials>, netrc: Option<&Path>) -> Keyring {
        Keyring::new(hosts, netrc, Vec::new(), Keepers::default())
    }

    #[test]
    fn the_url_beats_the_given_hosts_beat_the_netrc_file() {
        let folder = tempfile::tempdir().unwrap();
        let netrc = folder.path().join("netrc");
        let text = "machine a.example login netrc password file\nmachine b.example login bob password pw\n";
        std::fs::write(&netrc, text).unwrap();
        let given = HostCredentials::of_url("https://given:p%40ss@A.example/simple/").unwrap();
        let keyring = keyring(vec![given], Some(&netrc));
        let cases = [
            ("https://own:x@a.example/f", Some("own:x")),
            ("https://a.example/f", Some("given:p@ss")),
            ("https://a.example:8443/f", Some("netrc:file")), // another port is another server
            ("http://a.example:443/f", Some("netrc:file")),   // so is one without encryption
            ("https://b.example/f", Some("bob:pw")),
            // A user without a password gets the one that netrc has for it, and no other.
            ("https://bob@b.example/f", Some("bob:pw")),
            ("https://eve@b.example/f", Some("eve:")),
            ("https://c.example/f", None),
        ];
        for (url, expected) in cases {
            assert_eq!(found(&keyring, url).as_deref(), expected, "for {url}");
        }
    }

    #[test]
    fn of_two_indexes_on_one_host_each_has_its_own_credentials() {
        let given =
            ["https://a:1@h.example/one/simple/", "https://b:2@h.example/two/simple", "https://c:3@h.example/two"];
        let hosts = given.iter().filter_map(|url| HostCredentials::of_url(url)).collect();
        let keyring = keyring(hosts, None);
        let cases = [
            ("https://h.example/one/simple/demo/", Some("a:1")),
            ("https://h.example/one/files/demo.whl", Some("a:1")),
            ("https://h.example/two/simple/demo/", Some("b:2")),
            ("https://h.example/twofold/", Some("a:1")),
            ("https://h.example.org/one/simple/", None),
            ("http://h.example/one/simple/", None),
        ];
        for (url, expected) in cases {
            assert_eq!(found(&keyring, url).as_deref(), expected, "for {url}");
        }
    }

    #[test]
    fn the_default_entry_of_netrc_serves_every_other_host() {
        let netrc = parse_netrc(b"machine a login x password y\ndefault login d password e");
        let keyring = Keyring { netrc, ..Keyring::default() };
        assert_eq!(found(&keyring, "http://z/").as_deref(), Some("d:e"));
    }

    #[test]
    fn a_broken_netrc_counts_as_empty() {
        assert!(parse_netrc(b"login without machine \xff").is_empty());
        assert!(found(&keyring(vec![], Some(Path::new("/nowhere/netrc"))), "http://a/").is_none());
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are_printed() {
        let entry = HostCredentials::of_url("https://ada:secret@host/").unwrap();
        let shown = format!("{entry:?} {} {:?}", entry.credentials.password, entry.credentials.basic());
        assert!(!shown.contains("secret") && !shown.contains("ada"), "{shown}");
        assert_eq!(entry.credentials.basic().reveal(), "Basic YWRhOnNlY3JldA==");
    }
}
