//! Trying again, and when not to.

use std::thread;
use std::time::{Duration, Instant};

use vocab::Event;
use web::{Failure, FailureKind};

use super::{DownloadErrorKind, Watch};

/// How an attempt ended short of its goal.
pub(super) enum Setback {
    /// Another attempt would end the same way.
    Final(DownloadErrorKind),
    Passing {
        kind: DownloadErrorKind,
        /// The server's own wish.
        pause: Option<Duration>,
    },
}

impl Setback {
    /// What is wrong is known and put right; the next attempt need not wait.
    pub(super) fn at_once(reason: &str) -> Self {
        Self::Passing {
            kind: DownloadErrorKind::Unreachable { reason: reason.to_owned() },
            pause: Some(Duration::ZERO),
        }
    }

    /// For every status that is not a success.
    pub(super) fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        let kind = DownloadErrorKind::Status { status };
        match status {
            408 | 425 | 429 | 500.. => Self::Passing { kind, pause: retry_after },
            _ => Self::Final(kind),
        }
    }
}

impl<E: Into<DownloadErrorKind>> From<E> for Setback {
    fn from(kind: E) -> Self {
        Self::Final(kind.into())
    }
}

impl From<Failure> for Setback {
    fn from(Failure { reason, kind }: Failure) -> Self {
        match kind {
            FailureKind::Passing => Self::Passing { kind: DownloadErrorKind::Unreachable { reason }, pause: None },
            FailureKind::Lasting => Self::Final(DownloadErrorKind::Unreachable { reason }),
            FailureKind::TooSlow | FailureKind::Late => Self::Final(DownloadErrorKind::TooSlow { reason }),
        }
    }
}

/// A server that asks for more patience than this is asked again earlier.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs `attempt` until it succeeds, fails for good, or has had its number of attempts. With an error comes how
/// many there were. `place`, the URL without secrets, is for the events.
pub(super) fn repeat<T>(
    watch: &Watch<'_>,
    place: &str,
    mut attempt: impl FnMut() -> Result<T, Setback>,
) -> Result<T, (u32, DownloadErrorKind)> {
    let settings = watch.context.downloader.settings();
    let mut pause = settings.first_pause;
    let mut number = 1;
    loop {
        let (kind, wish) = match attempt() {
            Ok(value) => return Ok(value),
            Err(Setback::Final(kind)) => return Err((number, kind)),
            Err(Setback::Passing { kind, .. }) if number >= settings.attempts => return Err((number, kind)),
            Err(Setback::Passing { kind, pause }) => (kind, pause),
        };
        watch.context.tell(Event::Retry {
            what: place.to_owned(),
            attempt: number + 1,
            of: settings.attempts,
            reason: kind.to_string(),
        });
        sleep(watch, wish.unwrap_or(pause).min(LONGEST_PAUSE)).map_err(|kind| (number, kind))?;
        pause *= 2;
        number += 1;
    }
}

/// Looks up often enough to leave promptly.
fn sleep(watch: &Watch<'_>, pause: Duration) -> Result<(), DownloadErrorKind> {
    let end = Instant::now() + pause;
    loop {
        watch.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(50)));
    }
}
