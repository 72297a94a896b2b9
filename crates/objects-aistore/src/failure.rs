//! What an error of the client means at a place.

use aistore_client::{Error, RefusalKind};
use objects::PlaceErrorKind as Kind;
use objects::refusal::tidy;

/// Attempts that the client makes by itself.
pub(crate) const ATTEMPTS: u32 = 5;

pub(crate) fn kind_of(error: Error) -> Kind {
    let said = said_by(&error);
    match error {
        Error::Refused(refusal) => match refusal.kind {
            RefusalKind::Unauthorized => Kind::Token { said },
            RefusalKind::Forbidden => Kind::TokenRights { said },
            RefusalKind::OutOfSpace => Kind::Full { said },
            RefusalKind::BucketNotFound | RefusalKind::RemoteBucketNotFound => Kind::NoBucket,
            RefusalKind::ChecksumMismatch => Kind::Checksum { said },
            RefusalKind::Busy | RefusalKind::TooManyRequests | RefusalKind::Unavailable => {
                Kind::Busy { attempts: ATTEMPTS, said }
            }
            _ => Kind::Refused { said },
        },
        Error::Mismatch { .. } => Kind::Checksum { said },
        Error::Unanswered { failure, .. } if failure.is_timeout() => Kind::TooSlow { said: failure.reason },
        Error::Unanswered { failure, .. } => Kind::Unreachable { reason: failure.reason },
        Error::File { path, source } => Kind::Disk { action: "read", path, source },
        Error::Redirect { .. } | Error::Unreadable { .. } => Kind::Nonsense { said },
        _ => Kind::Refused { said },
    }
}

/// Without the request: the place names what it did, and the name of an artifact fills the whole line.
fn said_by(error: &Error) -> String {
    let whole = error.to_string();
    let request = match error {
        Error::Refused(refusal) => Some(&refusal.request),
        Error::Redirect { request, .. } | Error::Unreadable { request, .. } | Error::Mismatch { request, .. } => {
            Some(request)
        }
        _ => None,
    };
    let rest = request.and_then(|request| whole.strip_prefix(request.as_str())?.strip_prefix(": "));
    tidy(rest.unwrap_or(&whole))
}
