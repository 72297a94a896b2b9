//! Why something could not be done: refused here before any request, refused by the server, or never answered.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use web::{HeaderMap, WebFailure};

use crate::Checksum;
use crate::headers;

/// Why a call failed. A token is never part of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Found before any request.
    #[error("`{value}` is not a valid {what}: {reason}")]
    Invalid { what: &'static str, value: String, reason: String },
    /// Neither the address nor the variable says where the cluster is.
    #[error("no endpoint: add `?endpoint=http://host:port`, or set AIS_ENDPOINT")]
    NoEndpoint,
    /// The server says no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// There was no answer, or it broke off.
    #[error("{request}: {}", failure.reason)]
    Unanswered { request: String, failure: WebFailure },
    /// A redirect that must not be followed.
    #[error("{request}: {reason}")]
    Redirect { request: String, reason: String },
    /// The content of a request was sent in part when it had to be sent again.
    #[error("{request}: the content is a stream and cannot be sent a second time")]
    SentOnce { request: String },
    /// The answer is not what it should be; `text` is how it begins.
    #[error("{request}: the answer is not understood: {reason}")]
    Unreadable { request: String, reason: String, text: String },
    /// What arrived is not what was sent.
    #[error("{request}: the checksum is {actual}, {expected} was expected")]
    Mismatch { request: String, expected: Checksum, actual: Checksum },
    #[error("cannot read `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the job `{job}` failed: {message}")]
    JobFailed { job: String, message: String },
    #[error("the job `{job}` was aborted{}", if message.is_empty() { String::new() } else { format!(": {message}") })]
    JobAborted { job: String, message: String },
    /// The job itself goes on.
    #[error("the job `{job}` did not finish within {} s", limit.as_secs_f32())]
    JobUnfinished { job: String, limit: Duration },
    #[error("the cluster has no target that takes requests")]
    NoTarget,
}

impl Error {
    /// Why the server refused. `None` for every other error.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the server refused for this reason.
    pub fn is(&self, kind: RefusalKind) -> bool {
        self.refusal().is_some_and(|refusal| refusal.kind == kind)
    }

    /// Whether the server fell silent for longer than the limit, or the time for the whole was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Unanswered { failure, .. } if failure.is_timeout())
    }
}

/// What a server said with a status of 400 or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Method and path, without the query.
    pub request: String,
    pub kind: RefusalKind,
    pub status: u16,
    /// The type of the server's error, such as `ErrBckNotFound`. Servers leave it out at times.
    pub type_code: Option<String>,
    /// Empty when the answer is not AIStore's own.
    pub message: String,
    /// The answer as it came, at most its first KiB.
    pub text: String,
}

/// Why the server refused: by the type of its error where it says one, by the status otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// A bucket or ETL of that name is there.
    AlreadyExists,
    /// Something else is going on that does not allow it at the same time, such as a rebalance.
    Busy,
    BucketNotFound,
    /// A bucket of a cloud, or of another cluster.
    RemoteBucketNotFound,
    ObjectNotFound,
    /// Something else that was named: a job, an upload.
    NotFound,
    Unauthorized,
    Forbidden,
    /// The range lies outside the object, or is none.
    RangeNotSatisfiable,
    OutOfSpace,
    /// The bytes that arrived have another checksum.
    ChecksumMismatch,
    EtlNotAvailable,
    NotSupported,
    /// A method that the server does not offer there, or for that bucket.
    NotAllowed,
    TooManyRequests,
    /// The cluster has no storage target.
    NoTargets,
    /// Starting up, or overloaded.
    Unavailable,
    Invalid,
    Other,
}

/// In bytes, of what a server said.
const LONGEST_TEXT: usize = 1024;

/// An error as AIStore writes it. Everything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorMessage {
    tcode: Option<String>,
    message: Option<String>,
}

impl Refusal {
    /// From an answer's status, headers and the beginning of its body. Never fails, whatever the bytes are.
    pub fn of(request: &str, status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let said = match headers.get(headers::ERROR) {
            Some(value) if body.is_empty() => value.as_bytes(),
            _ => body,
        };
        let message: ErrorMessage = serde_json::from_slice(said).unwrap_or_default();
        let type_code = message.tcode.filter(|code| !code.is_empty());
        let message = message.message.unwrap_or_default();
        let kind = kind(type_code.as_deref(), status, &message);
        Self { request: request.to_owned(), kind, status, type_code, message, text: shortened(said) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: the server answered {}", self.request, self.status)?;
        let said = if self.message.is_empty() { &self.text } else { &self.message };
        let said: String = said.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        if !said.trim().is_empty() {
            write!(formatter, ": {}", said.trim())?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// At most the first KiB, as text.
pub(crate) fn shortened(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..LONGEST_TEXT).unwrap_or(bytes));
    let mut text = text.into_owned();
    // Bytes that are not text became longer.
    while text.len() > LONGEST_TEXT {
        text.pop();
    }
    text
}

/// By the type of the server's error. Only where it does not tell, the status counts: one status has many reasons (409
/// is "exists" and "busy"), and one reason many statuses (an existing bucket is 409 when created, 400 as the new name
/// of another).
fn kind(type_code: Option<&str>, status: u16, message: &str) -> RefusalKind {
    use RefusalKind as Kind;
    match type_code.unwrap_or_default() {
        "ErrBucketAlreadyExists" | "ErrAlreadyExists" => Kind::AlreadyExists,
        "ErrLimitedCoexistence" | "ErrBusy" | "ErrXactUsePrev" => Kind::Busy,
        "ErrBckNotFound" => Kind::BucketNotFound,
        "ErrRemoteBckNotFound" | "ErrRemBckNotFound" => Kind::RemoteBucketNotFound,
        "ErrXactNotFound" => Kind::NotFound,
        "ErrNotFound" if names_an_object(message) => Kind::ObjectNotFound,
        "ErrNotFound" => Kind::NotFound,
        "ErrRangeNotSatisfiable" => Kind::RangeNotSatisfiable,
        "ErrCapExceeded" => Kind::OutOfSpace,
        "ErrBadCksum" => Kind::ChecksumMismatch,
        "ErrNoNodes" | "ErrNotEnoughTargets" => Kind::NoTargets,
        "ErrTooManyRequests" => Kind::TooManyRequests,
        "ErrBucketAccessDenied" | "ErrObjectAccessDenied" => Kind::Forbidden,
        "ErrUnsupp" | "ErrNotImpl" if status == 501 => not_supported(message),
        _ => by_status(status, message),
    }
}

fn by_status(status: u16, message: &str) -> RefusalKind {
    use RefusalKind as Kind;
    match status {
        400 => Kind::Invalid,
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 | 410 if names_an_object(message) => Kind::ObjectNotFound,
        404 | 410 => Kind::NotFound,
        405 => Kind::NotAllowed,
        // Not "exists": that always has its type.
        409 | 423 => Kind::Busy,
        416 => Kind::RangeNotSatisfiable,
        429 => Kind::TooManyRequests,
        501 => not_supported(message),
        502..=504 => Kind::Unavailable,
        507 => Kind::OutOfSpace,
        _ => Kind::Other,
    }
}

fn not_supported(message: &str) -> RefusalKind {
    if message.contains("ETL") { RefusalKind::EtlNotAvailable } else { RefusalKind::NotSupported }
}

/// Whether it holds `provider://bucket/object`.
fn names_an_object(message: &str) -> bool {
    message.split_whitespace().any(|word| {
        let path = word.split_once("://").map(|(_, path)| path.trim_matches(['"', ',', ';', ':', '(', ')']));
        // A namespace is a component before the bucket.
        let path =
            path.map(|path| if path.starts_with('@') { path.split_once('/').map_or("", |it| it.1) } else { path });
        path.and_then(|path| path.split_once('/')).is_some_and(|(_, object)| !object.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_by_type_and_only_then_by_status() {
        use RefusalKind as Kind;
        let cases = [
            // (type, status, message, reason)
            ("ErrBucketAlreadyExists", 409, "bucket \"ais://b\" already exists", Kind::AlreadyExists),
            ("ErrBucketAlreadyExists", 400, "bucket \"ais://b\" already exists", Kind::AlreadyExists),
            ("ErrLimitedCoexistence", 409, "t[x]: rebalance is currently running", Kind::Busy),
            ("", 409, "something", Kind::Busy),
            ("ErrBckNotFound", 404, "bucket \"ais://b\" does not exist", Kind::BucketNotFound),
            ("ErrNotFound", 404, "t[a]: ais://b/nope does not exist", Kind::ObjectNotFound),
            ("ErrNotFound", 404, "t[a]: ais://@u#n/b does not exist", Kind::NotFound),
            ("", 404, "ais://b/nope doesn't exist", Kind::ObjectNotFound),
            ("ErrNotFound", 404, "o[b/m(-)]: zzz does not exist", Kind::NotFound),
            ("ErrBadCksum", 500, "BAD DATA CHECKSUM", Kind::ChecksumMismatch),
            ("ErrUnsupp", 501, "cannot use ETL in a build without ETL support", Kind::EtlNotAvailable),
            ("ErrUnsupp", 416, "cannot multi-range read", Kind::RangeNotSatisfiable),
            ("ErrCapExceeded", 507, "out of space", Kind::OutOfSpace),
            ("", 507, "", Kind::OutOfSpace),
            ("ErrNoNodes", 500, "no available targets", Kind::NoTargets),
            ("", 503, "", Kind::Unavailable),
            ("", 418, "", Kind::Other),
        ];
        for (code, status, message, expected) in cases {
            assert_eq!(kind(Some(code), status, message), expected, "{code} {status} {message}");
        }
    }
}
