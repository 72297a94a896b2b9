//! Independent pieces of work on several threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Results of the pieces 0 to `count - 1`, in order. Each thread makes one `state` for itself. After a failure no
/// further piece is started; of the pieces that failed, the lowest one's error is returned.
pub fn side_by_side<S, T: Send, E: Send>(
    threads: usize,
    count: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results: Mutex<Vec<Option<T>>> = Mutex::new((0..count).map(|_| None).collect());
    let failure: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let worker = || {
        let mut state = state();
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            match work(&mut state, index) {
                Ok(result) => results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    if failure.as_ref().is_none_or(|(other, _)| index < *other) {
                        *failure = Some((index, error));
                    }
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
        None => Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once_and_a_failure_ends_it() {
        for threads in [1, 2, 7] {
            let double = |_: &mut (), index: usize| Ok::<usize, ()>(index * 2);
            assert_eq!(side_by_side(threads, 1000, || (), double), Ok((0..2000).step_by(2).collect()));
            let begun = AtomicUsize::new(0);
            let fail = |_: &mut (), index: usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                if index >= 20 { Err(index) } else { Ok(()) }
            };
            assert_eq!(side_by_side(threads, 1_000_000, || (), fail), Err(20));
            assert!(begun.into_inner() < 1_000_000);
        }
    }
}
