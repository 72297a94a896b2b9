//! What builds want of an export, read from their locks before anything is done.

use config_merger::Repository;
use resolve::Lock;
use store::export::Wanted;
use vocab::{Fault, PlatformKey, VersionString};

/// One row for each platform of a version.
pub fn wanted(
    repository: &Repository,
    version: &VersionString,
    platforms: &[PlatformKey],
) -> Result<Vec<Wanted>, Box<dyn Fault>> {
    let lock = Lock::read(&repository.root().join(version.folder_name()), version)?;
    let digest =
        |platform| lock.as_ref().and_then(|lock| lock.platforms.get(platform)).map(resolve::PlatformLock::digest);
    Ok(platforms
        .iter()
        .map(|platform| Wanted { version: version.clone(), platform: *platform, lock: digest(platform) })
        .collect())
}
