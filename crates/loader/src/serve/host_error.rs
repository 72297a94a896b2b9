//! Why a request was not understood.

use vocab::Fault;
use vocab::typed_json::TypedJsonError;

use super::line_reader::LONGEST_LINE;
use super::message::PROTOCOL;

/// A request has no answer because of what it says. Nothing was done.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum HostError {
    #[error("the line is not a request: {0}")]
    #[fault("E_HOST_LINE", hint("write one JSON object with `id` and `method` on each line"))]
    Syntax(TypedJsonError),
    #[error("the line is longer than {} MiB", LONGEST_LINE >> 20)]
    #[fault("E_HOST_LINE", hint("give content by the path of a file"))]
    TooLong,
    #[error("`id` is neither a text nor a number")]
    #[fault("E_HOST_LINE", hint("write one JSON object with `id` and `method` on each line"))]
    NoId,
    #[error("there is no method `{method}`; there are {known}")]
    #[fault("E_HOST_METHOD")]
    Method { method: String, known: String },
    #[error("`{method}` was asked for wrongly: {error}")]
    #[fault("E_HOST_REQUEST", hint("docs/formats/host-protocol.md lists the members of each request"))]
    Members { method: String, error: TypedJsonError },
    #[error("`{method}` was asked for wrongly: {reason}")]
    #[fault("E_HOST_REQUEST", hint("docs/formats/host-protocol.md lists the members of each request"))]
    Request { method: String, reason: String },
    #[error("a request with this id is not answered yet")]
    #[fault("E_HOST_REQUEST", hint("give every request an id of its own"))]
    IdInUse,
    #[error("{most} requests are not answered yet")]
    #[fault("E_HOST_BUSY", hint("wait for answers before you ask more"))]
    Busy { most: usize },
    #[error("this program speaks protocol {PROTOCOL}, not {asked}")]
    #[fault("E_HOST_PROTOCOL", hint("use the pydist that the host was made for"))]
    Protocol { asked: u64 },
}
