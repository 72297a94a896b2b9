//! The digest of a file while it is being written, by reading behind the writer.
//!
//! Writing is the one step that happens in order, so whatever need not be part of it runs beside it. What was just
//! written is still in memory: reading it again costs one copy, and lets whole files be copied without looking at them.

use std::fs::File;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use vocab::{Digest, DigestWriter};

use crate::source::read_exact_at;

/// How far the writer has got.
#[derive(Default)]
pub(crate) struct Follower {
    state: Mutex<FollowerState>,
    moved: Condvar,
}

#[derive(Clone, Copy, Default)]
struct FollowerState {
    written: u64,
    ended: bool,
}

impl Follower {
    /// The first `written` bytes of the file are complete.
    pub(crate) fn advance(&self, written: u64) {
        self.lock().written = written;
        self.moved.notify_one();
    }

    /// Nothing more will be written, whether it succeeded or failed.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.moved.notify_one();
    }

    /// Runs beside the writer. Returns after [`Self::end`], with the digest of everything written.
    pub(crate) fn digest(&self, file: &File) -> io::Result<Digest> {
        let mut digest = DigestWriter::new(io::sink());
        let mut at = 0;
        loop {
            let FollowerState { written, ended } = self.wait_beyond(at);
            digest_range(file, at, written - at, &mut digest)?;
            at = written;
            if ended {
                return Ok(digest.finish().1);
            }
        }
    }

    fn wait_beyond(&self, at: u64) -> FollowerState {
        let mut state = self.lock();
        while state.written == at && !state.ended {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *state
    }

    fn lock(&self) -> MutexGuard<'_, FollowerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the follower however the writer's scope is left, so that no thread waits forever.
pub(crate) struct EndOnDrop<'a>(pub &'a Follower);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The digest of `length` bytes from `offset` on.
pub(crate) fn digest_of_range(file: &File, offset: u64, length: u64) -> io::Result<Digest> {
    let mut digest = DigestWriter::new(io::sink());
    digest_range(file, offset, length, &mut digest)?;
    Ok(digest.finish().1)
}

fn digest_range(file: &File, offset: u64, length: u64, digest: &mut DigestWriter<io::Sink>) -> io::Result<()> {
    /// Fits the processor's own cache, where hashing finds it again.
    const PIECE: u64 = 1 << 18;
    let mut buffer = vec![0; PIECE.min(length) as usize];
    let mut at = 0;
    while at < length {
        let piece = &mut buffer[..PIECE.min(length - at) as usize];
        read_exact_at(file, piece, offset + at)?;
        io::Write::write_all(digest, piece)?;
        at += piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_digest_is_of_all_that_was_written_before_the_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        // Opened again, as the writer of artifacts does it: on Windows a clone would move the writer's position.
        let reader = file.reopen().unwrap();
        let follower = Follower::default();
        let digest = std::thread::scope(|scope| {
            let digest = scope.spawn(|| follower.digest(&reader));
            for round in 1..=100_u64 {
                file.write_all(&[7; 10_000]).unwrap();
                follower.advance(round * 10_000);
            }
            follower.end();
            digest.join().unwrap().unwrap()
        });
        assert_eq!(digest, Digest::of(vec![7; 1_000_000]));
        assert_eq!(digest_of_range(&reader, 3, 500_000).unwrap(), Digest::of(vec![7; 500_000]));
    }
}
