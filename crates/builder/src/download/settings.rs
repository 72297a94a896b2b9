//! Connections, credentials and limits shared by all downloads of one command.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};
use url::Url;
use vocab::TransferId;

use super::credentials::Keyring;
use super::{HostCredentials, Proxies};
use crate::context::Environment;

/// Plain data.
#[derive(Clone, Debug)]
pub struct DownloadSettings {
    /// User and password by host, from index URLs in the configuration and in variables.
    pub credentials: Vec<HostCredentials>,
    /// Read once; absent is fine.
    pub netrc: Option<PathBuf>,
    pub proxies: Proxies,
    /// For finding the host, connecting and the TLS handshake.
    pub connect_limit: Duration,
    /// The longest silence in the middle of an answer.
    pub stall_limit: Duration,
    /// At least 1.
    pub attempts: u32,
    /// Before the second attempt; doubles from one to the next.
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
        Self { credentials, netrc, proxies: Proxies::of(environment), ..Self::default() }
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
    /// By the proxy's URL, the empty text for direct connections.
    agents: Mutex<BTreeMap<String, ureq::Agent>>,
    transfers: AtomicU64,
}

impl Downloader {
    pub fn new(settings: DownloadSettings) -> Self {
        let keyring = Keyring::new(settings.credentials.clone(), settings.netrc.as_deref());
        Self { inner: Arc::new(Inner { settings, keyring, agents: Mutex::default(), transfers: AtomicU64::new(0) }) }
    }

    pub fn settings(&self) -> &DownloadSettings {
        &self.inner.settings
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    pub(super) fn next_transfer(&self) -> TransferId {
        TransferId(self.inner.transfers.fetch_add(1, Ordering::Relaxed))
    }

    /// Agents are made at the first use, because reading the system's certificates takes a while.
    pub(crate) fn agent(&self, url: &Url) -> Result<ureq::Agent, ureq::Error> {
        let settings = &self.inner.settings;
        let proxy = settings.proxies.for_url(url).map(|secret| secret.reveal().to_owned()).unwrap_or_default();
        let mut agents = self.inner.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&proxy) {
            return Ok(agent.clone());
        }
        let through = if proxy.is_empty() { None } else { Some(ureq::Proxy::new(&proxy)?) };
        let config = ureq::Agent::config_builder()
            .proxy(through)
            // The certificates that the system trusts, a company's own among them.
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            // Redirects are followed by `exchange`, which chooses credentials for each host anew.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("pydist/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(settings.connect_limit))
            .timeout_connect(Some(settings.connect_limit))
            .timeout_recv_response(Some(settings.stall_limit))
            .timeout_per_read(Some(settings.stall_limit))
            .build();
        let agent = ureq::Agent::new_with_config(config);
        agents.insert(proxy, agent.clone());
        Ok(agent)
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
