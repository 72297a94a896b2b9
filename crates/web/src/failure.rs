//! Why there was no answer.

use std::error::Error;
use std::io;

use crate::host_names::NameUnknown;
use crate::pace::OverLimit;

/// Why there was no answer. `reason` has no subject: "the host's name does not resolve".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebFailure {
    pub reason: String,
    pub kind: FailureKind,
}

/// What a failure means for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Another attempt may succeed.
    Passing,
    /// Every attempt would fail in the same way.
    Lasting,
    /// The server sends less than [`crate::Pace`] requires.
    TooSlow,
    /// The [`crate::Deadline`] has passed.
    Late,
}

const UNKNOWN: &str = "the host's name does not resolve";
const UNCONNECTED: &str = "the host cannot be connected within the limit";
const REFUSED: &str = "the connection was refused";
/// Also in the middle of an answer.
pub(crate) const SILENT: &str = "the server went silent";

impl WebFailure {
    /// Whether no part of the request can have reached a server, so that repeating it cannot do it twice.
    pub fn never_arrived(&self) -> bool {
        [UNKNOWN, UNCONNECTED, REFUSED].contains(&self.reason.as_str())
    }

    /// Whether a time limit was exceeded.
    pub fn is_timeout(&self) -> bool {
        let is_over = matches!(self.kind, FailureKind::TooSlow | FailureKind::Late);
        is_over || self.reason == UNCONNECTED || self.reason.ends_with(SILENT)
    }

    /// A failure that every attempt would meet again.
    pub fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: FailureKind::Lasting }
    }

    /// A failure that another attempt may not meet.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: FailureKind::Passing }
    }

    /// Why reading a [`AnswerBody`](crate::AnswerBody) failed.
    pub fn of_body(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<OverLimit>()) {
            Some(over) => Self::from(*over),
            None => Self::passing(format!("the connection broke: {error}")),
        }
    }

    /// Without the URL, which may contain a signature.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let causes: Vec<&(dyn Error + 'static)> = causes(error).collect();
        if causes.iter().any(|cause| cause.is::<NameUnknown>()) {
            return Self::passing(UNKNOWN);
        }
        if error.is_connect() && error.is_timeout() {
            return Self::passing(UNCONNECTED);
        }
        if let Some(tls) = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
            return Self::lasting(format!("the connection failed: {tls}"));
        }
        let io = causes.iter().rev().find_map(|cause| cause.downcast_ref::<io::Error>());
        if io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return Self::passing(REFUSED);
        }
        // The last one says what happened; those before it, where.
        let root = causes.last().map_or_else(|| "there is no answer".to_owned(), ToString::to_string);
        // Nothing was connected, and no system call failed: a proxy refuses, or the request is invalid.
        let lasting = error.is_builder() || (error.is_connect() && io.is_none());
        let kind = if lasting { FailureKind::Lasting } else { FailureKind::Passing };
        Self { reason: format!("the connection failed: {root}"), kind }
    }
}

/// The causes of an error, without the error itself. [`io::Error`] omits the error that it was made of.
fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| {
        let cause: &'a (dyn Error + 'static) = *cause;
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        }
    })
}

impl From<OverLimit> for WebFailure {
    fn from(over: OverLimit) -> Self {
        let kind = match over {
            OverLimit::TooSlow { .. } => FailureKind::TooSlow,
            OverLimit::Late { .. } => FailureKind::Late,
        };
        Self { reason: over.to_string(), kind }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Pace;

    #[test]
    fn a_limit_is_told_apart_from_a_broken_connection() {
        let pace = Pace::default();
        let over = |limit| WebFailure::of_body(&io::Error::new(io::ErrorKind::TimedOut, limit));
        let slow = over(OverLimit::TooSlow { rate: 1, pace });
        assert_eq!(slow.reason, "the server sent 1 B/s over 60 s, and at least 1000 B/s are asked for");
        assert_eq!(slow.kind, FailureKind::TooSlow);
        assert_eq!(over(OverLimit::Late { limit: Duration::from_secs(5) }).kind, FailureKind::Late);
        let broken = WebFailure::of_body(&io::ErrorKind::ConnectionReset.into());
        assert_eq!(broken.kind, FailureKind::Passing);
    }
}
