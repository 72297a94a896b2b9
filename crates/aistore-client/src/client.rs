//! The client: who is asked, and what is shared by all calls.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;
use web::{Method, WebClient};

use crate::bucket::BucketPresence;
use crate::call::{ApiCall, body, unreadable};
use crate::names::{BucketMessage, invalid};
use crate::{Bucket, BucketHandle, ClusterMap, Error, Provider, Settings};

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

    /// What can be done with a bucket; nothing is asked.
    pub fn bucket(&self, bucket: Bucket) -> BucketHandle<'_> {
        BucketHandle::new(self, bucket)
    }

    /// The buckets of one provider, or of all.
    ///
    /// # Errors
    /// The server refuses, or there is no answer that makes sense.
    pub fn list_buckets(&self, of: Option<Provider>, presence: Option<BucketPresence>) -> Result<Vec<Bucket>, Error> {
        let mut query: Vec<_> = of.iter().map(|provider| ("provider", provider.to_string())).collect();
        query.extend(presence.map(|presence| ("presence", presence.number().to_string())));
        let call = ApiCall::new(Method::GET, "/v1/buckets".to_owned(), query).action("list", &());
        let request = call.shown();
        let bytes = body(&request, self.call(call)?)?;
        let messages: Option<Vec<BucketMessage>> =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(&request, error.to_string(), &bytes))?;
        messages.unwrap_or_default().iter().map(BucketMessage::bucket).collect()
    }

    /// The map that reads go by: kept from before, or fetched.
    pub(crate) fn known_map(&self) -> Result<Arc<ClusterMap>, Error> {
        let mut known = self.inner.map.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(map) = &*known {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(self.cluster_map()?);
        *known = Some(Arc::clone(&map));
        Ok(map)
    }

    /// The next read that goes by the map fetches it.
    pub(crate) fn forget_map(&self) {
        *self.inner.map.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("endpoint", &self.inner.endpoint.as_str()).finish_non_exhaustive()
    }
}

pub(crate) fn endpoint(text: &str) -> Result<Url, Error> {
    let unusable = |reason: &str| invalid("endpoint", &web::without_secrets(text), reason);
    let url = Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(unusable("write http://host:port or https://host:port"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("it contains a user name or password; AIStore takes a token"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("it has a query or a fragment"));
    }
    Ok(url)
}
