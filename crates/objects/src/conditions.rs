//! Conditional puts over the S3 protocol: what answers to them mean, and which servers keep them.
//!
//! Amazon's reference of PutObject and CompleteMultipartUpload says so: **412** means that the condition does not hold,
//! and the object that stands there stays. **409 ConditionalRequestConflict** means that another request for the same
//! key was under way, which says nothing about how either of them ended: the put is tried again, and an upload in parts
//! is begun again. **404** answers `If-Match` when the object was deleted meanwhile. A server without conditions says
//! **501**, or nothing at all.

use std::time::Duration;

use crate::{Expected, ObjectKey, Result};

/// What the answer to a put with a condition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody else's object stands there.
    NotMet,
    /// Somebody else wrote at the same moment: to be tried again.
    InTheWay,
    /// The server does not know conditions: whoever has looked before can do no more, and puts without.
    Unknown,
    /// It is about something else.
    Other,
}

/// `status` and `code` of an answer that is an error.
pub fn judge(status: Option<u16>, code: &str, expected: &Expected) -> Verdict {
    match (status, code) {
        (_, "NoSuchBucket" | "NoSuchUpload") => Verdict::Other,
        (Some(412), _) | (_, "PreconditionFailed") => Verdict::NotMet,
        (_, "ConditionalRequestConflict" | "OperationAborted") | (Some(409), "") => Verdict::InTheWay,
        (Some(404), _) if matches!(expected, Expected::State(_)) => Verdict::NotMet,
        (Some(501), _) | (_, "NotImplemented") if *expected != Expected::Anything => Verdict::Unknown,
        _ => Verdict::Other,
    }
}

/// How often a put is tried again that another one stood in the way of.
pub const CONTENDED: u32 = 20;

/// After this attempt, counted from 1.
pub fn pause(attempt: u32) -> Duration {
    Duration::from_millis(u64::from(20 * attempt))
}

/// Put twice where nobody knows yet whether conditions are kept. It stays, since whoever publishes may not be allowed to
/// delete; so the next one needs to ask once only.
const PROBE: &str = "conditions.txt";

/// Whether a server keeps the condition that nothing stands there yet. `create` puts an object under it, and says what
/// came of that.
pub fn probe(create: impl Fn(&ObjectKey, &[u8]) -> Result<Verdict>) -> Result<bool> {
    let key: ObjectKey = PROBE.parse().expect("a literal object key");
    for _ in 0..2 {
        match create(&key, b"Written once where conditional puts work.\n")? {
            Verdict::NotMet => return Ok(true),
            Verdict::Unknown => return Ok(false),
            Verdict::InTheWay | Verdict::Other => {}
        }
    }
    Ok(false)
}
