//! Connections, credentials and limits shared by all downloads of one command.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vocab::TransferId;
use web::{Client, Limits, Pace, Proxies};

use super::HostCredentials;
use super::credentials::Keyring;
use vocab::Environment;

/// Plain data.
#[derive(Clone, Debug)]
pub struct DownloadSettings {
    /// User and password by host, from index URLs in the configuration and in variables.
    pub credentials: Vec<HostCredentials>,
    /// Read once; absent is fine.
    pub netrc: Option<PathBuf>,
    pub proxies: Proxies,
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
        Self {
            credentials: Vec::new(),
            netrc: None,
            proxies: Proxies::default(),
            connect_limit: Duration::from_secs(10),
            stall_limit: Duration::from_secs(30),
            pace: Pace::default(),
            largest: 10_000_000_000,
            attempts: 5,
            first_pause: Duration::from_millis(500),
        }
    }
}

/// Variables of uv and pip whose values are index URLs, separated by blanks where several may be given.
const INDEX_VARIABLES: [&str; 6] =
    ["UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"];

impl DownloadSettings {
    /// Proxies, the netrc file (NETRC, else `~/.netrc`, on Windows also `~/_netrc`), and the credentials in the
    /// index URLs of uv's and pip's variables.
    pub fn of(environment: &Environment) -> Self {
        let home = environment.path("HOME").or_else(|| environment.path("USERPROFILE"));
        let netrc = environment.path("NETRC").map(PathBuf::from).or_else(|| {
            let names = if cfg!(windows) { &[".netrc", "_netrc"][..] } else { &[".netrc"][..] };
            names.iter().filter_map(|name| Some(home?.join(name))).find(|path| path.is_file())
        });
        let credentials = INDEX_VARIABLES
            .iter()
            .filter_map(|name| environment.text(name))
            .flat_map(str::split_whitespace)
            // UV_INDEX allows `name=URL`.
            .filter_map(|entry| {
                HostCredentials::of_url(entry)
                    .or_else(|| entry.split_once('=').and_then(|(_, url)| HostCredentials::of_url(url)))
            })
            .collect();
        Self {
            credentials,
            netrc,
            proxies: Proxies::of(&|name| environment.text(name).map(str::to_owned)),
            ..Self::default()
        }
    }
}

/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Downloader {
    inner: Arc<Inner>,
}

struct Inner {
    settings: DownloadSettings,
    keyring: Keyring,
    client: Client,
    transfers: AtomicU64,
}

impl Downloader {
    /// Reads the netrc file; connects to nothing.
    pub fn new(settings: DownloadSettings) -> Self {
        let keyring = Keyring::new(settings.credentials.clone(), settings.netrc.as_deref());
        // The time limit of a file is enforced by the waiting thread.
        let DownloadSettings { connect_limit: connect, stall_limit: stall, pace, .. } = settings;
        let limits = Limits { connect, stall, pace, deadline: None };
        let client = Client::new(settings.proxies.clone(), limits);
        Self { inner: Arc::new(Inner { settings, keyring, client, transfers: AtomicU64::new(0) }) }
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &DownloadSettings {
        &self.inner.settings
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    pub(super) fn next_transfer(&self) -> TransferId {
        TransferId(self.inner.transfers.fetch_add(1, Ordering::Relaxed))
    }

    /// What reaches a host, for requests that need no redirect.
    pub fn client(&self) -> &Client {
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
        formatter.debug_struct("Downloader").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_variables_carry_credentials() {
        let environment = Environment::new(
            [
                ("UV_INDEX", "corp=https://a:1@one.example/simple https://two.example/simple"),
                ("PIP_EXTRA_INDEX_URL", "https://b:2@three.example:8443/simple"),
            ]
            .map(|(name, value)| (name.into(), value.into())),
        );
        let settings = DownloadSettings::of(&environment);
        let hosts: Vec<_> = settings.credentials.iter().map(|entry| (entry.host.as_str(), entry.port)).collect();
        assert_eq!(hosts, [("one.example", 443), ("three.example", 8443)]);
    }
}
