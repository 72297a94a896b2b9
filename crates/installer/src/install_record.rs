//! What was installed, from which manifest, and who signed it: stored beside the tree, since the tree itself equals the
//! artifact to the last byte. Whether the tree is still as it was installed, its [`TreeTable`] tells. Files that were
//! added later (bytecode, distributions that pip installed) do not count as damage.

use catalogue::{Channel, Moment};
use fetch::remembered;
use serde::{Deserialize, Serialize};
use tree_table::TreeTable;
use vocab::{Digest, PlatformKey};

/// In the first format, files have no BLAKE3. A record with another number is ignored: the tree is compared with its manifest
/// and installed again.
pub(crate) const INSTALL_RECORD_FORMAT: u32 = 2;
const READABLE: [u32; 2] = [1, INSTALL_RECORD_FORMAT];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstallRecord {
    pub format: u32,
    pub platform: PlatformKey,
    pub build_key: Digest,
    /// When the build was published, according to the catalogue.
    pub created: Moment,
    pub manifest_sha256: Digest,
    /// The key that signed the manifest, in minisign's one-line form. Absent if no key was given.
    pub verified_by: Option<String>,
    /// A minisign signature file, of any key. Absent if none was fetched.
    pub signature: Option<String>,
    /// Unchanged.
    pub manifest: String,
    pub tree: TreeTable,
    /// Absent in records of former versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<InstallSource>,
}

/// Where a build came from, for repairing it and for what is newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallSource {
    /// A URL without user, password and query, or an absolute path.
    pub from: String,
    pub channel: Channel,
}

impl InstallSource {
    pub(crate) fn new(from: &str, channel: Channel) -> Self {
        let from = remembered(from);
        Self { from, channel }
    }
}

impl InstallRecord {
    /// Whether it is one that this program wrote and nobody changed the manifest in it.
    pub(crate) fn is_sound(&self) -> bool {
        READABLE.contains(&self.format) && Digest::of(&self.manifest) == self.manifest_sha256
    }

    /// The manifest that the tree came from.
    pub(crate) fn is_of(&self, manifest_sha256: &Digest, build_key: &Digest) -> bool {
        READABLE.contains(&self.format) && self.manifest_sha256 == *manifest_sha256 && self.build_key == *build_key
    }
}
