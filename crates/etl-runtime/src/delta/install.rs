//! From a delta to an overlay: found, judged, fetched, installed. Starts no program.

use std::path::Path;

use config_merger::Requirement;
use store::{Context, Store};
use vocab::{Digest, Fault};

use super::delta_place::{key_for, key_of};
use super::overlay::{fill_overlay, unpack};
use super::record::blobs;
use super::{DeltaError, DeltaFile, DeltaPlace, DeltaRecord, delta_name, warm_store};
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

/// Fetches the wheels with their byte code and installs them into `overlay`; one that is there is complete. `warm` is a store that can only be read.
pub fn install(
    place: &DeltaPlace,
    files: &[DeltaFile],
    overlay: &Path,
    runtime: &RuntimeFacts,
    context: &Context,
    warm: Option<&Store>,
) -> Result<(), Box<dyn Fault>> {
    if overlay.is_dir() {
        return Ok(());
    }
    if let Some(warm) = warm {
        if warm_store::has_unpacked(warm, files, context) {
            let reading = Context { store: warm.clone(), ..context.clone() };
            // What is damaged there is fetched.
            if fill_overlay(files, overlay, runtime, &reading).is_ok() {
                return Ok(());
            }
        }
        warm_store::take(warm, blobs(files).iter().map(|blob| blob.sha256), context);
    }
    // A fault is met again when all are unpacked, which is the place to report it.
    let unpack_early = |file: &DeltaFile| drop(unpack(std::slice::from_ref(file), context));
    place.bring(files, &unpack_early, context)?;
    Ok(fill_overlay(files, overlay, runtime, context)?)
}
