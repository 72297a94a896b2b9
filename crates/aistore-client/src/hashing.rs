//! Computing checksums.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use md5::{Digest as _, Md5};
use sha2::{Digest as _, Sha256, Sha512};
use xxhash_rust::xxh64::Xxh64;

use crate::{Checksum, ChecksumKind, Error};

impl Checksum {
    /// The checksum of bytes in memory.
    pub fn of(bytes: &[u8], kind: ChecksumKind) -> Self {
        let mut hasher = ChecksumHasher::new(kind);
        hasher.update(bytes);
        hasher.finish()
    }

    /// # Errors
    /// The file cannot be read.
    pub fn of_file(path: &Path, kind: ChecksumKind) -> Result<Self, Error> {
        let unreadable = |source| Error::File { path: path.to_owned(), source };
        let (mut file, mut hasher) = (File::open(path).map_err(unreadable)?, ChecksumHasher::new(kind));
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer).map_err(unreadable)? {
                0 => return Ok(hasher.finish()),
                count => hasher.update(buffer.get(..count).unwrap_or_default()),
            }
        }
    }
}

/// A checksum that is not complete yet.
pub(crate) struct ChecksumHasher {
    kind: ChecksumKind,
    state: HasherState,
}

enum HasherState {
    Xxhash2(Box<Xxh64>),
    Md5(Md5),
    Crc32c(crc_fast::Digest),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl ChecksumHasher {
    pub(crate) fn new(kind: ChecksumKind) -> Self {
        let state = match kind {
            ChecksumKind::Xxhash2 => HasherState::Xxhash2(Box::new(Xxh64::new(0))),
            ChecksumKind::Md5 => HasherState::Md5(Md5::new()),
            ChecksumKind::Crc32c => HasherState::Crc32c(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi)),
            ChecksumKind::Sha256 => HasherState::Sha256(Sha256::new()),
            ChecksumKind::Sha512 => HasherState::Sha512(Sha512::new()),
        };
        Self { kind, state }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            HasherState::Xxhash2(state) => state.update(bytes),
            HasherState::Md5(state) => state.update(bytes),
            HasherState::Crc32c(state) => state.update(bytes),
            HasherState::Sha256(state) => state.update(bytes),
            HasherState::Sha512(state) => state.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Checksum {
        let value = match self.state {
            HasherState::Xxhash2(state) => format!("{:016x}", state.digest()),
            HasherState::Md5(state) => hexadecimal(&state.finalize()),
            HasherState::Crc32c(state) => format!("{:08x}", state.finalize()),
            HasherState::Sha256(state) => hexadecimal(&state.finalize()),
            HasherState::Sha512(state) => hexadecimal(&state.finalize()),
        };
        Checksum { kind: self.kind, value }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Shared with a reader that may live on another thread, and outlive the request.
pub(crate) type RunningChecksum = Arc<Mutex<Option<ChecksumHasher>>>;

pub(crate) fn running(kind: ChecksumKind) -> RunningChecksum {
    Arc::new(Mutex::new(Some(ChecksumHasher::new(kind))))
}

/// The checksum of all that went through. Call it once.
pub(crate) fn finished(running: &RunningChecksum) -> Option<Checksum> {
    running.lock().unwrap_or_else(PoisonError::into_inner).take().map(ChecksumHasher::finish)
}

/// Computes a checksum of what is read through it.
pub(crate) struct HashingReader<R> {
    pub(crate) inner: R,
    pub(crate) running: RunningChecksum,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if let Some(hasher) = self.running.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            hasher.update(bytes);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let cases = [
            (ChecksumKind::Xxhash2, "hello", "26c7827d889f6da3"),
            (ChecksumKind::Xxhash2, "", "ef46db3751d8e999"),
            (ChecksumKind::Md5, "hello", "5d41402abc4b2a76b9719d911017c592"),
            (ChecksumKind::Crc32c, "123456789", "e3069283"),
            (ChecksumKind::Sha256, "hello", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        ];
        for (kind, bytes, value) in cases {
            assert_eq!(Checksum::of(bytes.as_bytes(), kind).value, value, "{kind} of {bytes:?}");
        }
    }
}
