//! Which artifacts belong to which package, and whether they are all that it lists.

use std::collections::BTreeMap;
use std::path::Path;

use npm_packages::Agreement;
use vocab::{ArtifactFormat, Fault, PlatformKey, VersionString};

use super::{EarlierFile, PlatformaError, PlatformaPackage, PlatformaRegistry};
use crate::publish::PublishCandidate;

/// One package with its artifacts.
#[derive(Debug)]
pub struct PlatformaRelease {
    pub version: VersionString,
    pub package: PlatformaPackage,
    pub registry: PlatformaRegistry,
    /// Those of this run.
    pub artifacts: BTreeMap<PlatformKey, PublishCandidate>,
}

/// The packages of these artifacts in a repository, by version string.
pub fn releases(
    repository: &Path,
    candidates: Vec<PublishCandidate>,
    registry: &dyn Fn(&str) -> Result<PlatformaRegistry, PlatformaError>,
) -> Result<Vec<PlatformaRelease>, Box<dyn Fault>> {
    let mut releases: BTreeMap<VersionString, PlatformaRelease> = BTreeMap::new();
    let agreement = Agreement::read(repository)?;
    for candidate in candidates {
        let version = candidate.manifest.runtime.clone();
        if !releases.contains_key(&version) {
            let package = PlatformaPackage::read(repository, &version)?;
            agreement.require(&version)?;
            let registry = registry(&package.registry)?;
            let (version, artifacts) = (version.clone(), BTreeMap::new());
            releases.insert(version.clone(), PlatformaRelease { version, package, registry, artifacts });
        }
        if let Some(release) = releases.get_mut(&version) {
            release.take(candidate)?;
        }
    }
    let releases: Vec<PlatformaRelease> = releases.into_values().collect();
    for release in &releases {
        let zip = release.artifacts.values().find(|it| preference(it) == ZIP);
        if let Some(zip) = zip {
            return Err(PlatformaError::Zip { artifact: zip.file.clone() }.into());
        }
    }
    Ok(releases)
}

const ZIP: u8 = 3;

/// Picks from several formats of one runtime the one that takes the least work; all give the same tree.
fn preference(candidate: &PublishCandidate) -> u8 {
    match candidate.manifest.artifact.as_ref().map(|artifact| artifact.format) {
        Some(ArtifactFormat::TarGz) => 0,
        Some(ArtifactFormat::TarZst) => 1,
        Some(ArtifactFormat::Tar) => 2,
        Some(ArtifactFormat::Zip) | None => ZIP,
    }
}

impl PlatformaRelease {
    fn take(&mut self, candidate: PublishCandidate) -> Result<(), PlatformaError> {
        let (artifact, package) = (candidate.file.clone(), self.package.path());
        let (of, says) = (candidate.manifest.base.requested, self.package.python_version);
        if of != says {
            return Err(PlatformaError::Version { artifact, of, package, says });
        }
        let platform = candidate.manifest.platform;
        if !self.package.platforms.contains(&platform) {
            return Err(PlatformaError::Platform { artifact, platform, package });
        }
        let Some(other) = self.artifacts.get(&platform) else {
            self.artifacts.insert(platform, candidate);
            return Ok(());
        };
        if preference(other) == preference(&candidate) {
            let (first, second, version) = (other.file.clone(), artifact, self.version.clone());
            return Err(PlatformaError::Twice { first, second, version, platform });
        }
        if preference(&candidate) < preference(other) {
            self.artifacts.insert(platform, candidate);
        }
        Ok(())
    }

    /// Platforms of `roots` without an artifact now, and what an earlier run has left about each.
    pub(super) fn absent(&self) -> impl Iterator<Item = (PlatformKey, EarlierFile)> {
        let platforms = self.package.platforms.iter().copied();
        let absent = platforms.filter(|platform| !self.artifacts.contains_key(platform));
        absent.map(|platform| {
            let file = self.package.folder.join(self.package.archive_info_path(platform));
            (platform, EarlierFile::read(file, &self.package.archive_info(platform, &self.registry)))
        })
    }
}
