//! From a delta to an overlay: found, judged, fetched, installed. Starts no program.

use std::collections::BTreeSet;
use std::path::Path;

use config_merger::Requirement;
use store::{Context, Scrutiny};
use vocab::{Digest, Fault};
use wheel::{InstallDestination, InstallRequest, InstalledAll, WheelBlob, WheelToInstall, install_all, unpack_all};

use super::delta_place::{key_for, key_of};
use super::{DeltaError, DeltaFile, DeltaPlace, DeltaRecord, delta_name};
use crate::runtime_facts::RuntimeFacts;

/// A delta that serves this runtime and these requirements.
#[derive(Clone, Debug)]
pub struct FoundDelta {
    pub record: DeltaRecord,
    /// The record's digest.
    pub sha256: Digest,
}

/// Reads the record with this digest, or the last that was baked for the requirements; `None` if there is no such one. Refuses
/// one that was made for something else.
pub fn find(
    place: &DeltaPlace,
    sha256: Option<Digest>,
    requirements: &[Requirement],
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<Option<FoundDelta>, Box<dyn Fault>> {
    let name = delta_name(&runtime.minor_version(), runtime.layout.platform, requirements);
    let key = sha256.map_or_else(|| key_for(&name), |sha256| key_of(&sha256));
    let bytes = match (place.record(&key, context)?, sha256) {
        (Some(bytes), _) => bytes,
        (None, Some(sha256)) => return Err(DeltaError::Absent { place: place.shown(), sha256 }.into()),
        (None, None) => return Ok(None),
    };
    let refuse = |reason| DeltaError::Record { place: place.shown(), key: key.to_string(), reason };
    let actual = Digest::of(&bytes);
    if let Some(expected) = sha256.filter(|expected| *expected != actual) {
        return Err(refuse(format!("its SHA-256 is {actual}, expected {expected}")).into());
    }
    let record = DeltaRecord::read(&bytes).map_err(refuse)?;
    record.check(requirements, runtime)?;
    Ok(Some(FoundDelta { record, sha256: actual }))
}

/// Installs the wheels into `overlay`, a folder for the path of imports, which appears when everything is there; one that is
/// there is complete.
pub fn install(
    place: &DeltaPlace,
    files: &[DeltaFile],
    overlay: &Path,
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<(), Box<dyn Fault>> {
    if overlay.is_dir() {
        return Ok(());
    }
    place.bring(files, context)?;
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| DeltaError::Write { path, source }
    };
    let work = overlay.parent().unwrap_or(overlay);
    std::fs::create_dir_all(work).map_err(write(work))?;
    let staging = tempfile::Builder::new().prefix(".overlay-").tempdir_in(work).map_err(write(work))?;
    install_wheels(files, staging.path(), &BTreeSet::new(), runtime, context)?;
    let site = runtime.layout.site_packages().below(staging.path());
    std::fs::create_dir_all(&site).map_err(write(&site))?;
    match disk::rename(&site, overlay) {
        // Another pod of this user was faster.
        Err(_) if overlay.is_dir() => Ok(()),
        other => Ok(other.map_err(write(overlay))?),
    }
}

/// Installs wheels of the store into the folder of a runtime whose own files are `base`; the distributions are in the order
/// of `files`.
pub fn install_wheels(
    files: &[DeltaFile],
    prefix: &Path,
    base: &BTreeSet<vocab::TreePath>,
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<InstalledAll, Box<dyn Fault>> {
    let blob = |file: &DeltaFile| -> Result<WheelBlob, Box<dyn Fault>> {
        let refuse = |_| DeltaError::NotAWheel { file: file.name.to_string() };
        let file_name = file.name.as_str().parse::<wheel::WheelFileName>().map_err(refuse)?;
        Ok(WheelBlob { path: context.store.blob(&file.sha256), sha256: file.sha256, file_name })
    };
    let blobs = files.iter().map(blob).collect::<Result<Vec<_>, _>>()?;
    let wheels = unpack_all(context, &blobs, Scrutiny::Glance)?;
    let wheels: Vec<WheelToInstall<'_>> =
        wheels.iter().map(|wheel| WheelToInstall { wheel, request: InstallRequest::new(false) }).collect();
    let destination = InstallDestination { prefix, layout: runtime.layout, base, launchers: None };
    Ok(install_all(context, &wheels, &destination)?)
}
