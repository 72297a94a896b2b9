//! Manifests of format 1, in which the hosts of a runtime shared their objects, and all runtimes their interpreters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use vocab::{Digest, PlatformKey, VersionString};

use super::manifest::{EXPORT_FORMAT, ExportManifest, ExportedBuild, ExportedHost, ExportedObject, ExportedRuntime};
use crate::remote::ChosenInterpreter;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestOfFormat1 {
    #[serde(rename = "format")]
    _format: u32,
    pydist: String,
    hosts: BTreeMap<PlatformKey, ExportedHost>,
    runtimes: Vec<RuntimeOfFormat1>,
    interpreters: BTreeMap<Digest, ChosenInterpreter>,
    objects: BTreeMap<String, ExportedObject>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuntimeOfFormat1 {
    version: VersionString,
    platform: PlatformKey,
    lock: Digest,
    hosts: BTreeSet<PlatformKey>,
    objects: BTreeSet<String>,
}

impl From<ManifestOfFormat1> for ExportManifest {
    fn from(former: ManifestOfFormat1) -> Self {
        let ManifestOfFormat1 { pydist, hosts, runtimes, interpreters, objects, .. } = former;
        let row = |row: RuntimeOfFormat1| {
            let build = ExportedBuild { made_with: None, interpreters: interpreters.clone(), objects: row.objects };
            let hosts = row.hosts.into_iter().map(|host| (host, build.clone())).collect();
            ExportedRuntime { version: row.version, platform: row.platform, lock: row.lock, hosts }
        };
        let runtimes = runtimes.into_iter().map(row).collect();
        Self { format: EXPORT_FORMAT, pydist, hosts, runtimes, objects }
    }
}
