//! Conditional puts over the S3 protocol: what answers to them mean, and which servers keep them.
//!
//! Amazon's reference of PutObject and CompleteMultipartUpload says so: **412** means that the condition does not hold,
//! and the existing object stays. **409 ConditionalRequestConflict** means that another request for the same
//! key was under way, which says nothing about how either of them ended: the put is tried again, and an upload in parts
//! is begun again. **404** answers `If-Match` when the object was deleted meanwhile. A server without conditions
//! answers **501**, or ignores them.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::refusal::BucketFailure;
use crate::{ExpectedState, ObjectKey, ObjectTag};

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

impl BucketFailure {
    /// What this answer to a put under `expected` means.
    pub fn verdict(&self, expected: &ExpectedState) -> PutVerdict {
        match (self.status, self.code.as_str()) {
            (_, "NoSuchBucket" | "NoSuchUpload") => PutVerdict::Other,
            (Some(412), _) | (_, "PreconditionFailed") => PutVerdict::NotMet,
            (_, "ConditionalRequestConflict" | "OperationAborted") | (Some(409), "") => PutVerdict::InTheWay,
            (Some(404), _) if matches!(expected, ExpectedState::State(_)) => PutVerdict::NotMet,
            _ if self.is_unknown() && *expected != ExpectedState::Anything => PutVerdict::Unknown,
            _ => PutVerdict::Other,
        }
    }

    /// The source of a copy has changed.
    pub fn is_precondition(&self) -> bool {
        self.verdict(&ExpectedState::Anything) == PutVerdict::NotMet
    }
}

/// How often a put of one request is made before another writer who is always in its way makes it fail.
pub const CONTENDED: u32 = 20;

/// Pause after this attempt, counted from 1.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(u64::from(20 * attempt))
}

/// Puts an object if its state is `expected`; false if it is not, and nothing was written. `send` makes one request under
/// the condition that it is given, `state` looks which object is there.
///
/// A put that another one got in the way of is made `times` times at most. Where the server does not know conditions,
/// the state is looked at right before the put without one: an earlier look does not count, since what came meanwhile
/// would be overwritten in silence.
///
/// # Errors
/// Those of `send` and `state`; the last conflict if there were `times`.
pub fn put_if(
    expected: &ExpectedState,
    times: u32,
    mut send: impl FnMut(&ExpectedState) -> Result<(), BucketFailure>,
    state: impl FnOnce() -> Result<Option<ObjectTag>, BucketFailure>,
) -> Result<bool, BucketFailure> {
    match verdict_of(expected, times, &mut send)? {
        PutVerdict::Unknown => {}
        verdict => return Ok(verdict != PutVerdict::NotMet),
    }
    let holds = expected.holds(state()?.as_ref());
    Ok(holds && verdict_of(&ExpectedState::Anything, times, &mut send)? != PutVerdict::NotMet)
}

/// [`PutVerdict::Other`] when it was done.
fn verdict_of(
    expected: &ExpectedState,
    times: u32,
    mut send: impl FnMut(&ExpectedState) -> Result<(), BucketFailure>,
) -> Result<PutVerdict, BucketFailure> {
    let mut attempt = 1;
    loop {
        let Err(failure) = send(expected) else { return Ok(PutVerdict::Other) };
        match failure.verdict(expected) {
            PutVerdict::InTheWay if attempt < times => {}
            PutVerdict::InTheWay | PutVerdict::Other => return Err(failure),
            verdict => return Ok(verdict),
        }
        thread::sleep(pause(attempt));
        attempt += 1;
    }
}

/// Object that is put twice to find out whether conditions are kept. It stays, since a publisher may lack the right to
/// delete; so the next publisher needs only one request.
pub const PROBE: &str = "conditions.txt";

/// Whether a server keeps the condition that no object exists yet: found out once.
#[derive(Debug, Default)]
pub struct ConditionsKept(OnceLock<bool>);

impl ConditionsKept {
    /// `send` makes one request that puts an object under the condition that it is given.
    ///
    /// # Errors
    /// Those of `send` that say nothing about conditions.
    pub fn or_probe(
        &self,
        send: impl Fn(&ObjectKey, &[u8], &ExpectedState) -> Result<(), BucketFailure>,
    ) -> Result<bool, BucketFailure> {
        if let Some(known) = self.0.get() {
            return Ok(*known);
        }
        let found = probe(send)?;
        Ok(*self.0.get_or_init(|| found))
    }
}

fn probe(send: impl Fn(&ObjectKey, &[u8], &ExpectedState) -> Result<(), BucketFailure>) -> Result<bool, BucketFailure> {
    let key: ObjectKey = PROBE.parse().expect("a literal object key");
    let put = |expected: &ExpectedState| send(&key, b"Written once where conditional puts work.\n", expected);
    for _ in 0..2 {
        match verdict_of(&ExpectedState::Absent, CONTENDED, put)? {
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
    use crate::PlaceErrorKind;

    fn failure(status: Option<u16>, code: &str) -> BucketFailure {
        BucketFailure { status, code: code.to_owned(), kind: PlaceErrorKind::Cancelled }
    }

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
            assert_eq!(failure(Some(status), code).verdict(expected), verdict, "for {status} {code} {expected:?}");
        }
        assert_eq!(failure(None, "").verdict(&absent), PutVerdict::Other, "no answer");
    }

    #[test]
    fn a_place_keeps_conditions_if_one_of_two_equal_puts_is_refused() {
        let cases = [
            // (statuses that the puts are answered with, whether conditions are kept)
            (vec![412], true),
            (vec![200, 412], true),
            (vec![409, 200, 409, 412], true),
            (vec![200, 200], false),
            (vec![501], false),
        ];
        for (answers, kept) in cases {
            let left = std::cell::RefCell::new(answers.iter());
            let send = |_: &ObjectKey, _: &[u8], _: &ExpectedState| match *left.borrow_mut().next().unwrap() {
                200 => Ok(()),
                status => Err(failure(Some(status), "")),
            };
            assert_eq!((probe(send).unwrap(), left.borrow().len()), (kept, 0), "for {answers:?}");
        }
    }

    #[test]
    fn a_put_is_made_without_a_condition_only_right_after_a_look_that_found_what_was_expected() {
        let (absent, there) = (ExpectedState::Absent, Some(ObjectTag("t".into())));
        let cases = [
            // (statuses, what a look finds, times, whether it was put, what was asked)
            (vec![200], None, 1, Some(true), "put"),
            (vec![412], None, 1, Some(false), "put"),
            (vec![501, 200], None, 1, Some(true), "put look put"),
            (vec![501], there.clone(), 1, Some(false), "put look"),
            (vec![409, 501, 409, 200], None, 2, Some(true), "put put look put put"),
            (vec![409, 409], None, 2, None, "put put"),
            (vec![403], None, 9, None, "put"),
        ];
        for (answers, found, times, put, expected) in cases {
            let asked = std::cell::RefCell::new(Vec::new());
            let mut left = answers.iter();
            let send = |_: &ExpectedState| {
                asked.borrow_mut().push("put");
                match *left.next().unwrap() {
                    200 => Ok(()),
                    status => Err(failure(Some(status), "")),
                }
            };
            let look = || {
                asked.borrow_mut().push("look");
                Ok(found)
            };
            assert_eq!(put_if(&absent, times, send, look).ok(), put, "for {answers:?}");
            assert_eq!(asked.borrow().join(" "), expected, "for {answers:?}");
        }
    }
}
