//! What builds want of an export, read from their locks and configuration before anything is done.

use config_merger::{Config, Repository};
use resolve::Lock;
use store::export::Wanted;
use vocab::{Environment, Fault, PlatformKey};

use crate::made_with::made_with;

/// One row for each platform of a version that is to be built on `host`.
pub fn wanted(
    repository: &Repository,
    config: &Config,
    platforms: &[PlatformKey],
    host: PlatformKey,
    environment: &Environment,
) -> Result<Vec<Wanted>, Box<dyn Fault>> {
    let version = &config.version;
    let lock = Lock::read(&repository.root().join(version.folder_name()), version)?;
    let lock_digest = |platform: PlatformKey| {
        lock.as_ref().and_then(|lock| lock.platforms.get(&platform)).map(resolve::PlatformLock::digest)
    };
    let wanted = |platform: &PlatformKey| Wanted {
        version: version.clone(),
        platform: *platform,
        lock: lock_digest(*platform),
        made_with: made_with(config, *platform, host, environment, true),
    };
    Ok(platforms.iter().map(wanted).collect())
}
