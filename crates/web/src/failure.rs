//! Why there was no answer.

use std::io;

/// Said without a subject: "the host's name does not resolve".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub reason: String,
    /// Another attempt may go better.
    pub passing: bool,
}

impl Failure {
    pub fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: false }
    }

    pub fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: true }
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
        Self { reason, passing }
    }
}
