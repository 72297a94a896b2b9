//! Which user and password a request gets: the same requests as of uv.
//!
//! Unasked are only sent those in the URL itself and those given for the index that it belongs to. Other requests go
//! without first; a server that refuses them (401, 403, 404) gets, in uv's order, those given for its indexes, those in
//! the netrc file, those that `uv auth login` stored, those of the program `keyring`. They are looked up anew for every
//! hop of a redirect, so one host's credentials never reach another.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use netrc::Netrc;
use url::Url;
use web::{Credentials, Secret};

use super::credentials_error::CredentialsError;
use super::keepers::Keepers;
use super::uv_indexes::{Authenticate, UserIndex, is_path_below, root_of};

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

    /// Those of the index that the URL belongs to, which are sent unasked: a last folder `simple` aside, its path is
    /// above that of the URL. Of several the nearest.
    pub fn nearest<'a>(all: &'a [Self], url: &Url) -> Option<&'a Self> {
        // The first of several that are equally near: `max_by_key` takes the last.
        Self::above(all, url).rev().max_by_key(|entry| entry.path.len())
    }

    /// The same for a file. Of several the outermost, as with uv, which looks from the root of the server.
    fn outermost<'a>(all: &'a [Self], url: &Url) -> Option<&'a Self> {
        Self::above(all, url).min_by_key(|entry| entry.path.len())
    }

    fn above<'a>(all: &'a [Self], url: &Url) -> impl DoubleEndedIterator<Item = &'a Self> {
        all.iter().filter(|entry| entry.are_for(url) && is_path_below(url.path(), &entry.path))
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
    /// What servers have accepted after they had refused the same request without.
    accepted: Mutex<Vec<HostCredentials>>,
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
        Self { hosts, netrc: parse_netrc(&text), indexes, keepers, accepted: Mutex::default() }
    }

    /// The program that keeps what `uv auth login` stored.
    pub(super) fn learn_uv(&self, program: PathBuf) {
        self.keepers.learn_uv(program);
    }

    /// What is sent with the first request for a URL: what is in the URL itself, or was given for its index, or the
    /// server has accepted for it. The rest only where the index wants that (`authenticate = "always"`).
    ///
    /// # Errors
    /// The index wants credentials and there are none, or a program does not answer.
    pub(super) fn unasked(&self, url: &Url) -> Result<Option<Credentials>, CredentialsError> {
        if let Some(own) = Credentials::of_url(url) {
            return Ok(Some(self.completed(url, &own)?.unwrap_or(own)));
        }
        let index = self.index_of(url);
        let policy = index.map(|index| index.authenticate).unwrap_or_default();
        if policy == Authenticate::Never {
            return Ok(None);
        }
        let given = self.given_for(url).map(|entry| entry.credentials.clone());
        let given = match given {
            // A user alone may be a token. uv looks for a password first for pages, and for files only if it has to.
            Some(given) if !is_whole(&given) && index.is_some_and(|index| index.has_page(url)) => {
                Some(self.completed(url, &given)?.unwrap_or(given))
            }
            given => given.or_else(|| self.accepted_for(url)),
        };
        match (policy, given) {
            (Authenticate::Always, given) if given.as_ref().is_none_or(|given| !is_whole(given)) => {
                let user = given.as_ref().map(|given| given.user.reveal());
                self.found(url, user)?.filter(is_whole).map(Some).ok_or(CredentialsError::Missing)
            }
            (_, given) => Ok(given),
        }
    }

    /// What a server gets that has refused a request with what was sent.
    ///
    /// # Errors
    /// A program does not answer.
    pub(super) fn after_refusal(
        &self,
        url: &Url,
        sent: Option<&Credentials>,
    ) -> Result<Option<Credentials>, CredentialsError> {
        let policy = self.index_of(url).map(|index| index.authenticate).unwrap_or_default();
        if policy == Authenticate::Never || sent.is_some_and(is_whole) || Credentials::of_url(url).is_some() {
            return Ok(None);
        }
        let found = self.found(url, sent.map(|sent| sent.user.reveal()))?;
        Ok(found.filter(|found| Some(found) != sent))
    }

    /// The server has accepted them: the next request for this URL, or below it, has them at once.
    pub(super) fn accept(&self, url: &Url, credentials: Credentials) {
        let Some(mut entry) = HostCredentials::new(url, credentials) else { return };
        url.path().trim_end_matches('/').clone_into(&mut entry.path);
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if !accepted.contains(&entry) {
            accepted.push(entry);
        }
    }

    /// For a program that asks the index of this URL itself and takes credentials only beforehand.
    pub(super) fn known(&self, index: &Url) -> Option<Credentials> {
        match self.unasked(index) {
            Ok(Some(known)) if is_whole(&known) => Some(known),
            Ok(known) if self.index_of(index).is_none_or(|own| own.authenticate != Authenticate::Never) => {
                let remembered = || self.places(index).into_iter().find_map(|own| self.keepers.remembered(index, own));
                known.or_else(|| self.of_netrc(index, None)).or_else(remembered)
            }
            _ => None,
        }
    }

    /// What was given for the index of a URL: a page has its own index, of a file the outermost counts.
    fn given_for(&self, url: &Url) -> Option<&HostCredentials> {
        match self.index_of(url) {
            Some(index) if index.has_page(url) => HostCredentials::nearest(&self.hosts, url),
            _ => HostCredentials::outermost(&self.hosts, url),
        }
    }

    fn accepted_for(&self, url: &Url) -> Option<Credentials> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        HostCredentials::nearest(&accepted, url).map(|entry| entry.credentials.clone())
    }

    /// Everything that may be for the URL: what was given for indexes of its server, since their files may lie
    /// anywhere on it; netrc; programs.
    fn found(&self, url: &Url, user: Option<&str>) -> Result<Option<Credentials>, CredentialsError> {
        let fits = |entry: &&HostCredentials| {
            entry.are_for(url) && user.is_none_or(|user| user == entry.credentials.user.reveal())
        };
        let own = self.given_for(url).filter(fits);
        let mut user_alone = None;
        for entry in own.into_iter().chain(self.hosts.iter().filter(fits)) {
            if let Some(whole) = self.completed(url, &entry.credentials)? {
                return Ok(Some(whole));
            }
            user_alone.get_or_insert_with(|| entry.credentials.clone());
        }
        let user = user.or_else(|| user_alone.as_ref().map(|given| given.user.reveal()));
        Ok(self.kept(url, user)?.or_else(|| user_alone.clone()))
    }

    /// The same with a password, if they have one or somebody knows it.
    fn completed(&self, url: &Url, given: &Credentials) -> Result<Option<Credentials>, CredentialsError> {
        if is_whole(given) {
            return Ok(Some(given.clone()));
        }
        self.kept(url, Some(given.user.reveal()))
    }

    /// What netrc or a program has, of this user if there is one.
    fn kept(&self, url: &Url, user: Option<&str>) -> Result<Option<Credentials>, CredentialsError> {
        if let Some(found) = self.of_netrc(url, user) {
            return Ok(Some(found));
        }
        for index in self.places(url) {
            if let Some(found) = self.keepers.ask(url, index, user)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn of_netrc(&self, url: &Url, user: Option<&str>) -> Option<Credentials> {
        let host = url.host_str()?.to_ascii_lowercase();
        let fits = |found: &Credentials| user.is_none_or(|user| user == found.user.reveal());
        let entry = |name: &str| self.netrc.iter().find(|(host, found)| host == name && fits(found));
        entry(&host).or_else(|| entry("")).map(|(_, found)| found.clone())
    }

    /// The index that a URL belongs to. What the user says of it comes before what the configuration says.
    fn index_of(&self, url: &Url) -> Option<&UserIndex> {
        self.indexes.iter().filter(|index| index.contains(url)).rev().max_by_key(|index| index.reach())
    }

    /// What to ask the programs for: the index of a URL; the indexes of its server, since their files may lie anywhere
    /// on it; the server.
    fn places(&self, url: &Url) -> Vec<Option<&UserIndex>> {
        let of_server = self.indexes.iter().filter(|index| index.url.origin() == url.origin());
        match self.index_of(url) {
            Some(own) => vec![Some(own), None],
            None => of_server.map(Some).chain([None]).collect(),
        }
    }
}

fn is_whole(credentials: &Credentials) -> bool {
    !credentials.password.reveal().is_empty()
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

    fn shown(credentials: Option<Credentials>) -> Option<String> {
        credentials.map(|found| format!("{}:{}", found.user.reveal(), found.password.reveal()))
    }

    /// What is sent with the first request, and with the second after a refusal of the first.
    fn sent(keyring: &Keyring, url: &str) -> (Option<String>, Option<String>) {
        let url = Url::parse(url).unwrap();
        let first = keyring.unasked(&url).unwrap();
        let second = keyring.after_refusal(&url, first.as_ref()).unwrap();
        (shown(first), shown(second))
    }

    fn keyring(hosts: Vec<HostCredentials>, netrc: Option<&Path>) -> Keyring {
        Keyring::new(hosts, netrc, Vec::new(), Keepers::default())
    }

    fn is(first: Option<&str>, second: Option<&str>) -> (Option<String>, Option<String>) {
        (first.map(str::to_owned), second.map(str::to_owned))
    }

    #[test]
    fn those_of_the_url_and_its_index_are_sent_unasked_and_the_others_after_a_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let netrc = folder.path().join("netrc");
        let text = "machine a.example login netrc password file\nmachine b.example login bob password pw\n";
        std::fs::write(&netrc, text).unwrap();
        let given = HostCredentials::of_url("https://given:p%40ss@A.example/one/simple/").unwrap();
        let keyring = keyring(vec![given], Some(&netrc));
        let cases = [
            ("https://own:x@a.example/f", is(Some("own:x"), None)),
            ("https://a.example/one/f", is(Some("given:p@ss"), None)),
            ("https://a.example/f", is(None, Some("given:p@ss"))),
            ("https://a.example:8443/one/f", is(None, Some("netrc:file"))), // another port is another server
            ("http://a.example:443/one/f", is(None, Some("netrc:file"))),   // so is one without encryption
            ("https://b.example/f", is(None, Some("bob:pw"))),
            // A user without a password gets the one that netrc has for it, and no other.
            ("https://bob@b.example/f", is(Some("bob:pw"), None)),
            ("https://eve@b.example/f", is(Some("eve:"), None)),
            ("https://c.example/f", is(None, None)),
        ];
        for (url, expected) in cases {
            assert_eq!(sent(&keyring, url), expected, "for {url}");
        }
    }

    #[test]
    fn of_two_indexes_on_one_host_each_has_its_own_credentials() {
        let given =
            ["https://a:1@h.example/one/simple/", "https://b:2@h.example/two/simple", "https://c:3@h.example/two"];
        let hosts = given.iter().filter_map(|url| HostCredentials::of_url(url)).collect();
        let keyring = keyring(hosts, None);
        let cases = [
            ("https://h.example/one/simple/demo/", is(Some("a:1"), None)),
            ("https://h.example/one/files/demo.whl", is(Some("a:1"), None)),
            ("https://h.example/two/simple/demo/", is(Some("b:2"), None)),
            ("https://h.example/twofold/", is(None, Some("a:1"))),
            ("https://h.example.org/one/simple/", is(None, None)),
            ("http://h.example/one/simple/", is(None, None)),
        ];
        for (url, expected) in cases {
            assert_eq!(sent(&keyring, url), expected, "for {url}");
        }
    }

    #[test]
    fn what_the_user_says_of_an_index_comes_before_the_same_index_of_the_configuration() {
        let index = |authenticate| UserIndex { authenticate, ..UserIndex::of_url("https://h.example/simple").unwrap() };
        let keyring = |authenticate| Keyring {
            indexes: vec![index(authenticate), index(Authenticate::Auto)],
            netrc: parse_netrc(b"machine h.example login ada password x"),
            ..Keyring::default()
        };
        let of = |authenticate| sent(&keyring(authenticate), "https://h.example/simple/demo/");
        assert_eq!(of(Authenticate::Auto), is(None, Some("ada:x")));
        assert_eq!(of(Authenticate::Always), is(Some("ada:x"), None));
        assert_eq!(of(Authenticate::Never), is(None, None));
    }

    #[test]
    fn the_default_entry_of_netrc_serves_every_other_host() {
        let netrc = parse_netrc(b"machine a login x password y\ndefault login d password e");
        let keyring = Keyring { netrc, ..Keyring::default() };
        assert_eq!(sent(&keyring, "http://z/"), is(None, Some("d:e")));
    }

    #[test]
    fn a_broken_netrc_counts_as_empty() {
        assert!(parse_netrc(b"login without machine \xff").is_empty());
        assert_eq!(sent(&keyring(vec![], Some(Path::new("/nowhere/netrc"))), "http://a/"), is(None, None));
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are_printed() {
        let entry = HostCredentials::of_url("https://ada:secret@host/").unwrap();
        let shown = format!("{entry:?} {} {:?}", entry.credentials.password, entry.credentials.basic());
        assert!(!shown.contains("secret") && !shown.contains("ada"), "{shown}");
        assert_eq!(entry.credentials.basic().reveal(), "Basic YWRhOnNlY3JldA==");
    }
}
