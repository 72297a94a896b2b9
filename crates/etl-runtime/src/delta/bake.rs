//! Makes a delta: resolves what the runtime lacks against what it has, and puts the wheels and the record into a place.

use config_merger::Requirement;
use store::Context;
use vocab::{Digest, Fault};

use super::compile::compile;
use super::wheels::{LackingWheels, NoWheels, WheelsFor, lacking_wheels};
use super::{DELTA_FORMAT, DeltaError, DeltaPlace, DeltaRecord, delta_name, requirement_line};
use crate::runtime_facts::RuntimeFacts;

/// What was baked.
#[derive(Clone, Debug)]
pub struct BakedDelta {
    pub record: DeltaRecord,
    /// The record's digest.
    pub sha256: Digest,
    /// In bytes; what was there before is not sent.
    pub sent: u64,
}

/// Bakes a delta; `None` if the runtime has everything. `compiled`: with the byte code of its modules.
pub fn bake(
    packages: &[Requirement],
    compiled: bool,
    runtime: &RuntimeFacts,
    place: &DeltaPlace,
    context: &Context,
) -> Result<Option<BakedDelta>, Box<dyn Fault>> {
    if let DeltaPlace::Server(_) = place {
        return Err(DeltaError::ReadOnly { address: place.shown() }.into());
    }
    let wheels = wheels_for(packages, runtime, context)?;
    if wheels.files.is_empty() {
        return Ok(None);
    }
    let mut requirements: Vec<String> = packages.iter().map(requirement_line).collect();
    requirements.sort();
    requirements.dedup();
    let (python, platform) = (runtime.minor_version(), runtime.layout.platform);
    let name = delta_name(&python, platform, packages);
    let LackingWheels { mut files, relies_on } = wheels;
    if compiled {
        compile(&mut files, runtime, context)?;
    }
    let record = DeltaRecord { format: DELTA_FORMAT, python, platform, requirements, relies_on, files };
    let sent = place.put(&record, &name, context)?;
    Ok(Some(BakedDelta { sha256: Digest::of(record.text()), record, sent }))
}

/// The wheels that such a runtime lacks for these requirements, on whatever machine it is.
pub fn wheels_for(
    packages: &[Requirement],
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<LackingWheels, DeltaError> {
    lacking_wheels(packages, WheelsFor::Others, runtime, context, None)
        .map_err(|NoWheels { names, reason }| DeltaError::Resolve { names, reason })
}
