//! The cluster itself: its map, its health, its configuration.

use std::sync::Arc;

use serde_json::Value;
use web::Method;

use crate::call::{ApiCall, body, encoded, unreadable};
use crate::client::Client;
use crate::headers::{CLUSTER_UPTIME, NODE_UPTIME, number};
use crate::{ClusterMap, Error, RefusalKind};

/// How well a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterHealth {
    /// In nanoseconds.
    pub node_uptime: Option<u64>,
    /// In nanoseconds.
    pub cluster_uptime: Option<u64>,
}

impl Client {
    /// # Errors
    /// What the server says.
    pub fn cluster_map(&self) -> Result<ClusterMap, Error> {
        let call = ApiCall::new(Method::GET, "/v1/daemon".to_owned(), vec![("what", "smap".to_owned())]);
        let request = call.shown();
        let bytes = body(&request, self.call(call)?)?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(&request, error.to_string(), &bytes))
    }

    /// Whether the node that is asked is there, and for how long it has been.
    ///
    /// # Errors
    /// It is not, or not yet.
    pub fn health(&self) -> Result<ClusterHealth, Error> {
        let answer = self.call(ApiCall::new(Method::GET, "/v1/health".to_owned(), Vec::new()))?;
        let headers = answer.headers();
        Ok(ClusterHealth { node_uptime: number(headers, NODE_UPTIME), cluster_uptime: number(headers, CLUSTER_UPTIME) })
    }

    /// Whether objects can be put: the primary has started up, and there is a target. Without the second a bucket can be
    /// made, and nothing be put into it.
    ///
    /// # Errors
    /// What the server says, other than that it is not ready.
    pub fn is_ready(&self) -> Result<bool, Error> {
        let call = ApiCall::new(Method::GET, "/v1/health".to_owned(), vec![("prr", "true".to_owned())]);
        match self.call(call) {
            Ok(_) => Ok(self.cluster_map()?.targets.values().any(|node| !node.is_away())),
            Err(error) if error.is(RefusalKind::Unavailable) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// What the server says.
    pub fn cluster_configuration(&self) -> Result<Value, Error> {
        let call = ApiCall::new(Method::GET, "/v1/cluster".to_owned(), vec![("what", "cluster_config".to_owned())]);
        let request = call.shown();
        let bytes = body(&request, self.call(call)?)?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(&request, error.to_string(), &bytes))
    }

    /// The transformations that the cluster runs, as it describes them.
    ///
    /// # Errors
    /// [`RefusalKind::EtlNotAvailable`] where the server is built without, as by default.
    pub fn list_etls(&self) -> Result<Vec<Value>, Error> {
        let call = ApiCall::new(Method::GET, "/v1/etl".to_owned(), Vec::new());
        let request = call.shown();
        let bytes = body(&request, self.call(call)?)?;
        let found: Result<Option<Vec<Value>>, _> = serde_json::from_slice(&bytes);
        Ok(found.map_err(|error| unreadable(&request, error.to_string(), &bytes))?.unwrap_or_default())
    }

    /// Changes settings of the whole cluster, by their paths: `space.highwm`, `features`. All at once, since some are
    /// checked against each other.
    ///
    /// # Errors
    /// What the server says.
    pub fn set_configuration(&self, settings: &[(&str, &str)]) -> Result<(), Error> {
        // As a query: what is sent as JSON may have no dots in its names.
        let pairs: Vec<String> =
            settings.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let path = format!("/v1/cluster/set-config?{}", pairs.join("&"));
        self.call(ApiCall::new(Method::PUT, path, Vec::new())).map(drop)
    }

    /// The map that reads go by: kept from before, or fetched.
    pub(crate) fn known_map(&self) -> Result<Arc<ClusterMap>, Error> {
        let mut known = self.map();
        if let Some(map) = &*known {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(self.cluster_map()?);
        *known = Some(Arc::clone(&map));
        Ok(map)
    }

    /// The next read that goes by the map fetches it.
    pub(crate) fn forget_map(&self) {
        *self.map() = None;
    }
}
