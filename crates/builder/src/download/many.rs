//! Several files at once.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{DownloadError, DownloadErrorKind, FetchRequest, fetch_unless};
use crate::Context;

/// The blobs' paths in the order of `requests`. With `at_once` 1 they come one after the other, in order; else up
/// to `at_once` at a time, the largest first, so that no big one is left alone at the end. The first error stops
/// the others within a fraction of a second; what they have received so far is kept for the next time.
pub fn fetch_all(context: &Context, requests: &[FetchRequest], at_once: usize) -> Result<Vec<PathBuf>, DownloadError> {
    let mut order: Vec<usize> = (0..requests.len()).collect();
    let threads = at_once.clamp(1, requests.len().max(1));
    if threads > 1 {
        order.sort_by_key(|index| std::cmp::Reverse(requests[*index].size.unwrap_or(0)));
    }
    let stopped = AtomicBool::new(false);
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<PathBuf, DownloadError>>>> =
        Mutex::new(requests.iter().map(|_| None).collect());
    let work = || {
        while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            let result = fetch_unless(context, &requests[index], &stopped);
            if result.is_err() {
                stopped.store(true, Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    collect(results.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The error that stopped the others, rather than one of those that were stopped.
fn collect(results: Vec<Option<Result<PathBuf, DownloadError>>>) -> Result<Vec<PathBuf>, DownloadError> {
    let mut paths = Vec::with_capacity(results.len());
    let mut stopped = None;
    for result in results.into_iter().flatten() {
        match result {
            Ok(path) => paths.push(path),
            Err(error) if matches!(error.kind, DownloadErrorKind::Cancelled) => stopped = stopped.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    stopped.map_or(Ok(paths), Err)
}
