//! What every command works with, and what is wrong with how the program was called.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cli::Printer;
use config_merger::Repository;
use vocab::{Environment, Fault, PlatformKey};

use crate::arguments::GlobalArguments;

/// Faults of the command line and of the environment, found before anything runs.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum UsageError {
    #[error(transparent)]
    #[fault("E_PLATFORM")]
    Platform(#[from] vocab::PlatformKeyError),
    #[error("this machine's platform is not supported")]
    #[fault("E_PLATFORM_HOST")]
    NoPlatform,
    #[error("cannot determine a store directory")]
    #[fault("E_STORE", hint("give one with --store-dir or PYDIST_STORE"))]
    NoStore,
    #[error(transparent)]
    #[fault(transparent)]
    Epoch(#[from] vocab::EpochError),
    #[error("the repository has no `python-<version>` folder")]
    #[fault("E_VERSION_UNKNOWN", hint("begin one with `builder new X.Y.Z`"))]
    NoVersions,
    #[error("{0}")]
    #[fault("E_VERSION_MALFORMED")]
    Version(#[from] vocab::VersionStringError),
}

/// What every command works with.
pub struct BuilderSession<'a> {
    pub environment: &'a Environment,
    pub printer: &'a Arc<Printer>,
    pub cancelled: &'a Arc<AtomicBool>,
    pub global: &'a GlobalArguments,
    pub repository: Repository,
}

/// The store's folder, absolute: `--store-dir`, then PYDIST_STORE, then the user's cache folder. It need not exist.
pub fn store_root(global: &GlobalArguments, environment: &Environment) -> Result<PathBuf, UsageError> {
    let os = PlatformKey::host().ok_or(UsageError::NoPlatform)?.os();
    let root = store::choose_root(global.store_dir.as_deref(), environment, os).ok_or(UsageError::NoStore)?;
    // Programs of the store are started from other folders.
    Ok(std::path::absolute(&root).unwrap_or(root))
}
