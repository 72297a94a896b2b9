//! `manifest.json` of a baked job: what it was made from, what it asks of its workers, what was found. No absolute paths,
//! host names, users or times.

use std::path::Path;

use serde::{Deserialize, Serialize};
use vocab::{Digest, PlatformKey, PythonVersion};

use crate::commands::SystemPackage;
use crate::job_error::JobError;
use crate::verify_report::VerifyReport;

/// Its name, beside the archive.
pub const JOB_MANIFEST: &str = "manifest.json";

/// The number in `format`; with any other a manifest is refused.
pub const JOB_MANIFEST_FORMAT: u32 = 1;

/// The whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobManifest {
    pub format: u32,
    /// The builder's version.
    pub builder: String,
    pub job: JobRow,
    pub configs: Vec<ConfigRow>,
    pub python: PythonRow,
    pub workflow: WorkflowRow,
    pub data_files: Vec<DataFileRow>,
    /// Everything installed but the job, by name.
    pub dependencies: Vec<DependencyRow>,
    pub commands: Vec<CommandRow>,
    pub system_packages: Vec<SystemPackage>,
    /// Addresses without credentials; the first is the default one, if one was named.
    pub indexes: Vec<String>,
    pub findings: Vec<FindingRow>,
    /// Whether the same inputs give the same bytes everywhere.
    pub reproducible: bool,
    /// Why not.
    pub reasons: Vec<String>,
    pub archive: ArchiveRow,
    /// Absent if it was not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<VerifyReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRow {
    /// `job_name` of the configuration.
    pub name: String,
    /// Name and version given to setup().
    pub package: String,
    pub version: String,
    pub setup_file: String,
    pub py_modules: Vec<String>,
    pub packages: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigRow {
    pub source: String,
    /// Of the effective configuration.
    pub sha256: Digest,
    /// Below the runtime's prefix.
    pub path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonRow {
    pub version: PythonVersion,
    pub platform: PlatformKey,
    /// Where the interpreter comes from.
    pub source: String,
    /// The pinned setuptools that built the job.
    pub setuptools: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowRow {
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    /// Its one folder.
    pub top: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFileRow {
    /// As setup() names it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Below the runtime's prefix.
    pub path: String,
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DependencyRow {
    pub name: String,
    pub version: String,
    pub file: String,
    pub sha256: Digest,
}

/// A program that setup.py wanted to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRow {
    pub argv: Vec<String>,
    /// `ran` or `recorded`.
    pub action: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingRow {
    pub code: String,
    pub level: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveRow {
    /// Its plain file name, beside the manifest.
    pub file: String,
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
}

impl JobManifest {
    /// Indented, with a line break at the end.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data with text keys");
        text.push('\n');
        text
    }

    /// The manifest beside the archive, if it is that archive's.
    ///
    /// # Errors
    /// If there is none.
    pub fn beside(archive: &Path) -> Result<Self, JobError> {
        let path = archive.with_file_name(JOB_MANIFEST);
        let failed = |reason: String| JobError::NoManifest { path: archive.to_owned(), reason };
        let bytes = vocab::read_regular(&path).map_err(|error| failed(format!("`{}`: {error}", path.display())))?;
        let manifest = Self::read(&bytes).map_err(|reason| failed(format!("`{}`: {reason}", path.display())))?;
        if archive.file_name().is_some_and(|name| *name == *manifest.archive.file) {
            return Ok(manifest);
        }
        Err(failed(format!("the manifest beside it is that of `{}`", manifest.archive.file)))
    }

    /// What is wrong with it, if anything, in words.
    ///
    /// # Errors
    /// If it is not JSON, has another format or unknown keys.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = vocab::typed_json::read(bytes).map_err(|error| error.to_string())?;
        match manifest.format {
            JOB_MANIFEST_FORMAT => Ok(manifest),
            other => Err(format!("its format is {other}, this builder reads {JOB_MANIFEST_FORMAT}")),
        }
    }
}
