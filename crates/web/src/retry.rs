//! Repeating a request, and when not to.

use std::thread;
use std::time::{Duration, Instant};

use http::{HeaderMap, header};

/// How often a request is made, and how long to wait in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// At least 1.
    pub attempts: u32,
    /// Before the second attempt; doubles with each further one.
    pub first_pause: Duration,
}

/// Five attempts within eight seconds.
impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(500) }
    }
}

/// How an attempt ended short of its goal.
pub trait Setback {
    /// `None` if another attempt would end the same way.
    fn chance(&self) -> Option<RetryChance>;
}

/// The reason why another attempt may succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryChance {
    pub reason: String,
    /// The pause that the server asked for.
    pub pause: Option<Duration>,
}

/// A server that asks for a longer pause is asked again earlier.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Short enough to stop promptly.
const STEP: Duration = Duration::from_millis(50);

impl Retries {
    /// Runs `attempt` until it succeeds, fails for good, or the attempts are used up; `check` ends it early, also in
    /// the middle of a pause. `again` receives the number of each further attempt and the reason for it.
    ///
    /// # Errors
    /// The last setback, and how many attempts there were.
    pub fn run<T, S: Setback>(
        &self,
        check: &dyn Fn() -> Result<(), S>,
        again: &dyn Fn(u32, String),
        mut attempt: impl FnMut() -> Result<T, S>,
    ) -> Result<T, (u32, S)> {
        let mut pause = self.first_pause;
        let mut number = 1;
        loop {
            let setback = match check().and_then(|()| attempt()) {
                Ok(value) => return Ok(value),
                Err(setback) => setback,
            };
            let Some(chance) = setback.chance().filter(|_| number < self.attempts) else {
                return Err((number, setback));
            };
            again(number + 1, chance.reason);
            let end = Instant::now() + chance.pause.unwrap_or(pause).min(LONGEST_PAUSE);
            loop {
                check().map_err(|setback| (number, setback))?;
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                thread::sleep(left.min(STEP));
            }
            pause *= 2;
            number += 1;
        }
    }
}

/// Whether a server that answers with this status may answer differently the next time. What it does not implement
/// (501) it never will.
pub fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..)
}

/// How long the server wants to be left alone: seconds, or a date (RFC 9110, 10.2.3), which is compared with this
/// machine's clock.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let seconds = date.timestamp().as_second() - jiff::Timestamp::now().as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[derive(Debug, PartialEq)]
    enum FakeSetback {
        Passing(u32),
        Final,
        Ended,
    }

    impl Setback for FakeSetback {
        fn chance(&self) -> Option<RetryChance> {
            let Self::Passing(number) = self else { return None };
            Some(RetryChance { reason: number.to_string(), pause: None })
        }
    }

    #[test]
    fn attempts_end_with_success_with_a_final_setback_or_with_their_number() {
        let retries = Retries { attempts: 3, first_pause: Duration::ZERO };
        let cases = [
            // (what the attempts bring, the outcome, what is heard)
            (vec![Ok(())], Ok(()), vec![]),
            (vec![Err(FakeSetback::Passing(1)), Ok(())], Ok(()), vec![(2, "1")]),
            (vec![Err(FakeSetback::Passing(1)), Err(FakeSetback::Final)], Err((2, FakeSetback::Final)), vec![(2, "1")]),
            (
                vec![Err(FakeSetback::Passing(1)), Err(FakeSetback::Passing(2)), Err(FakeSetback::Passing(3))],
                Err((3, FakeSetback::Passing(3))),
                vec![(2, "1"), (3, "2")],
            ),
        ];
        for (attempts, expected, heard) in cases {
            let mut attempts = attempts.into_iter();
            let told = RefCell::new(Vec::new());
            let again = |number, reason| told.borrow_mut().push((number, reason));
            let outcome = retries.run(&|| Ok(()), &again, || attempts.next().unwrap_or(Err(FakeSetback::Final)));
            assert_eq!(outcome, expected);
            assert_eq!(attempts.next(), None);
            let told = told.into_inner();
            assert_eq!(told.iter().map(|(number, text)| (*number, text.as_str())).collect::<Vec<_>>(), heard);
        }
    }

    #[test]
    fn a_pause_ends_when_the_work_does() {
        let retries = Retries { attempts: 2, first_pause: Duration::from_secs(3600) };
        let checks = Cell::new(0);
        let check = || {
            checks.set(checks.get() + 1);
            if checks.get() > 2 { Err(FakeSetback::Ended) } else { Ok(()) }
        };
        let outcome: Result<(), _> = retries.run(&check, &|_, _| {}, || Err(FakeSetback::Passing(1)));
        assert_eq!(outcome, Err((1, FakeSetback::Ended)));
    }

    #[test]
    fn a_server_may_name_seconds_or_a_date() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(of(" 7 "), Some(Duration::from_secs(7)));
        // Long past.
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
