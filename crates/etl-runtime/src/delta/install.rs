//! From a delta to an overlay: found, judged, fetched, installed. Starts no program.

use std::path::Path;

use config_merger::Requirement;
use store::Context;
use vocab::{Digest, Fault};

use super::delta_place::{key_for, key_of};
use super::overlay::fill_overlay;
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

/// Fetches the wheels and installs them into `overlay`; one that is there is complete.
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
    Ok(fill_overlay(files, overlay, runtime, context)?)
}
