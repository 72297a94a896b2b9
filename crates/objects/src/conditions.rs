//! Conditional puts over the S3 protocol: what answers to them mean, and which servers keep them.
//!
//! Amazon's reference of PutObject and CompleteMultipartUpload says so: **412** means that the condition does not hold,
//! and the existing object stays. **409 ConditionalRequestConflict** means that another request for the same
//! key was under way, which says nothing about how either of them ended: the put is tried again, and an upload in parts
//! is begun again. **404** answers `If-Match` when the object was deleted meanwhile. A server without conditions
//! answers **501**, or ignores them.

use std::sync::OnceLock;
use std::time::Duration;

use crate::{ExpectedState, ObjectKey};

/// What the answer to a put with a condition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutVerdict {
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
pub fn judge(status: Option<u16>, code: &str, expected: &ExpectedState) -> PutVerdict {
    match (status, code) {
        (_, "NoSuchBucket" | "NoSuchUpload") => PutVerdict::Other,
        (Some(412), _) | (_, "PreconditionFailed") => PutVerdict::NotMet,
        (_, "ConditionalRequestConflict" | "OperationAborted") | (Some(409), "") => PutVerdict::InTheWay,
        (Some(404), _) if matches!(expected, ExpectedState::State(_)) => PutVerdict::NotMet,
        (Some(501), _) | (_, "NotImplemented") if *expected != ExpectedState::Anything => PutVerdict::Unknown,
        _ => PutVerdict::Other,
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
pub const PROBE: &str = "conditions.txt";

/// Whether a server keeps the condition that no object exists yet: found out once.
#[derive(Debug, Default)]
pub struct ConditionsKept(OnceLock<bool>);

impl ConditionsKept {
    /// `create` puts an object under that condition and gives the result.
    ///
    /// # Errors
    /// Those of `create`.
    pub fn or_probe<E>(&self, create: impl Fn(&ObjectKey, &[u8]) -> Result<PutVerdict, E>) -> Result<bool, E> {
        if let Some(known) = self.0.get() {
            return Ok(*known);
        }
        let found = probe(create)?;
        Ok(*self.0.get_or_init(|| found))
    }
}

fn probe<E>(create: impl Fn(&ObjectKey, &[u8]) -> Result<PutVerdict, E>) -> Result<bool, E> {
    let key: ObjectKey = PROBE.parse().expect("a literal object key");
    for _ in 0..2 {
        match create(&key, b"Written once where conditional puts work.\n")? {
            PutVerdict::NotMet => return Ok(true),
            PutVerdict::Unknown => return Ok(false),
            PutVerdict::InTheWay | PutVerdict::Other => {}
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ObjectTag;

    #[test]
    fn each_answer_to_a_conditional_put_means_one_thing() {
        let (absent, state) = (ExpectedState::Absent, ExpectedState::State(ObjectTag("t".into())));
        let cases = [
            // (status, code, what is expected, what the answer means)
            (412, "PreconditionFailed", &absent, PutVerdict::NotMet),
            (412, "", &state, PutVerdict::NotMet),
            (409, "ConditionalRequestConflict", &absent, PutVerdict::InTheWay),
            (409, "ConditionalRequestConflict", &state, PutVerdict::InTheWay),
            (409, "OperationAborted", &ExpectedState::Anything, PutVerdict::InTheWay),
            (409, "", &absent, PutVerdict::InTheWay),
            (409, "InvalidBucketState", &absent, PutVerdict::Other),
            (404, "NoSuchKey", &state, PutVerdict::NotMet),
            (404, "NoSuchKey", &absent, PutVerdict::Other),
            (404, "NoSuchBucket", &state, PutVerdict::Other),
            (404, "NoSuchUpload", &state, PutVerdict::Other),
            (501, "NotImplemented", &absent, PutVerdict::Unknown),
            (501, "", &state, PutVerdict::Unknown),
            (501, "NotImplemented", &ExpectedState::Anything, PutVerdict::Other),
            (403, "AccessDenied", &absent, PutVerdict::Other),
        ];
        for (status, code, expected, verdict) in cases {
            assert_eq!(judge(Some(status), code, expected), verdict, "for {status} {code} {expected:?}");
        }
        assert_eq!(judge(None, "", &absent), PutVerdict::Other, "no answer");
    }

    #[test]
    fn a_place_keeps_conditions_if_one_of_two_equal_puts_is_refused() {
        let cases = [
            // (what the puts are answered, whether conditions are kept)
            (vec![PutVerdict::NotMet], true),
            (vec![PutVerdict::Other, PutVerdict::NotMet], true),
            (vec![PutVerdict::Other, PutVerdict::Other], false),
            (vec![PutVerdict::Unknown], false),
        ];
        for (answers, kept) in cases {
            let left = std::cell::RefCell::new(answers.iter());
            let found = probe(|_, _| Ok::<_, crate::PlaceError>(*left.borrow_mut().next().unwrap())).unwrap();
            assert_eq!((found, left.borrow().len()), (kept, 0), "for {answers:?}");
        }
    }
}
