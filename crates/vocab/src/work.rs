//! What every acting function needs beside its own input: limits, the environment, and somebody to tell.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{Event, PlatformEvent, PlatformKey};

/// Hears what happens, from any thread.
pub type Listener = Arc<dyn Fn(Event) + Send + Sync>;

/// The circumstances of one command, shared by all of its threads. Clones are cheap and stop together.
#[derive(Clone)]
pub struct Work {
    /// The process's environment as it was at the start; nothing else reads it.
    pub environment: Environment,
    /// How many things may run at once, at least 1.
    pub jobs: usize,
    /// No network at all: what is not on this machine is an error.
    pub offline: bool,
    /// For each external step. `None` is without limit.
    pub timeout: Option<Duration>,
    /// Set when the user asks to stop; long work looks at it and ends with an error.
    pub cancelled: Arc<AtomicBool>,
    pub listener: Listener,
}

impl Work {
    /// Offline, two jobs, no limit, an empty environment, and nobody listening. A start for what differs in part.
    ///
    /// ```
    /// let work = vocab::Work { offline: false, ..vocab::Work::quiet() };
    /// assert!(!work.is_cancelled());
    /// ```
    pub fn quiet() -> Self {
        Self {
            environment: Environment::default(),
            jobs: 2,
            offline: true,
            timeout: None,
            cancelled: Arc::default(),
            listener: Arc::new(|_| {}),
        }
    }

    /// The same for one of several platforms that are at work at once: what it tells says whose it is.
    #[must_use]
    pub fn of(&self, platform: PlatformKey) -> Self {
        let listener = Arc::clone(&self.listener);
        Self {
            listener: Arc::new(move |event| listener(Event::Of(PlatformEvent { platform, event: Box::new(event) }))),
            ..self.clone()
        }
    }

    pub fn tell(&self, event: Event) {
        (self.listener)(event);
    }

    pub fn note(&self, text: impl Into<String>) {
        self.tell(Event::Note { text: text.into() });
    }

    /// `code` is a `W_…`; `place` is a file, a JSON pointer, a distribution or a platform.
    pub fn warn(&self, code: &'static str, text: impl Into<String>, place: Option<String>, hint: Option<String>) {
        self.tell(Event::Warning { code, text: text.into(), place, hint });
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Work {
    // Without the environment, which holds credentials.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Work")
            .field("jobs", &self.jobs)
            .field("offline", &self.offline)
            .field("timeout", &self.timeout)
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// Environment variables as plain data.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// Absent, empty and non-UTF-8 values are all `None`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// Absent and empty values are `None`.
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.0.get(OsStr::new(name)).filter(|value| !value.is_empty()).map(Path::new)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}
