//! Digests of files, taken of their bytes when these are written, so that nobody has to read the files again.
//!
//! Several workers write the pieces of a long file. They are hashed in their order: a worker that comes too early waits for
//! the one with the piece before. Who writes the pieces sees to it that that one never waits for this one.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::content_digests::ContentHasher;
use crate::{ContentDigests, DigestKinds, TreePath};

/// Digests of what was written so far.
pub struct WrittenDigests {
    kinds: DigestKinds,
    state: Mutex<DigestState>,
    moved: Condvar,
}

#[derive(Default)]
struct DigestState {
    whole: HashMap<TreePath, ContentDigests>,
    /// Absent while somebody hashes the next piece.
    in_pieces: HashMap<TreePath, ContentHasher>,
    stopped: bool,
}

impl WrittenDigests {
    /// Nothing was written yet.
    pub fn new(kinds: DigestKinds) -> Self {
        Self { kinds, state: Mutex::default(), moved: Condvar::default() }
    }

    /// These bytes were written, and are the whole file.
    pub fn whole(&self, path: &TreePath, bytes: &[u8]) {
        let digest = ContentDigests::of(bytes, self.kinds);
        self.lock().whole.insert(path.clone(), digest);
    }

    /// These bytes were written at `offset`. The first piece must have come, or come from another thread.
    pub fn piece(&self, path: &TreePath, offset: u64, bytes: &[u8]) {
        let Some(mut digest) = self.turn(path, offset) else { return };
        digest.update(bytes);
        self.lock().in_pieces.insert(path.clone(), digest);
        self.moved.notify_all();
    }

    /// Something will never be written: nobody waits for it any more.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.moved.notify_all();
    }

    /// Called when everything was written.
    pub fn take(&self) -> HashMap<TreePath, ContentDigests> {
        let DigestState { mut whole, in_pieces, .. } = std::mem::take(&mut *self.lock());
        whole.extend(in_pieces.into_iter().map(|(path, digest)| (path, digest.finish())));
        whole
    }

    /// Waits until everything before `offset` is hashed. `None` if it never will be.
    fn turn(&self, path: &TreePath, offset: u64) -> Option<ContentHasher> {
        if offset == 0 {
            return Some(ContentHasher::new(self.kinds));
        }
        let mut state = self.lock();
        while !state.stopped {
            if state.in_pieces.get(path).is_some_and(|digest| digest.size() == offset) {
                return state.in_pieces.remove(path);
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, DigestState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> TreePath {
        "a/b".parse().unwrap()
    }

    #[test]
    fn pieces_are_hashed_in_their_order_whoever_comes_first() {
        let digests = WrittenDigests::new(DigestKinds::Both);
        std::thread::scope(|scope| {
            for offset in [4, 3, 2, 1, 0] {
                let digests = &digests;
                scope.spawn(move || digests.piece(&path(), offset, &[b'0' + offset as u8]));
            }
        });
        assert_eq!(digests.take()[&path()], ContentDigests::of(b"01234", DigestKinds::Both));
    }

    #[test]
    fn nobody_waits_for_a_piece_that_will_never_be_written() {
        let digests = WrittenDigests::new(DigestKinds::Blake3);
        std::thread::scope(|scope| {
            scope.spawn(|| digests.piece(&path(), 1, b"1"));
            digests.stop();
        });
        assert!(digests.take().is_empty());
    }
}
