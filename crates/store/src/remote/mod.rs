//! A store that several machines share: downloaded files, wheels built from source and compressed parts, read
//! through and written through, so that a CI job gets what another has fetched or made.
//!
//! It is in an [`objects::Place`], a folder or a bucket; the rest of the builder uses it through [`RemoteStore`].
//! Everything read from it is checked by digest before it gets into the local store. Objects are written once and
//! never changed. A failure is reported once and never fails a build, except in strict mode.
//!
//! Objects, below the place's own prefix:
//!
//! ```text
//! v1/blobs/<2 digits>/<sha256>   a downloaded file, or a wheel built from source
//! v1/parts/<2 digits>/<key>      a compressed part with its trailer (docs/formats/artifact.md)
//! v1/bases/<2 digits>/<identity> a finished base interpreter, packed, with the table of its files
//! v1/built/<2 digits>/<key>      which wheel was built: JSON with file name, size and sha256 of the blob
//! v1/requirements/<2 digits>/<key> which files builds require: JSON (docs/formats/requirements.md)
//! ```

mod chosen_interpreter;
mod contents;
mod error;
mod object_kind;
mod open;
mod settings;
mod shared;

pub use chosen_interpreter::ChosenInterpreter;
pub use contents::{Contents, SharedObject};
pub use error::{RemoteError, RemoteErrorKind};
pub use object_kind::{ObjectKind, blob_key};
pub use open::{open, place_at};
pub use settings::RemoteSettings;
pub use shared::{NearStore, RemoteStore};
