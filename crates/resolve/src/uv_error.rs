//! Why uv gave no answer.

use std::io;
use std::path::PathBuf;

use process::{ProcessError, shortened};
use store::pinned_tool::SetUpError;
use vocab::Fault;

use crate::pinned_uv::UV_VERSION;

/// Why uv gave no answer.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum UvError {
    #[error("uv {UV_VERSION} is not on PATH and cannot be set up")]
    #[fault("E_RESOLVER_SET_UP", hint("install uv {UV_VERSION} and put it on PATH"))]
    SetUp {
        #[source]
        kind: SetUpError,
    },
    #[error("uv could not resolve: {}", shortened(reason))]
    #[fault("E_RESOLVE", hint("check the requirements it names; `builder plan -v` shows the question"))]
    Refused {
        /// uv's own words, all of them.
        reason: String,
    },
    /// Nothing is known about the distributions themselves, so no policy may take it for their absence.
    #[error("an index or a file could not be fetched: {}", shortened(reason))]
    #[fault("E_INDEX_UNREACHABLE", hint("check the network, the proxy and which index uv uses (UV_DEFAULT_INDEX)"))]
    Unreachable {
        /// uv's own words, with the URL and the number of attempts.
        reason: String,
    },
    #[error(transparent)]
    #[fault(transparent)]
    Process(#[from] ProcessError),
    #[error("cannot write `{}`", path.display())]
    #[fault("E_STORE")]
    Write { path: PathBuf, source: io::Error },
}
