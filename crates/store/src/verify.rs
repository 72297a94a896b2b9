//! Finding damage: a file that is not what its name says.

use std::fs::File;
use std::io;

use vocab::Digest;

use super::{Store, StoreError};

/// How thoroughly unpacked entries are checked before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrutiny {
    /// Compare sizes and time stamps; read only files whose stamp changed.
    Glance,
    /// Read everything and compare it with the digests, which go back to a lock or a source. For `--locked` and CI,
    /// whose results carry those digests.
    Digests,
}

/// What a full read of a blob showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobState {
    Sound {
        size: u64,
    },
    Absent,
    /// Its content had another digest, so it has been removed.
    Removed {
        actual: Digest,
        size: u64,
    },
}

impl Store {
    /// Reads the whole blob. One that is damaged is removed, so that the next fetch gets it again.
    pub fn verify_blob(&self, digest: &Digest) -> Result<BlobState, StoreError> {
        let path = self.blob(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BlobState::Absent),
            Err(source) => return Err(StoreError::new("read", &path, source)),
        };
        let (actual, size) = Digest::of_reader(io::BufReader::with_capacity(1 << 18, file))
            .map_err(|source| StoreError::new("read", &path, source))?;
        if actual == *digest {
            return Ok(BlobState::Sound { size });
        }
        self.discard(&path)?;
        Ok(BlobState::Removed { actual, size })
    }
}
