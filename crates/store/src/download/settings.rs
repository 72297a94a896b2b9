//! Connections, credentials and limits shared by all downloads of one command.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use url::Url;
use vocab::TransferId;
use web::{Credentials, Pace, Proxies, Retries, Tls, TlsTrust, UnverifiedHost, WebClient, WebLimits};

use super::HostCredentials;
use super::credentials::Keyring;
use super::keepers::Keepers;
use super::uv_indexes::{self, UserIndex};
use super::{client_certificate, uv_connection};
use vocab::Environment;

/// Plain data. Not to be printed: the environment holds credentials.
#[derive(Clone)]
pub struct DownloadSettings {
    /// User and password by host, from what the user says of indexes.
    pub credentials: Vec<HostCredentials>,
    /// The indexes themselves: programs that keep credentials are asked for an index rather than for a file.
    pub indexes: Vec<UserIndex>,
    /// Whether the program `keyring` is one of them, as uv's settings say.
    pub asks_keyring: bool,
    /// The environment in which these programs are looked up and run. Empty: there are none.
    pub programs: Environment,
    /// How long such a program may take: a keyring may have to ask the user to unlock it.
    pub programs_limit: Duration,
    /// Set when the user asks to stop: such a program is ended.
    pub programs_cancelled: Arc<AtomicBool>,
    /// Read once; absent is fine.
    pub netrc: Option<PathBuf>,
    pub proxies: Proxies,
    /// Which servers are believed to be who they say.
    pub trust: TlsTrust,
    /// Servers that are believed whatever certificate they show.
    pub unverified: Vec<UnverifiedHost>,
    /// What servers get that ask for a certificate: a file in PEM with certificate and key, read at the first use.
    pub client_certificate: Option<PathBuf>,
    /// Limit for resolving the host, connecting and the TLS handshake.
    pub connect_limit: Duration,
    /// The longest silence in the middle of an answer.
    pub stall_limit: Duration,
    /// A download from a slower server fails.
    pub pace: Pace,
    /// In bytes; limit of a file whose size is not known in advance.
    pub largest: u64,
    /// At least 1.
    pub attempts: u32,
    /// Pause before the second attempt; doubles from one to the next.
    pub first_pause: Duration,
}

impl Default for DownloadSettings {
    fn default() -> Self {
        let retries = Retries::default();
        Self {
            credentials: Vec::new(),
            indexes: Vec::new(),
            asks_keyring: false,
            programs: Environment::default(),
            programs_limit: Duration::from_secs(120),
            programs_cancelled: Arc::default(),
            netrc: None,
            proxies: Proxies::default(),
            trust: TlsTrust::default(),
            unverified: Vec::new(),
            client_certificate: None,
            connect_limit: Duration::from_secs(10),
            stall_limit: Duration::from_secs(30),
            pace: Pace::default(),
            largest: 10_000_000_000,
            attempts: retries.attempts,
            first_pause: retries.first_pause,
        }
    }
}

impl DownloadSettings {
    /// Proxies and certificates (also those of uv's settings files), the netrc file (NETRC, else `~/.netrc`, on Windows also `~/_netrc`), the credentials
    /// that uv's and pip's variables and uv's settings files have for indexes, and the programs that keep some.
    pub fn of(environment: &Environment) -> Self {
        let home = environment.path("HOME").or_else(|| environment.path("USERPROFILE"));
        let netrc = environment.path("NETRC").map(PathBuf::from).or_else(|| {
            let names = if cfg!(windows) { &[".netrc", "_netrc"][..] } else { &[".netrc"][..] };
            names.iter().filter_map(|name| Some(home?.join(name))).find(|path| path.is_file())
        });
        let indexes = uv_indexes::of(environment);
        Self {
            credentials: indexes.iter().filter_map(HostCredentials::of_index).collect(),
            indexes,
            netrc,
            asks_keyring: uv_indexes::asks_keyring(environment),
            programs: environment.clone(),
            proxies: uv_connection::proxies(environment),
            unverified: uv_connection::unverified(environment),
            client_certificate: client_certificate::file(environment),
            trust: TlsTrust::of(&|name| environment.path(name).map(|path| path.as_os_str().to_owned())),
            ..Self::default()
        }
    }
}

/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Downloader {
    inner: Arc<SharedDownloader>,
}

struct SharedDownloader {
    settings: DownloadSettings,
    keyring: Keyring,
    client: WebClient,
    transfers: AtomicU64,
}

impl Downloader {
    /// Reads the netrc file; connects to nothing.
    pub fn new(settings: DownloadSettings) -> Self {
        let keepers = Keepers::new(
            settings.programs.clone(),
            settings.asks_keyring,
            settings.programs_limit,
            Arc::clone(&settings.programs_cancelled),
        );
        let (hosts, indexes) = (settings.credentials.clone(), settings.indexes.clone());
        let keyring = Keyring::new(hosts, settings.netrc.as_deref(), indexes, keepers);
        // The time limit of a file is enforced by the waiting thread.
        let DownloadSettings { connect_limit: connect, stall_limit: stall, pace, .. } = settings;
        let limits = WebLimits { connect, stall, pace, deadline: None };
        let identity = settings.client_certificate.as_deref().map(client_certificate::identity);
        let tls = Tls { trust: settings.trust.clone(), identity, unverified: settings.unverified.clone() };
        let client = WebClient::with(settings.proxies.clone(), limits, tls);
        Self { inner: Arc::new(SharedDownloader { settings, keyring, client, transfers: AtomicU64::new(0) }) }
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &DownloadSettings {
        &self.inner.settings
    }

    /// Has the credentials that `uv auth login` stored asked of this program.
    pub fn learn_uv(&self, program: PathBuf) {
        self.inner.keyring.learn_uv(program);
    }

    /// User and password for an index as far as they are known without asking it, for programs that ask it themselves.
    pub fn credentials_for(&self, index: &Url) -> Option<Credentials> {
        self.inner.keyring.known(index)
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    pub(super) fn next_transfer(&self) -> TransferId {
        TransferId(self.inner.transfers.fetch_add(1, Ordering::Relaxed))
    }

    /// What reaches a host, for requests that need no redirect.
    pub fn client(&self) -> &WebClient {
        &self.inner.client
    }
}

impl Default for Downloader {
    fn default() -> Self {
        Self::new(DownloadSettings::default())
    }
}

impl fmt::Debug for Downloader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Downloader").finish_non_exhaustive()
    }
}
