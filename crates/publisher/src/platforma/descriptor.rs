//! What is written beside a package, and how things are called: the shapes that Platforma's programs read. Their keys,
//! order included, are those of the published packages; `tests/suite/platforma/` holds them to data.

use objects::{ObjectKey, ObjectKeyError};
use serde::Serialize;
use vocab::PlatformKey;

use super::{PlatformaPackage, PlatformaRegistry};

/// `dist/artifacts/<artifact id>/archive_<platform>.json`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArchiveInfo<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    platform: PlatformKey,
    /// Where readers fetch the archive; absent unless it was given.
    #[serde(rename = "registryURL", skip_serializing_if = "Option::is_none")]
    registry_url: Option<&'a str>,
    registry_name: &'a str,
    remote_artifact_location: String,
    upload_path: String,
}

/// `dist/tengo/software/<entry point>.sw.json`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SoftwareDescriptor<'a> {
    name: String,
    run_env: RunEnv<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunEnv<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "python-version")]
    python_version: String,
    env_vars: &'a [String],
    registry: &'a str,
    package: String,
    bin_dir: &'a str,
}

/// The backend puts its own system and processor in their place.
const EVERY_PLATFORM: &str = "{os}-{arch}";

impl PlatformaPackage {
    /// The archive of a platform, below the registry's address.
    pub fn archive_key(&self, platform: PlatformKey) -> Result<ObjectKey, ObjectKeyError> {
        self.archive_key_text(platform.as_str()).parse()
    }

    fn archive_key_text(&self, platform: &str) -> String {
        let name = self.name.strip_prefix('@').unwrap_or(&self.name);
        format!("software/{name}/{}/{}-{platform}.tgz", self.artifact_id, self.npm_version)
    }

    /// Below the package's folder, `/`-separated.
    pub(super) fn archive_info_path(&self, platform: PlatformKey) -> String {
        format!("dist/artifacts/{}/archive_{platform}.json", self.artifact_id)
    }

    pub(super) fn archive_info(&self, platform: PlatformKey, registry: &PlatformaRegistry) -> String {
        line(&ArchiveInfo {
            kind: "environment",
            platform,
            registry_url: registry.download_url.as_deref(),
            registry_name: &registry.name,
            remote_artifact_location: self.archive_key_text(EVERY_PLATFORM),
            upload_path: self.archive_key_text(platform.as_str()),
        })
    }

    pub(super) fn software_path(&self) -> String {
        software_path(&self.artifact_id)
    }

    pub(super) fn software(&self, registry: &PlatformaRegistry) -> String {
        line(&SoftwareDescriptor {
            name: format!("{}:{}", self.name, self.artifact_id),
            run_env: RunEnv {
                kind: "python",
                python_version: self.python_version.to_string(),
                env_vars: &self.env_vars,
                registry: &registry.name,
                package: self.archive_key_text(EVERY_PLATFORM),
                bin_dir: &self.bin_dir,
            },
        })
    }
}

/// Path of an entry point's descriptor, below its package's folder.
pub(super) fn software_path(entry_point: &str) -> String {
    format!("dist/tengo/software/{entry_point}.sw.json")
}

fn line(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("plain data with text keys") + "\n"
}
