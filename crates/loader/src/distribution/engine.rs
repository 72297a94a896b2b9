//! Where modes 1 and 2 end: whoever creates environments from `env.yml` does so behind this interface.

use std::path::{Path, PathBuf};

use extension::DistributionId;
use vocab::Fault;

/// Creates environments and knows those that were created.
pub trait EnvironmentEngine {
    /// A valid environment of this id.
    fn existing(&self, id: &DistributionId) -> Option<PathBuf>;

    /// Creates the environment of the `env.yml` in `zip`, unless a valid one exists. With `offline`, from packages on disk
    /// alone.
    fn create(&self, id: &DistributionId, zip: &Path, offline: bool) -> Result<PathBuf, Box<dyn Fault>>;
}

/// For programs that create no environments.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEngine;

/// This program creates no environments.
#[derive(Debug, thiserror::Error, Fault)]
#[error("{id} is to be created from the env.yml in `{}`, and this program creates no conda environments", zip.display())]
#[fault(
    "E_ENV_ENGINE",
    Usage,
    hint("set pysdk.pel.disableMiniforge and provide an archive or a folder; `pydist extension doctor` names them")
)]
struct NoEngineError {
    id: DistributionId,
    zip: PathBuf,
}

impl EnvironmentEngine for NoEngine {
    fn existing(&self, _: &DistributionId) -> Option<PathBuf> {
        None
    }

    fn create(&self, id: &DistributionId, zip: &Path, _: bool) -> Result<PathBuf, Box<dyn Fault>> {
        Err(NoEngineError { id: id.clone(), zip: zip.to_owned() }.into())
    }
}
