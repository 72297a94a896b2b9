//! What a runtime contains, as far as people choose by it: enough for the site without opening a manifest.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocab::{DistributionName, Manifest, RuleRecord, WheelOrigin};

use crate::NativeVerdict;

/// What a runtime contains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Content")]
pub struct RuntimeContent {
    /// Sum of all regular files, in bytes.
    pub installed_size: u64,
    /// How many regular files the prefix has.
    pub files: u64,
    /// By name.
    pub packages: Vec<InstalledPackage>,
    /// Every rule that acted and everything that was left out, by distribution name.
    #[schemars(with = "Vec<crate::schema::Rule>")]
    pub rules: Vec<RuleRecord>,
    /// The highest versions that native files need: `glibc` → `2.17`, `macos` → `11.0`.
    pub needs: BTreeMap<String, String>,
    /// Parts of a full CPython that the base interpreter lacks: `headers`, `ensurepip`.
    pub absent: Vec<String>,
    pub copied_files: CopiedFiles,
    /// ELF, Mach-O and PE files that were checked.
    pub native_files: u64,
    /// Native modules that were imported in the finished runtime.
    pub imported: u64,
    /// Absent in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<NativeVerdict>,
    /// Findings of its checks that did not fail the build; the manifest lists them. Absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<u64>,
    /// Compressed and uncompressed size of the parts without a distribution: `base`, `copied-files`, `metadata`.
    pub other_parts: BTreeMap<String, PartSize>,
}

/// One installed distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Package")]
pub struct InstalledPackage {
    #[schemars(with = "crate::schema::Name")]
    pub name: DistributionName,
    /// As its metadata spells it (PEP 440).
    pub version: String,
    #[schemars(with = "crate::schema::OriginShape")]
    pub origin: WheelOrigin,
    /// Named in the configuration, rather than required by another distribution.
    pub requested: bool,
    /// The SPDX expression or licence line of its metadata. Absent when the metadata has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The highest glibc or macOS version its native files need. Absent for pure Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// Size of its part in the artifact. Absent if the artifact has no separate part for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartSize>,
}

/// In bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartSize {
    /// As stored in the artifact.
    pub packed: u64,
    /// After extraction.
    pub unpacked: u64,
}

/// Files of the repository that were copied into the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopiedFiles {
    pub count: u64,
    /// In bytes.
    pub size: u64,
}

impl RuntimeContent {
    /// Summarises a manifest. Sizes by part are empty if the runtime has not been packed.
    pub fn of(manifest: &Manifest) -> Self {
        let mut parts: BTreeMap<String, PartSize> = BTreeMap::new();
        for part in manifest.artifact.iter().flat_map(|artifact| &artifact.parts) {
            // A large base may consist of several parts.
            let sum = parts.entry(part.content.clone()).or_default();
            sum.packed += part.size;
            sum.unpacked += part.uncompressed_size;
        }
        let packages = manifest.distributions.iter().map(|distribution| InstalledPackage {
            name: distribution.name.clone(),
            version: distribution.version.clone(),
            origin: distribution.origin.clone(),
            requested: distribution.requested,
            licence: distribution.licence.clone(),
            needs: distribution.needs.clone(),
            part: parts.remove(&distribution.file),
        });
        Self {
            installed_size: manifest.installed_size,
            files: manifest.files,
            packages: packages.collect(),
            rules: manifest.rules.clone(),
            needs: manifest.native.needs.clone(),
            absent: manifest.base.absent.clone(),
            copied_files: CopiedFiles {
                count: manifest.copied_files.len() as u64,
                size: manifest.copied_files.iter().map(|file| file.size).sum(),
            },
            native_files: manifest.native.files,
            imported: manifest.native.imported,
            checked: Some(NativeVerdict::of(manifest)),
            warnings: Some(manifest.native.warnings.len() as u64).filter(|count| *count > 0),
            other_parts: parts,
        }
    }
}
