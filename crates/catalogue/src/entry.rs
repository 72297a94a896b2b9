//! One published artifact, as it is written down once and for all.
//!
//! Goals of the format: it points at everything that was published with the artifact and gives each thing's digest, so
//! that who trusts an entry can trust the rest; it is never changed, so that any number of publishers can write at the
//! same time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocab::{
    ArtifactFormat, Digest, Exit, Fault, FileName, FileNameError, Manifest, PlatformKey, PythonVersion, TreePath,
    VersionString,
};

use crate::content::Content;
use crate::{Channel, EntryId, Moment, object_keys};

/// The number in `format`. Format 1, which said neither how it was checked nor which npm package it belongs to, can be
/// read as well; any other is refused.
pub const ENTRY_FORMAT: u32 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub format: u32,
    #[schemars(with = "crate::schema::Version")]
    pub runtime: VersionString,
    #[schemars(with = "crate::schema::Platform")]
    pub platform: PlatformKey,
    pub python: PythonRecord,
    /// Equal keys mean equal bytes of the runtime.
    #[schemars(with = "crate::schema::Sha256")]
    pub build_key: Digest,
    /// The one it was published to. A promotion says otherwise later.
    pub channel: Channel,
    #[schemars(with = "crate::schema::Rfc3339")]
    pub created: Moment,
    pub artifact: PublishedArtifact,
    pub manifest: StoredObject,
    /// CycloneDX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<StoredObject>,
    /// in-toto statement with an SLSA predicate; in a DSSE envelope where it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<StoredObject>,
    /// Absent when it was published without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Signatures>,
    /// Of the repository that it was built from. Absent where that has none for it, and in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npm: Option<NpmPackage>,
    pub content: Content,
}

/// The npm package that stands for a runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NpmPackage {
    /// With its scope: `@scope/runenv-python-3.12.10`.
    pub name: String,
    /// Of the package, not of Python. Absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The interpreter under the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonRecord {
    #[schemars(with = "crate::schema::Python")]
    pub requested: PythonVersion,
    #[schemars(with = "crate::schema::Python")]
    pub actual: PythonVersion,
    /// True when `actual` is another patch release than `requested`.
    pub stand_in: bool,
    /// `python-build-standalone`, `archive`, `go-module` or `system`.
    pub source: String,
    /// What was taken: a release file's name, a module version.
    pub origin: String,
}

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

/// An object beside the artifact.
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
    /// `bytes` beside the artifact of digest `artifact`, under its name `file` and `suffix`.
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
    /// In minisign's one-line form. It tells who signed; whether that is to be believed is for the reader to say.
    pub public_key: String,
    /// Over the artifact.
    pub artifact: StoredObject,
    /// Over the manifest, which holds the digests of the artifact and of each of its parts.
    pub manifest: StoredObject,
}

/// What a publisher knows besides the manifest.
#[derive(Clone, Debug)]
pub struct Published {
    pub channel: Channel,
    pub created: Moment,
    /// The manifest's bytes as they are stored.
    pub manifest: Vec<u8>,
    pub sbom: Option<Vec<u8>>,
    pub provenance: Option<Vec<u8>>,
    /// Public key, signature file of the artifact, signature file of the manifest.
    pub signatures: Option<(String, Vec<u8>, Vec<u8>)>,
    pub npm: Option<NpmPackage>,
}

impl Entry {
    /// Every key follows from the artifact's digest and name. Fails when the runtime had not been packed.
    pub fn new(manifest: &Manifest, published: &Published) -> Result<Self, EntryError> {
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
            content: Content::of(manifest),
            artifact,
        })
    }

    pub fn id(&self) -> EntryId {
        EntryId {
            runtime: self.runtime.clone(),
            platform: self.platform,
            build_key: self.build_key,
            format: self.artifact.format,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("the manifest of {runtime} for {platform} describes no artifact: the runtime had not been packed")]
    NotPacked { runtime: VersionString, platform: PlatformKey },
    #[error("the manifest's artifact is badly named: {0}")]
    FileName(FileNameError),
}

impl Fault for EntryError {
    fn code(&self) -> &'static str {
        "E_ENTRY_MANIFEST"
    }

    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn hint(&self) -> Option<String> {
        Some("build the runtime again and publish what the build wrote".to_owned())
    }
}
