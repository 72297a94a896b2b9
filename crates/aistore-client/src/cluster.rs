//! The cluster itself: its map, its health, its configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;
use web::Method;

use crate::call::{ApiCall, body, encoded, unreadable};
use crate::client::Client;
use crate::headers::{CLUSTER_UPTIME, NODE_UPTIME, number};
use crate::{Error, RefusalKind};

/// Who belongs to the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterMap {
    /// By id.
    #[serde(rename = "pmap", deserialize_with = "or_empty")]
    pub proxies: BTreeMap<String, ClusterNode>,
    #[serde(rename = "tmap", deserialize_with = "or_empty")]
    pub targets: BTreeMap<String, ClusterNode>,
    #[serde(rename = "proxy_si")]
    pub primary: Option<ClusterNode>,
    pub uuid: String,
    /// Grows with each change.
    pub version: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterNode {
    #[serde(rename = "daemon_id")]
    pub id: String,
    #[serde(rename = "daemon_type")]
    pub kind: String,
    pub flags: u64,
    pub id_digest: u64,
    #[serde(rename = "public_net")]
    pub public: NodeNetwork,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeNetwork {
    #[serde(rename = "direct_url")]
    pub url: String,
}

fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, ClusterNode>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl ClusterNode {
    /// In maintenance, or about to leave: it has no objects to give.
    pub fn is_away(&self) -> bool {
        const MAINTENANCE: u64 = 1 << 2;
        const DECOMMISSION: u64 = 1 << 3;
        self.flags & (MAINTENANCE | DECOMMISSION) != 0
    }

    pub(crate) fn server(&self) -> Option<Url> {
        crate::client::endpoint(&self.public.url).ok()
    }
}

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
}
