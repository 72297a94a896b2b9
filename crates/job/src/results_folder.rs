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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use testkit::store_bench::StoreBench;
    use vocab::Event;

    use super::*;

    #[test]
    fn a_second_run_into_the_same_folder_waits_until_the_first_has_ended() {
        let (bench, has_ended) = (StoreBench::new(), AtomicBool::new(false));
        let (out, left) = (bench.path("out"), bench.path("out/.baked-0123456789abcdef"));
        let first = hold_results(&bench.neighbour(), &out).unwrap();
        fs::write(&left, "a part").unwrap();
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let held = hold_results(&bench.context, &bench.path("out/../out")).unwrap();
                (held, has_ended.load(Ordering::SeqCst), left.exists())
            });
            while bench.events().is_empty() {
                thread::yield_now();
            }
            assert!(left.exists(), "what the first run works on stays");
            has_ended.store(true, Ordering::SeqCst);
            drop(first);
            let (_held, was_told, is_left) = second.join().unwrap();
            assert!(was_told, "the first run had not ended");
            assert!(!is_left, "what a killed run left goes");
        });
        let text = format!("waiting for another run, which writes into `{}`", bench.path("out/../out").display());
        assert_eq!(bench.events(), [Event::Note { text }], "told once");
    }

    #[test]
    fn other_folders_wait_for_nobody_and_an_interrupt_ends_the_wait() {
        let bench = StoreBench::new();
        let _first = hold_results(&bench.neighbour(), &bench.path("out")).unwrap();
        assert!(hold_results(&bench.context, &bench.path("other")).is_ok());
        bench.context.work.cancelled.store(true, Ordering::Relaxed);
        assert!(matches!(hold_results(&bench.context, &bench.path("out")), Err(JobError::Interrupted)));
    }
}
