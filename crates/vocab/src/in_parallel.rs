//! The same work for several items at once, where each mostly waits for another program or a server.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Results in the order of `items`. Each item has a thread of its own, so this is for a handful.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if let [only] = items {
        return vec![work(only)];
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| work(item))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Like [`in_parallel`], with at most `most` threads, each of which takes the next item when it is done with one.
pub fn few_at_once<T: Sync, R: Send>(most: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let workers: Vec<usize> = (0..most.clamp(1, items.len().max(1))).collect();
    let mut results: Vec<(usize, R)> = in_parallel(&workers, |_| {
        let mut own = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return own };
            own.push((index, work(item)));
        }
    })
    .into_iter()
    .flatten()
    .collect();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs the first item alone, so that the others find what it left in caches. Results in the order of `items`.
pub fn first_then_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let Some((first, others)) = items.split_first() else { return Vec::new() };
    let mut results = vec![work(first)];
    results.extend(in_parallel(others, work));
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..8).collect();
        assert_eq!(in_parallel(&items, |item| item * 2), [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(first_then_parallel(&items, |item| item + 1), [1, 2, 3, 4, 5, 6, 7, 8]);
        for most in [0, 1, 3, 100] {
            assert_eq!(few_at_once(most, &items, |item| item + 1), [1, 2, 3, 4, 5, 6, 7, 8], "for {most}");
        }
        assert!(few_at_once(2, &[] as &[usize], |item| *item).is_empty());
        assert!(first_then_parallel(&[] as &[usize], |item| *item).is_empty());
    }
}
