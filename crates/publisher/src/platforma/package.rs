//! What a `package.json` says of the runtime that it publishes.

use std::path::{Path, PathBuf};

use npm_packages::{PACKAGE_FILE, PackageOffer, read_version_package, root_of};
use vocab::{Fault, PlatformKey, PythonVersion, VersionString};

use super::PlatformaError;

/// The package of one version string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformaPackage {
    pub folder: PathBuf,
    /// With its scope: `@platforma-open/milaboratories.runenv-python-3.12.10`.
    pub name: String,
    /// Version of the package, not of Python.
    pub npm_version: String,
    /// Name of its entry point: `main`.
    pub artifact_id: String,
    pub registry: String,
    pub python_version: PythonVersion,
    /// The platforms of `roots`; never empty.
    pub platforms: Vec<PlatformKey>,
    pub bin_dir: String,
    /// `NAME=value`
    pub env_vars: Vec<String>,
}

impl PlatformaPackage {
    /// Its `package.json`.
    pub fn path(&self) -> PathBuf {
        self.folder.join(PACKAGE_FILE)
    }

    /// Where the runtime of a platform is built.
    pub fn root(&self, platform: PlatformKey) -> PathBuf {
        let path = root_of(platform);
        self.folder.join(path.strip_prefix("./").unwrap_or(&path))
    }

    /// Reads the package of a version in a repository.
    ///
    /// # Errors
    /// Everything that is wrong with it, and whatever a package may lack that is not published.
    pub fn read(repository: &Path, version: &VersionString) -> Result<Self, Box<dyn Fault>> {
        let folder = repository.join(version.folder_name());
        let package = read_version_package(repository, version)?.ok_or_else(|| PlatformaError::NoPackage {
            package: folder.join(PACKAGE_FILE),
            version: version.clone(),
        })?;
        let offer = PackageOffer::of(&package, version)?;
        let environment = offer.environment;
        Ok(Self {
            name: offer.name.to_owned(),
            npm_version: offer.npm_version.to_owned(),
            artifact_id: environment.id.clone(),
            registry: environment.registry.value.clone(),
            python_version: environment.python_version.value,
            platforms: package.platforms(),
            bin_dir: environment.bin_dir.value.clone(),
            env_vars: environment.env_vars.iter().map(|variable| variable.value.clone()).collect(),
            folder,
        })
    }
}
