//! The folder for results, for one run at a time: two would replace each other's files while they are read.

use std::fs;
use std::path::Path;

use store::{Context, FileLock, LockOutcome};
use vocab::Digest;

use crate::job_error::JobError;

/// Temporary names of files in it.
const PASSING: [&str; 2] = [".baked-", ".config-"];

/// Waits until no other run with this store writes there, and removes what killed runs left.
///
/// # Errors
/// If the folder cannot be made, or the run is interrupted.
pub fn hold_results(context: &Context, out: &Path) -> Result<FileLock, JobError> {
    fs::create_dir_all(out).map_err(JobError::disk("make", out))?;
    let place = fs::canonicalize(out).map_err(JobError::disk("read", out))?;
    let key = Digest::of(place.as_os_str().as_encoded_bytes());
    let mut waits = false;
    let held = context.store.lock("results", &key, || {
        if !std::mem::replace(&mut waits, true) {
            context.note(format!("waiting for another run, which writes into `{}`", out.display()));
        }
        context.is_cancelled()
    })?;
    let LockOutcome::Held(lock) = held else { return Err(JobError::Interrupted) };
    for folder in [out, &out.join("configs")] {
        disk::sweep(folder, &PASSING);
    }
    Ok(lock)
}
