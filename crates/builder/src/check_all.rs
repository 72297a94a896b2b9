//! `builder check`: configurations, locks and whitelists, without building.

use config_merger::{LoadOptions, Repository};
use vocab::{Fault, PlatformKey, VersionString};

use crate::Context;
use crate::checks::Whitelist;
use crate::resolve::{self, Lock, LockError, LockErrorKind, Request, ResolveError};

/// Faults by what was looked at: a version's folder or a whitelist. Empty when all is well.
pub fn check_all(
    context: &Context,
    repository: &Repository,
    versions: &[VersionString],
) -> Vec<(String, Box<dyn Fault>)> {
    let mut faults: Vec<(String, Box<dyn Fault>)> = Vec::new();
    for platform in PlatformKey::ALL {
        let name = format!("checker/whitelists/{platform}.json");
        if let Err(error) = Whitelist::read(&repository.root().join(&name)) {
            faults.push((name, error.into()));
        }
    }
    for version in versions {
        if let Err(fault) = check_version(context, repository, version) {
            faults.push((version.folder_name(), fault));
        }
    }
    faults
}

fn check_version(context: &Context, repository: &Repository, version: &VersionString) -> Result<(), Box<dyn Fault>> {
    let loaded = config_merger::load(repository, version, &LoadOptions::default())?;
    for warning in &loaded.warnings {
        let place = warning.place.as_ref().map(ToString::to_string);
        context.warn(warning.code.as_str(), &warning.text, place, warning.hint.clone());
    }
    let folder = repository.root().join(version.folder_name());
    let Some(lock) = Lock::read(&folder, version)? else {
        context.note(format!("{version}: no lock yet; the first build writes one"));
        return Ok(());
    };
    for (platform, rows) in &lock.platforms {
        let request = Request::new(&loaded.config, *platform);
        let paths = resolve::path_digests(&request, repository.root());
        let paths = paths.map_err(|kind| ResolveError::new(&request, kind))?;
        if rows.inputs != request.inputs(&paths) {
            let kind = LockErrorKind::Outdated { platform: *platform };
            return Err(LockError { path: folder.join(resolve::LOCK_FILE), kind }.into());
        }
        if !rows.is_complete() {
            context.note(format!("{version} for {platform}: the lock lacks what an unreachable registry has"));
        }
    }
    Ok(())
}
