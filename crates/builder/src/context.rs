//! What every acting function needs besides its own input.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vocab::{Event, PlatformEvent, PlatformKey};

use crate::base::GoModules;
use crate::download::Downloader;
use crate::store::Store;

pub type Listener = Arc<dyn Fn(Event) + Send + Sync>;

/// Shared by all threads of one command.
pub struct Context {
    pub store: Store,
    pub downloader: Downloader,
    /// The process's environment as it was at the start; nothing else reads it.
    pub environment: Environment,
    /// How many things may run at once, at least 1.
    pub jobs: usize,
    /// No network at all: what the store lacks is an error.
    pub offline: bool,
    /// For each external step. `None` is without limit.
    pub timeout: Option<Duration>,
    pub go_modules: GoModules,
    /// Set when the user asks to stop; long work looks at it and ends with an error.
    pub cancelled: Arc<AtomicBool>,
    pub listener: Listener,
}

impl Context {
    /// The same for one of several platforms that are at work at once: what it tells says whose it is.
    pub fn of(&self, platform: PlatformKey) -> Self {
        let listener = Arc::clone(&self.listener);
        self.with_listener(Arc::new(move |event| {
            listener(Event::Of(PlatformEvent { platform, event: Box::new(event) }));
        }))
    }

    /// The same, and another hears what it tells.
    pub fn with_listener(&self, listener: Listener) -> Self {
        Self {
            store: self.store.clone(),
            downloader: self.downloader.clone(),
            environment: self.environment.clone(),
            go_modules: self.go_modules.clone(),
            cancelled: Arc::clone(&self.cancelled),
            listener,
            ..*self
        }
    }

    pub fn tell(&self, event: Event) {
        (self.listener)(event);
    }

    pub fn note(&self, text: impl Into<String>) {
        self.tell(Event::Note { text: text.into() });
    }

    pub fn warn(&self, code: &'static str, text: impl Into<String>, place: Option<String>, hint: Option<String>) {
        self.tell(Event::Warning { code, text: text.into(), place, hint });
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
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
        self.0.get(std::ffi::OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    pub fn path(&self, name: &str) -> Option<&Path> {
        self.0.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()).map(Path::new)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}
