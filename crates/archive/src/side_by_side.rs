//! Pieces of work that need no order, on several threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does the pieces from 0 to `count - 1`; each thread makes itself a `state` once. After a failure no further piece is
/// begun, and of those that failed the lowest is told.
pub(crate) fn side_by_side<S, E: Send>(
    threads: usize,
    count: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failure: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let worker = || {
        let mut state = state();
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            if let Err(error) = work(&mut state, index) {
                failed.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                if failure.as_ref().is_none_or(|(other, _)| index < *other) {
                    *failure = Some((index, error));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(worker);
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn every_piece_is_done_once_and_a_failure_ends_it() {
        for threads in [1, 2, 7] {
            let sum = AtomicU64::new(0);
            let add = |_: &mut (), index: usize| -> Result<(), usize> {
                sum.fetch_add(index as u64, Ordering::Relaxed);
                Ok(())
            };
            assert_eq!(side_by_side(threads, 1000, || (), add), Ok(()));
            assert_eq!(sum.into_inner(), 499_500);
            let fail = |_: &mut (), index: usize| if index >= 20 { Err(index) } else { Ok(()) };
            assert_eq!(side_by_side(threads, 1_000_000, || (), fail), Err(20));
        }
    }
}
