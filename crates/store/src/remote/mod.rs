//! A store that several machines share: downloaded files, wheels built from source and compressed parts, read
//! through and written through, so that a CI job gets what another has fetched or made.
//!
//! It lies in an [`objects::Place`], a folder or a bucket. [`Remote`] is what the rest of the builder talks to. What it
//! brings is checked by digest before it gets into the local store; objects are written once and never changed; that
//! the remote store fails is told once and never fails a build, unless it shall.
//!
//! Objects, below the place's own prefix:
//!
//! ```text
//! v1/blobs/<2 digits>/<sha256>   a downloaded file, or a wheel built from source
//! v1/parts/<2 digits>/<key>      a compressed part with its trailer (docs/formats/artifact.md)
//! v1/built/<2 digits>/<key>      which wheel was built: JSON with file name, size and sha256 of the blob
//! ```

mod error;
mod open;
mod shared;

pub use error::{RemoteError, RemoteErrorKind};
pub use open::{RemoteSettings, open};
pub use shared::Remote;
