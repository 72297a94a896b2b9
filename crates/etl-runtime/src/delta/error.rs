//! Why a delta was not made, or not used.

use std::io;
use std::path::PathBuf;

use vocab::{Digest, Fault};

/// Nothing was installed, or put anywhere under the name of a delta.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum DeltaError {
    #[error("ETL_DELTA: `{place}` has no delta {sha256}")]
    #[fault("E_ETL_DELTA", hint("bake it again, and set what `etl-runtime bake` prints"))]
    Absent { place: String, sha256: Digest },
    #[error("ETL_DELTA: the record `{key}` at `{place}` cannot be used: {reason}")]
    #[fault("E_ETL_DELTA_DAMAGED", Trust, hint("bake it again with the `etl-runtime` that runs in the pods"))]
    Record { place: String, key: String, reason: String },
    #[error("ETL_DELTA: `{file}` at `{place}` is damaged: {reason}")]
    #[fault("E_ETL_DELTA_DAMAGED", Trust, hint("remove `{key}` there, and bake it again"))]
    Damaged { place: String, file: String, key: String, reason: String },
    #[error("ETL_DELTA: the delta was baked for {baked}, and this runtime has {here}")]
    #[fault("E_ETL_DELTA_OTHER", hint("bake it with a runtime like this one"))]
    Other { baked: String, here: String },
    #[error("ETL_DELTA: the delta lacks {}", names.join(", "))]
    #[fault("E_ETL_DELTA_OTHER", hint("bake it for these packages"))]
    Lacks { names: Vec<String> },
    #[error("no delta for {}: {reason}", names.join(", "))]
    #[fault("E_ETL_BAKE", hint("check the names, the network and which index uv uses (UV_DEFAULT_INDEX)"))]
    Resolve { names: Vec<String>, reason: String },
    #[error("`{address}` can only be read")]
    #[fault("E_ETL_BAKE", Usage, hint("bake into the folder or bucket that the server shows"))]
    ReadOnly { address: String },
    #[error("cannot write `{}`", path.display())]
    #[fault("E_ETL_WORK", hint("name a folder that this user may write with --work or ETL_WORK"))]
    Write { path: PathBuf, source: io::Error },
}
