//! The client: who is asked, and what is shared by all calls.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;
use web::WebClient;

use crate::endpoint::endpoint;
use crate::{ClusterMap, Error, Settings};

/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<ClientParts>,
}

struct ClientParts {
    settings: Settings,
    endpoint: Url,
    web: WebClient,
    /// For reads that pick their target; `None` until the first, and after one that failed.
    map: Mutex<Option<Arc<ClusterMap>>>,
}

impl Client {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// The endpoint is not a URL of an HTTP server without query, user and password.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let endpoint = endpoint(&settings.endpoint)?;
        let web = WebClient::with(settings.proxies.clone(), settings.limits, settings.tls.clone());
        Ok(Self { inner: Arc::new(ClientParts { settings, endpoint, web, map: Mutex::new(None) }) })
    }

    /// Where requests go.
    pub fn endpoint(&self) -> &Url {
        &self.inner.endpoint
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn web(&self) -> &WebClient {
        &self.inner.web
    }

    /// The map that reads go by, once it is known.
    pub(crate) fn map(&self) -> MutexGuard<'_, Option<Arc<ClusterMap>>> {
        self.inner.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("endpoint", &self.inner.endpoint.as_str()).finish_non_exhaustive()
    }
}
