//! What a `package.json` says of the runtime that it publishes.

use std::path::{Path, PathBuf};

use serde_json::Value;
use vocab::{PlatformKey, PythonVersion, VersionString};

use super::PlatformaError;

/// The package of one version string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub folder: PathBuf,
    /// With its scope: `@platforma-open/milaboratories.runenv-python-3.12.10`.
    pub name: String,
    /// Of the package, not of Python.
    pub npm_version: String,
    /// Its entry point's: `main`.
    pub artifact_id: String,
    pub registry: String,
    pub python_version: PythonVersion,
    /// Those of `roots`; never empty.
    pub platforms: Vec<PlatformKey>,
    pub bin_dir: String,
    /// `NAME=value`
    pub env_vars: Vec<String>,
}

impl Package {
    pub fn path(&self) -> PathBuf {
        self.folder.join("package.json")
    }

    /// Of the version in a repository.
    pub fn read(repository: &Path, version: &VersionString) -> Result<Self, PlatformaError> {
        let folder = repository.join(version.folder_name());
        let path = folder.join("package.json");
        let wrong = |reason: String| PlatformaError::Package { path: path.clone(), reason };
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let document: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let artifact =
            document.pointer("/block-software/entrypoints/main/environment/artifact").unwrap_or(&Value::Null);
        let word = |value: &Value, key: &str| {
            value[key].as_str().map(str::to_owned).ok_or_else(|| wrong(format!("it has no text `{key}`")))
        };
        let roots = artifact["roots"].as_object().ok_or_else(|| wrong("it has no `roots`".to_owned()))?;
        let platforms: Result<Vec<PlatformKey>, PlatformaError> =
            roots.keys().map(|key| key.parse().map_err(|error| wrong(format!("{error}")))).collect();
        let python = word(artifact, "python-version")?;
        let env_vars = artifact["envVars"].as_array().into_iter().flatten();
        Ok(Self {
            name: word(&document, "name")?,
            npm_version: word(&document, "version")?,
            artifact_id: "main".to_owned(),
            registry: word(artifact, "registry")?,
            python_version: python.parse().map_err(|error| wrong(format!("{error}")))?,
            platforms: platforms?,
            bin_dir: word(artifact, "binDir")?,
            env_vars: env_vars.filter_map(|it| it.as_str().map(str::to_owned)).collect(),
            folder,
        })
    }
}
