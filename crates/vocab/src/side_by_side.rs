//! Independent pieces of work on several threads: the one helper for it, beside rayon.
//!
//! What mostly waits (for a server, another program, a disk) runs here, with a number of threads that fits what it waits
//! for. What keeps processors busy with many small files runs on rayon, in a pool of as many threads as the command may
//! use (`wheel::thread_pool`); the crates that readers of artifacts are made of (archive, fetch, tree-table) do without
//! rayon and run that here, too.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Results of the pieces 0 to `count - 1`, in order. Each thread makes one `state` for itself. After a failure no
/// further piece is started; of the pieces that failed, the lowest one's error is returned. With one thread that is the
/// caller's own.
pub fn side_by_side<S, T: Send, E: Send>(
    threads: usize,
    count: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failure: Mutex<Option<(usize, E)>> = Mutex::new(None);
    // Each thread has its results to itself: for small pieces, waiting for one list takes longer than the work.
    let worker = || {
        let (mut state, mut results) = (state(), Vec::new());
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            match work(&mut state, index) {
                Ok(result) => results.push((index, result)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    if failure.as_ref().is_none_or(|(other, _)| index < *other) {
                        *failure = Some((index, error));
                    }
                }
            }
        }
        results
    };
    let results: Vec<Vec<(usize, T)>> = if threads.min(count) <= 1 {
        vec![worker()]
    } else {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.min(count)).map(|_| scope.spawn(worker)).collect();
            let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|results| results.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    };
    if let Some((_, error)) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut results: Vec<(usize, T)> = results.into_iter().flatten().collect();
    results.sort_unstable_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// The same for work that does not fail, on at most `most` threads. Results in the order of `items`.
pub fn few_at_once<T: Sync, R: Send>(most: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let Ok(results) = side_by_side(most, items.len(), || (), |(), index| Ok::<R, Infallible>(work(&items[index])));
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..8).collect();
        for most in [0, 1, 3, 8, 100] {
            assert_eq!(few_at_once(most, &items, |item| item + 1), [1, 2, 3, 4, 5, 6, 7, 8], "for {most}");
        }
        assert!(few_at_once(2, &[] as &[usize], |item| *item).is_empty());
    }

    #[test]
    fn a_panic_is_passed_on_as_it_is() {
        for threads in [1, 3] {
            let run = || few_at_once(threads, &[0, 1, 2], |item| assert!(*item != 1, "the second"));
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"the second"), "with {threads}");
        }
    }

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
