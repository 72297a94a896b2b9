//! Work of one kind on several threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Results of `work` for 0 to `count - 1`, in order. After the first failure nothing more is begun; of several
/// failures that of the lowest number is given.
pub(super) fn side_by_side<T: Send, E: Send>(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results: Mutex<Vec<Option<Result<T, E>>>> = Mutex::new((0..count).map(|_| None).collect());
    let worker = || {
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            let result = work(index);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(worker);
        }
        worker();
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Without a failure none is absent.
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_a_failure_ends_it() {
        for threads in [1, 2, 9] {
            let doubled: Result<Vec<usize>, ()> = side_by_side(threads, 100, |index| Ok(index * 2));
            assert_eq!(doubled, Ok((0..200).step_by(2).collect()));
            let begun = AtomicUsize::new(0);
            let result = side_by_side(threads, 1_000_000, |index| {
                begun.fetch_add(1, Ordering::Relaxed);
                if index == 7 { Err(index) } else { Ok(()) }
            });
            assert_eq!(result, Err(7));
            assert!(begun.into_inner() < 1_000_000);
        }
    }
}
