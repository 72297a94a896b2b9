//! Who belongs to a cluster, as its proxies know it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use url::Url;

use crate::endpoint::endpoint;

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

/// A proxy or a target.
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

/// One network interface of a node.
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
        endpoint(&self.public.url).ok()
    }
}
