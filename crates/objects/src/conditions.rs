//! Conditional puts over the S3 protocol: what answers to them mean, and which servers keep them.
//!
//! Amazon's reference of PutObject and CompleteMultipartUpload says so: **412** means that the condition does not hold,
//! and the existing object stays. **409 ConditionalRequestConflict** means that another request for the same
//! key was under way, which says nothing about how either of them ended: the put is tried again, and an upload in parts
//! is begun again. **404** answers `If-Match` when the object was deleted meanwhile. A server without conditions
//! answers **501**, or ignores them.

use std::time::Duration;

use crate::{Expected, ObjectKey, Result};

/// What the answer to a put with a condition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another object is there.
    NotMet,
    /// Another writer was at work at the same moment: try again.
    InTheWay,
    /// The server does not know conditions: the best that is left is to look first and put without one.
    Unknown,
    /// The answer is about something else.
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

/// How often a put is tried again that another one got in the way of.
pub const CONTENDED: u32 = 20;

/// Pause after this attempt, counted from 1.
pub fn pause(attempt: u32) -> Duration {
    Duration::from_millis(u64::from(20 * attempt))
}

/// Object that is put twice to find out whether conditions are kept. It stays, since a publisher may lack the right to
/// delete; so the next publisher needs only one request.
const PROBE: &str = "conditions.txt";

/// Whether a server keeps the condition that no object exists yet. `create` puts an object under that condition and
/// gives the result.
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
