//! Several files at once.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use vocab::{Digest, few_at_once};

use super::{DownloadError, DownloadErrorKind, FetchRequest, bring, fetch_unless};
use crate::Context;

/// The blobs' paths in the order of `requests`. With `at_once` 1 they come one after the other, in order; else up
/// to `at_once` at a time, the largest first, so that no big one is left alone at the end. The first error stops
/// the others within a fraction of a second; what they have received so far is kept for the next time.
pub fn fetch_all(context: &Context, requests: &[FetchRequest], at_once: usize) -> Result<Vec<PathBuf>, DownloadError> {
    fetch_each(context, requests, at_once, &|_| ())
}

/// Like [`fetch_all`]. `arrived` is called with the position of each file as soon as it is there, on the thread that fetched
/// it, while others are fetched.
pub fn fetch_each(
    context: &Context,
    requests: &[FetchRequest],
    at_once: usize,
    arrived: &(dyn Fn(usize) + Sync),
) -> Result<Vec<PathBuf>, DownloadError> {
    let mut order: Vec<usize> = (0..requests.len()).collect();
    let threads = at_once.clamp(1, requests.len().max(1));
    if threads > 1 {
        order.sort_by_key(|index| std::cmp::Reverse(requests[*index].size.unwrap_or(0)));
    }
    let stopped = AtomicBool::new(false);
    let fetched = few_at_once(threads, &order, |index| {
        if stopped.load(Ordering::Relaxed) {
            return None;
        }
        let result = fetch_unless(context, &requests[*index], &stopped);
        match &result {
            Ok(_) => arrived(*index),
            Err(_) => stopped.store(true, Ordering::Relaxed),
        }
        Some(result)
    });
    let mut results: Vec<_> = order.into_iter().zip(fetched).collect();
    results.sort_by_key(|(index, _)| *index);
    collect(results.into_iter().map(|(_, result)| result).collect())
}

/// Fetches those of these files that the remote store has, by digest and name. The others are still missing afterwards.
pub fn bring_all(context: &Context, files: &[(Digest, &str)], at_once: usize) {
    few_at_once(at_once, files, |(sha256, file_name)| bring(context, sha256, file_name));
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
