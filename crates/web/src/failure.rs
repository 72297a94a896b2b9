//! Why there was no answer.

use std::io;

use crate::pace::OverLimit;

/// Said without a subject: "the host's name does not resolve".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub reason: String,
    pub kind: FailureKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Another attempt may go better.
    Passing,
    Lasting,
    /// The server sends less than [`crate::Pace`] asks for.
    TooSlow,
    /// The [`crate::Deadline`] is over.
    Late,
}

impl Failure {
    pub fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: FailureKind::Lasting }
    }

    pub fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: FailureKind::Passing }
    }
}

impl From<&ureq::Error> for Failure {
    fn from(error: &ureq::Error) -> Self {
        let passing = match error {
            ureq::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
            ureq::Error::Timeout(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Protocol(_) => true,
            _ => false,
        };
        let reason = match error {
            ureq::Error::HostNotFound => "the host's name does not resolve".to_owned(),
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                "the host cannot be connected within the limit".to_owned()
            }
            ureq::Error::Timeout(_) => "the server went silent".to_owned(),
            ureq::Error::Io(error) => format!("the connection failed: {error}"),
            other => other.to_string(),
        };
        Self { reason, kind: if passing { FailureKind::Passing } else { FailureKind::Lasting } }
    }
}

impl From<OverLimit> for Failure {
    fn from(over: OverLimit) -> Self {
        let kind = match over {
            OverLimit::TooSlow { .. } => FailureKind::TooSlow,
            OverLimit::Late { .. } => FailureKind::Late,
        };
        Self { reason: over.to_string(), kind }
    }
}
