//! Wheels that the caller of a build gives, beside those of the lock.

use std::collections::BTreeSet;

use store::{Context, Scrutiny};
use vocab::{Fault, WheelOrigin};
use wheel::WheelBlob;

use super::{GatherError, GatheredWheel};

/// Wheels that are given and not locked, unpacked. They are requested, like what a configuration names.
pub(crate) fn extra_wheels(
    context: &Context,
    given: &[WheelBlob],
    scrutiny: Scrutiny,
) -> Result<Vec<GatheredWheel>, Box<dyn Fault>> {
    let wheels = wheel::unpack_all(context, given, scrutiny)?;
    let gathered = given.iter().zip(wheels).map(|(given, wheel)| {
        let file = given.file_name.as_str();
        let path = file.parse().map_err(|_| GatherError::FileName { file: file.to_owned() })?;
        Ok(GatheredWheel {
            name: given.file_name.name.clone(),
            requested: true,
            brought_by: BTreeSet::new(),
            origin: WheelOrigin::Path { path, sha256: given.sha256 },
            extra: true,
            blob: given.path.clone(),
            wheel,
        })
    });
    gathered.collect()
}
