//! Everything that is offered at a destination, small enough for every reader to fetch.
//!
//! Goals of the format: everything a reader needs to choose, fetch and verify an artifact, and nothing else (what is
//! inside is in the entry and the manifest); the same entries give the same bytes; rows are sorted, so two catalogues
//! can be compared line by line.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocab::{Digest, PlatformKey, VersionString};

use crate::entry::{ArtifactEntry, NpmPackage, PublishedArtifact, PythonRecord, Signatures, StoredObject};
use crate::{Channel, EntryId, Moment, NativeVerdict};

/// The number in `format`. Format 1, whose rows had neither `checked` nor `needs` nor `npm`, can be read as well; any other
/// is refused.
pub const CATALOGUE_FORMAT: u32 = 2;

/// Everything that is offered at a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    pub format: u32,
    /// By version string, platform, time (the newest first), build key and format.
    pub entries: Vec<CatalogueRow>,
    /// In the same order. No longer offered, but listed with the reason for those who have it installed.
    pub retracted: Vec<RetractedRow>,
}

/// The part of an entry that is needed to choose, fetch and verify its artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Listed")]
pub struct CatalogueRow {
    #[schemars(with = "crate::schema::Version")]
    pub runtime: VersionString,
    #[schemars(with = "crate::schema::Platform")]
    pub platform: PlatformKey,
    pub python: PythonRecord,
    /// Equal keys mean equal bytes of the runtime.
    #[schemars(with = "crate::schema::Sha256")]
    pub build_key: Digest,
    /// The newest promotion's, or the one it was published to.
    pub channel: Channel,
    /// When it was published.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub created: Moment,
    pub artifact: PublishedArtifact,
    /// The manifest beside the artifact, with the digests of its parts.
    pub manifest: StoredObject,
    /// CycloneDX, if it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<StoredObject>,
    /// in-toto statement, if it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<StoredObject>,
    /// Absent if it was published without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Signatures>,
    /// Sum of all regular files, in bytes.
    pub installed_size: u64,
    /// How many distributions are installed.
    pub packages: u64,
    /// Absent where the entry does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<NativeVerdict>,
    /// As `content.needs` of the entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npm: Option<NpmPackage>,
}

impl CatalogueRow {
    pub(crate) fn of(entry: &ArtifactEntry, channel: Channel) -> Self {
        Self {
            runtime: entry.runtime.clone(),
            platform: entry.platform,
            python: entry.python.clone(),
            build_key: entry.build_key,
            channel,
            created: entry.created,
            artifact: entry.artifact.clone(),
            manifest: entry.manifest.clone(),
            sbom: entry.sbom.clone(),
            provenance: entry.provenance.clone(),
            signatures: entry.signatures.clone(),
            installed_size: entry.content.installed_size,
            packages: entry.content.packages.len() as u64,
            checked: entry.content.checked.clone(),
            needs: entry.content.needs.clone(),
            npm: entry.npm.clone(),
        }
    }

    /// The id of the entry, which is unique in a catalogue.
    pub fn id(&self) -> EntryId {
        EntryId {
            runtime: self.runtime.clone(),
            platform: self.platform,
            build_key: self.build_key,
            format: self.artifact.format,
        }
    }
}

/// An entry that was withdrawn, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetractedRow {
    /// The publisher's sentence.
    pub reason: String,
    /// When it was retracted.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub at: Moment,
    pub entry: CatalogueRow,
}

impl Catalogue {
    /// The row with this artifact; with the reason if it was retracted.
    pub fn by_digest(&self, sha256: &Digest) -> Option<(&CatalogueRow, Option<&str>)> {
        let offered = self.entries.iter().map(|row| (row, None));
        let retracted = self.retracted.iter().map(|row| (&row.entry, Some(row.reason.as_str())));
        offered.chain(retracted).find(|(row, _)| row.artifact.sha256 == *sha256)
    }

    /// Every offered version string, sorted.
    pub fn versions(&self) -> Vec<&VersionString> {
        let mut versions: Vec<_> = self.entries.iter().map(|row| &row.runtime).collect();
        versions.dedup();
        versions
    }
}
