//! Lets parallel workers do one short piece of work each in a given order.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Guards `T`. Each ticket from 0 upwards passes exactly once, in order; the first failure stops everyone.
pub(crate) struct Turnstile<T> {
    turn: Mutex<TurnState<T>>,
    moved: Condvar,
}

struct TurnState<T> {
    next: u64,
    stopped: bool,
    value: T,
}

impl<T> Turnstile<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { turn: Mutex::new(TurnState { next: 0, stopped: false, value }), moved: Condvar::new() }
    }

    /// Waits until every lower ticket has passed, then does `work`. `Ok(None)` when another worker has failed.
    pub(crate) fn pass<R, E>(&self, ticket: u64, work: impl FnOnce(&mut T) -> Result<R, E>) -> Result<Option<R>, E> {
        let mut turn = self.lock();
        while turn.next != ticket && !turn.stopped {
            turn = self.moved.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        if turn.stopped {
            return Ok(None);
        }
        let result = work(&mut turn.value);
        turn.next += 1;
        turn.stopped = result.is_err();
        drop(turn);
        self.moved.notify_all();
        result.map(Some)
    }

    /// Lets nobody pass from now on. For a failure outside [`Self::pass`].
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.moved.notify_all();
    }

    pub(crate) fn into_inner(self) -> T {
        self.turn.into_inner().unwrap_or_else(PoisonError::into_inner).value
    }

    fn lock(&self) -> MutexGuard<'_, TurnState<T>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `worker` on `count` threads and gives the first error by worker, if any. A worker that fails or panics stops
/// the turnstile, so that no other waits for its ticket.
pub(crate) fn run_workers<T: Send, E: Send>(
    count: usize,
    turnstile: &Turnstile<T>,
    worker: impl Fn() -> Result<(), E> + Sync,
) -> Result<(), E> {
    struct StopOnPanic<'a, T>(&'a Turnstile<T>);
    impl<T> Drop for StopOnPanic<'_, T> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.stop();
            }
        }
    }
    let guarded = || {
        let _guard = StopOnPanic(turnstile);
        worker().inspect_err(|_| turnstile.stop())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(guarded)).collect();
        let results: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        for result in results {
            match result {
                Ok(result) => result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })
}

/// `asked` threads, or as many as the machine has processors if that is 0.
pub fn thread_count(asked: usize) -> usize {
    if asked > 0 { asked } else { std::thread::available_parallelism().map_or(1, std::num::NonZero::get) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn tickets_pass_in_order_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let (turnstile, next) = (Turnstile::new(Vec::new()), AtomicU64::new(0));
            let result: Result<(), ()> = run_workers(threads, &turnstile, || {
                loop {
                    let ticket = next.fetch_add(1, Ordering::Relaxed);
                    if ticket >= 200 {
                        return Ok(());
                    }
                    turnstile.pass(ticket, |seen: &mut Vec<u64>| {
                        seen.push(ticket);
                        Ok(())
                    })?;
                }
            });
            assert_eq!((result, turnstile.into_inner()), (Ok(()), (0..200).collect()));
        }
    }

    #[test]
    fn the_first_failure_stops_everyone() {
        let (turnstile, next) = (Turnstile::new(0), AtomicU64::new(0));
        let result = run_workers(4, &turnstile, || -> Result<(), u64> {
            loop {
                let ticket = next.fetch_add(1, Ordering::Relaxed);
                let passed = turnstile.pass(ticket, |count| {
                    *count += 1;
                    if ticket == 50 { Err(ticket) } else { Ok(()) }
                })?;
                if passed.is_none() {
                    return Ok(());
                }
            }
        });
        assert_eq!((result, turnstile.into_inner()), (Err(50), 51));
    }
}
