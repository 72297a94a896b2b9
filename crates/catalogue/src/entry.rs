//! One published artifact, recorded once and never changed.
//!
//! Goals of the format: it refers to everything that was published with the artifact and gives the digest of each, so
//! that a reader who trusts an entry can trust the rest; it is never changed, so that any number of publishers can write at
//! the same time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocab::{
    ArtifactFormat, Digest, Fault, FileName, FileNameError, Manifest, PlatformKey, PythonVersion, TreePath,
    VersionString,
};

use crate::content::RuntimeContent;
use crate::{Channel, EntryId, Moment, object_keys};

/// The number in `format`. Format 1, which said neither how it was checked nor which npm package it belongs to, can be
/// read as well; any other is refused.
pub const ENTRY_FORMAT: u32 = 2;

/// The record of one published artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactEntry {
    pub format: u32,
    #[schemars(with = "crate::schema::Version")]
    pub runtime: VersionString,
    #[schemars(with = "crate::schema::Platform")]
    pub platform: PlatformKey,
    pub python: PythonRecord,
    /// Equal keys mean equal bytes of the runtime.
    #[schemars(with = "crate::schema::Sha256")]
    pub build_key: Digest,
    /// The channel it was published to. A later promotion may change it.
    pub channel: Channel,
    /// When it was published, by the publisher's clock.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub created: Moment,
    pub artifact: PublishedArtifact,
    /// The manifest, stored beside the artifact.
    pub manifest: StoredObject,
    /// CycloneDX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<StoredObject>,
    /// in-toto statement with an SLSA predicate; signed ones are in a DSSE envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<StoredObject>,
    /// Absent if it was published without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Signatures>,
    /// The package of its version in the repository that it was built from. Absent without one, and in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npm: Option<NpmPackage>,
    /// A summary of the manifest, for the site.
    pub content: RuntimeContent,
}

/// The npm package that represents a runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NpmPackage {
    /// With its scope: `@scope/runenv-python-3.12.10`.
    pub name: String,
    /// The package's own version, not Python's. Absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A page about it for people, `https` or `http`: its `homepage`, else where its sources are. Absent if it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

impl NpmPackage {
    /// The page, if following it does nothing but open it.
    pub fn link(&self) -> Option<&str> {
        self.page.as_deref().filter(|page| page.starts_with("https://") || page.starts_with("http://"))
    }
}

/// The interpreter under the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonRecord {
    /// The version that the configuration asks for.
    #[schemars(with = "crate::schema::Python")]
    pub requested: PythonVersion,
    /// The version that was found.
    #[schemars(with = "crate::schema::Python")]
    pub actual: PythonVersion,
    /// True when `actual` is another patch release than `requested`.
    pub stand_in: bool,
    /// `python-build-standalone`, `archive`, `go-module` or `system`.
    pub source: String,
    /// What the interpreter was made from: a release file's name, a module version.
    pub origin: String,
}

/// The packed runtime and where it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishedArtifact {
    /// Its plain name.
    pub file: String,
    /// Below the destination's prefix.
    #[schemars(with = "String")]
    pub key: TreePath,
    #[schemars(with = "crate::schema::Format")]
    pub format: ArtifactFormat,
    /// In bytes.
    pub size: u64,
    #[schemars(with = "crate::schema::Sha256")]
    pub sha256: Digest,
}

/// An object stored beside the artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredObject {
    /// Below the destination's prefix.
    #[schemars(with = "String")]
    pub key: TreePath,
    /// In bytes.
    pub size: u64,
    #[schemars(with = "crate::schema::Sha256")]
    pub sha256: Digest,
}

impl StoredObject {
    /// Describes `bytes` as an object beside `artifact`, under the artifact's name and `suffix`. Stores nothing.
    pub fn beside(artifact: &PublishedArtifact, suffix: &str, bytes: &[u8]) -> Self {
        let key = object_keys::artifact(&artifact.sha256, &format!("{}{suffix}", artifact.file));
        let key = key.parse().expect("made of digits and a plain file name");
        Self { key, size: bytes.len() as u64, sha256: Digest::of(bytes) }
    }
}

/// Made with minisign (Ed25519).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signatures {
    /// In minisign's one-line form. Names the signer; whether to trust that key is the reader's decision.
    pub public_key: String,
    /// Signature over the artifact.
    pub artifact: StoredObject,
    /// Signature over the manifest, which contains the digests of the artifact and of each of its parts.
    pub manifest: StoredObject,
}

/// What a publisher knows besides the manifest.
#[derive(Clone, Debug)]
pub struct PublisherFacts {
    /// The channel to publish to.
    pub channel: Channel,
    /// When the entry is made: from `SOURCE_DATE_EPOCH` or the clock.
    pub created: Moment,
    /// The manifest's bytes as they are stored.
    pub manifest: Vec<u8>,
    /// The bytes of the SBOM, if one is published.
    pub sbom: Option<Vec<u8>>,
    /// The bytes of the provenance, if it is published.
    pub provenance: Option<Vec<u8>>,
    /// Public key, signature file of the artifact, signature file of the manifest.
    pub signatures: Option<(String, Vec<u8>, Vec<u8>)>,
    pub npm: Option<NpmPackage>,
}

impl ArtifactEntry {
    /// Every key follows from the artifact's digest and name. Fails if the runtime has not been packed.
    pub fn new(manifest: &Manifest, published: &PublisherFacts) -> Result<Self, EntryError> {
        let not_packed = || EntryError::NotPacked { runtime: manifest.runtime.clone(), platform: manifest.platform };
        let packed = manifest.artifact.as_ref().ok_or_else(not_packed)?;
        let file: FileName = packed.file.parse().map_err(EntryError::FileName)?;
        let key = object_keys::artifact(&packed.sha256, &file).parse().expect("made of digits and a plain file name");
        let artifact = PublishedArtifact {
            file: packed.file.clone(),
            key,
            format: packed.format,
            size: packed.size,
            sha256: packed.sha256,
        };
        let beside = |suffix: &str, bytes: &[u8]| StoredObject::beside(&artifact, suffix, bytes);
        let signature_of_manifest = format!("{}{}", object_keys::MANIFEST_SUFFIX, object_keys::SIGNATURE_SUFFIX);
        let signatures = published.signatures.as_ref().map(|(public_key, of_artifact, of_manifest)| Signatures {
            public_key: public_key.clone(),
            artifact: beside(object_keys::SIGNATURE_SUFFIX, of_artifact),
            manifest: beside(&signature_of_manifest, of_manifest),
        });
        Ok(Self {
            format: ENTRY_FORMAT,
            runtime: manifest.runtime.clone(),
            platform: manifest.platform,
            python: PythonRecord {
                requested: manifest.base.requested,
                actual: manifest.base.actual,
                stand_in: manifest.base.stand_in,
                source: manifest.base.source.clone(),
                origin: manifest.base.origin.clone(),
            },
            build_key: manifest.build_key,
            channel: published.channel,
            created: published.created,
            manifest: beside(object_keys::MANIFEST_SUFFIX, &published.manifest),
            sbom: published.sbom.as_ref().map(|bytes| beside(object_keys::SBOM_SUFFIX, bytes)),
            provenance: published.provenance.as_ref().map(|bytes| beside(object_keys::PROVENANCE_SUFFIX, bytes)),
            signatures,
            npm: published.npm.clone(),
            content: RuntimeContent::of(manifest),
            artifact,
        })
    }

    /// Equal for two publications of equal inputs in one format.
    pub fn id(&self) -> EntryId {
        EntryId {
            runtime: self.runtime.clone(),
            platform: self.platform,
            build_key: self.build_key,
            format: self.artifact.format,
        }
    }
}

/// The manifest cannot be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[fault("E_ENTRY_MANIFEST", Trust, hint("build the runtime again and publish what the build wrote"))]
pub enum EntryError {
    #[error("the manifest of {runtime} for {platform} describes no artifact: the runtime was not packed")]
    NotPacked { runtime: VersionString, platform: PlatformKey },
    #[error("the manifest's artifact has an invalid name: {0}")]
    FileName(FileNameError),
}
