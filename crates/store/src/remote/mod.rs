//! A store that several machines share: downloaded files, wheels built from source and compressed parts, read
//! through and written through, so that a CI job gets what another has fetched or made.
//!
//! Two kinds of places implement [`RemoteStore`]: a folder and an S3 bucket. [`Remote`] is what the rest of the
//! builder talks to. What it brings is checked by digest before it gets into the local store; objects are written
//! once and never changed; that the remote store fails is told once and never fails a build, unless it shall.
//!
//! Objects, below the place's own prefix:
//!
//! ```text
//! v1/blobs/<2 digits>/<sha256>   a downloaded file, or a wheel built from source
//! v1/parts/<2 digits>/<key>      a compressed part with its trailer (docs/formats/artifact.md)
//! v1/built/<2 digits>/<key>      which wheel was built: JSON with file name, size and sha256 of the blob
//! ```

mod address;
mod bucket;
mod error;
mod folder;
mod profile;
mod shared;

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use vocab::Digest;

pub use address::{AddressError, RemoteSettings, open};
pub use bucket::BucketStore;
pub use error::{RemoteError, RemoteErrorKind};
pub use folder::FolderStore;
pub use shared::Remote;

/// Where objects are kept by name. A name has three or four components of letters and digits, `/` between them.
pub trait RemoteStore: std::fmt::Debug + Send + Sync {
    /// For messages: nothing secret in it.
    fn place(&self) -> &str;

    /// Writes the object's bytes to `to`. False when there is none. One of more than `limit` bytes is damaged.
    fn get(&self, name: &str, to: &mut File, limit: u64, watch: Watch<'_>) -> Result<bool, RemoteErrorKind>;

    /// Keeps what is in `from`, whose digest is `sha256`, unless there is an object of this name, which stays as it
    /// is. Nobody ever sees a part of an object.
    fn put(&self, name: &str, from: &Path, sha256: &Digest, watch: Watch<'_>) -> Result<Placed, RemoteErrorKind>;
}

/// Asked between two pieces of an object: an error ends the transfer.
pub type Watch<'a> = &'a dyn Fn() -> Result<(), RemoteErrorKind>;

/// Copies up to `limit` bytes; `failed` says what an error of `from` means.
fn copy(
    mut from: impl Read,
    to: &mut File,
    limit: u64,
    watch: Watch<'_>,
    failed: impl Fn(io::Error) -> RemoteErrorKind,
) -> Result<(), RemoteErrorKind> {
    let (mut buffer, mut length) = (vec![0; 1 << 17], 0_u64);
    loop {
        watch()?;
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        length += count as u64;
        if length > limit {
            return Err(RemoteErrorKind::Damaged { reason: format!("it has more than {limit} bytes") });
        }
        let written = to.write_all(&buffer[..count]);
        written.map_err(|source| RemoteErrorKind::Disk { action: "write", path: "a copy of it".into(), source })?;
    }
}

/// Whose object stands there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    Ours,
    /// It was there before.
    Theirs,
}
