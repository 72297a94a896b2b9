//! Which setbacks of a download may pass.

use std::time::Duration;

use vocab::Event;
use web::{FailureKind, Retries, RetryChance, WebFailure, may_pass};

use super::{DownloadErrorKind, DownloadSettings, DownloadWatch};

/// How an attempt ended short of its goal.
pub(super) enum DownloadSetback {
    /// Another attempt would end the same way.
    Final(DownloadErrorKind),
    Passing {
        kind: DownloadErrorKind,
        /// The server's own wish.
        pause: Option<Duration>,
    },
}

impl DownloadSetback {
    /// What is wrong is known and put right; the next attempt need not wait.
    pub(super) fn at_once(reason: &str) -> Self {
        Self::Passing {
            kind: DownloadErrorKind::Unreachable { reason: reason.to_owned() },
            pause: Some(Duration::ZERO),
        }
    }

    /// Classifies every status that is not a success.
    pub(super) fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        let kind = DownloadErrorKind::Status { status };
        if may_pass(status) { Self::Passing { kind, pause: retry_after } } else { Self::Final(kind) }
    }
}

impl<E: Into<DownloadErrorKind>> From<E> for DownloadSetback {
    fn from(kind: E) -> Self {
        Self::Final(kind.into())
    }
}

impl From<WebFailure> for DownloadSetback {
    fn from(WebFailure { reason, kind }: WebFailure) -> Self {
        match kind {
            FailureKind::Passing => Self::Passing { kind: DownloadErrorKind::Unreachable { reason }, pause: None },
            FailureKind::Lasting => Self::Final(DownloadErrorKind::Unreachable { reason }),
            FailureKind::TooSlow | FailureKind::Late => Self::Final(DownloadErrorKind::TooSlow { reason }),
        }
    }
}

impl web::Setback for DownloadSetback {
    fn chance(&self) -> Option<RetryChance> {
        match self {
            Self::Final(_) => None,
            Self::Passing { kind, pause } => Some(RetryChance { reason: kind.to_string(), pause: *pause }),
        }
    }
}

/// Tries as often as the settings say. With an error comes how many attempts there were. `place`, the URL without
/// secrets, is for the events.
pub(super) fn repeat<T>(
    watch: &DownloadWatch<'_>,
    place: &str,
    attempt: impl FnMut() -> Result<T, DownloadSetback>,
) -> Result<T, (u32, DownloadErrorKind)> {
    let DownloadSettings { attempts, first_pause, .. } = *watch.context.downloader.settings();
    let check = || watch.check().map_err(DownloadSetback::from);
    let again = |attempt, reason| {
        watch.context.tell(Event::Retry { what: place.to_owned(), attempt, of: attempts, reason });
    };
    Retries { attempts, first_pause }.run(&check, &again, attempt).map_err(|(attempts, setback)| match setback {
        DownloadSetback::Final(kind) | DownloadSetback::Passing { kind, .. } => (attempts, kind),
    })
}
