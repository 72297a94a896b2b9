//! What every acting function needs besides its own input: limits, the environment, and a listener.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{Event, Fault, PlatformEvent, PlatformKey};

/// Receives events, from any thread.
pub type Listener = Arc<dyn Fn(Event) + Send + Sync>;

/// The circumstances of one command, shared by all of its threads. Clones are cheap, and one cancellation stops them
/// all.
#[derive(Clone)]
pub struct Work {
    /// The process's environment as it was at the start; nothing else reads it.
    pub environment: Environment,
    /// How many things may run at once, at least 1.
    pub jobs: usize,
    /// Without network: whatever is not on this machine is an error.
    pub offline: bool,
    /// Limit for each external step, such as one uv run. `None`: no limit.
    pub timeout: Option<Duration>,
    /// Set when the user asks to stop; long work checks it and returns an error.
    pub cancelled: Arc<AtomicBool>,
    pub listener: Listener,
}

impl Work {
    /// Offline, two jobs, no time limit, an empty environment, no listener. A starting point for tests and partial
    /// overrides.
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

    /// The same work for one of several platforms that are built at once: its events name the platform.
    #[must_use]
    pub fn of(&self, platform: PlatformKey) -> Self {
        let listener = Arc::clone(&self.listener);
        Self {
            listener: Arc::new(move |event| listener(Event::Of(PlatformEvent { platform, event: Box::new(event) }))),
            ..self.clone()
        }
    }

    /// Calls the listener on this thread, so it returns only when the listener does.
    pub fn tell(&self, event: Event) {
        (self.listener)(event);
    }

    /// Reports something worth knowing that needs no action, as an [`Event::Note`].
    pub fn note(&self, text: impl Into<String>) {
        self.tell(Event::Note { text: text.into() });
    }

    /// `code` is a `W_…`; `place` is a file, a JSON pointer, a distribution or a platform.
    pub fn warn(&self, code: &'static str, text: impl Into<String>, place: Option<String>, hint: Option<String>) {
        self.tell(Event::Warning { code, text: text.into(), place, hint });
    }

    /// Whether the user asked to stop. Loops check it between items.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Work {
    // Not the environment, which holds credentials.
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

/// Environment variables as plain data. `Debug` shows the names alone: values may be passwords.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// For tests and `main.rs`; libraries receive an environment and never read the process's own.
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

    /// `1`, `true`, `yes` and `on` are true; `0`, `false`, `no`, `off`, an absent and an empty value are false. Case does
    /// not matter. All variables of ours that are on or off are read here, but for `TEST_RUN`, which is `true` or nothing.
    ///
    /// ```
    /// let environment = vocab::Environment::new([("OFFLINE".into(), "Yes".into())]);
    /// assert_eq!(environment.flag("OFFLINE"), Ok(true));
    /// assert_eq!(environment.flag("STRICT"), Ok(false));
    /// ```
    ///
    /// # Errors
    /// Any other value: a guess could do the opposite of what was meant.
    pub fn flag(&self, name: &str) -> Result<bool, FlagError> {
        let Some(value) = self.0.get(OsStr::new(name)) else { return Ok(false) };
        let text = value.to_string_lossy();
        yes_or_no(&text).ok_or_else(|| FlagError { name: name.to_owned(), text: text.into_owned() })
    }

    /// `SOURCE_DATE_EPOCH`: the time of every entry of what is made, in seconds since 1970. `None`: it is not set.
    ///
    /// # Errors
    /// Any other text: without an error, what is made would have another time than the one that was asked for.
    pub fn source_date_epoch(&self) -> Result<Option<u64>, EpochError> {
        let value = self.0.get(OsStr::new("SOURCE_DATE_EPOCH")).filter(|value| !value.is_empty());
        let Some(text) = value.map(|value| value.to_string_lossy()) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| EpochError { text: text.into_owned() })
    }

    /// Whether a CI system says that it runs this: some set `CI` to their name, so only what means no is false.
    pub fn is_ci(&self) -> bool {
        self.flag("CI").unwrap_or(true)
    }

    /// In the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}

/// What a variable's value says, in the words of [`Environment::flag`]. `None` for any other text.
pub fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "" | "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A variable that should say yes or no says something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("{name} is `{text}`, which is neither yes nor no")]
#[fault("E_ENVIRONMENT", Usage, hint("set it to 1, true, yes or on, or to 0, false, no or off; or unset it"))]
pub struct FlagError {
    pub name: String,
    pub text: String,
}

/// `SOURCE_DATE_EPOCH` is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds since 1970")]
#[fault("E_ENVIRONMENT", Usage, hint("unset it, or set a whole number"))]
pub struct EpochError {
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_whole_seconds_or_an_error() {
        let of = |text: &str| Environment::new([("SOURCE_DATE_EPOCH".into(), text.into())]).source_date_epoch();
        assert_eq!((of("0"), of("1764000000")), (Ok(Some(0)), Ok(Some(1_764_000_000))));
        assert_eq!(Environment::default().source_date_epoch(), Ok(None));
        for text in ["soon", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(of(text).unwrap_err().code(), "E_ENVIRONMENT", "for {text}");
        }
    }
    use crate::Exit;

    #[test]
    fn the_values_of_variables_are_not_shown() {
        let environment = Environment::new([("TOKEN".into(), "secret".into())]);
        assert_eq!(format!("{environment:?}"), r#"{"TOKEN"}"#);
    }

    #[test]
    fn a_variable_says_yes_or_no_in_the_usual_words_and_nothing_else() {
        let read = |text: &str| Environment::new([("X".into(), text.into())]).flag("X");
        for text in ["1", "true", "True", "YES", "on", " true "] {
            assert_eq!(read(text), Ok(true), "{text:?}");
        }
        for text in ["", "0", "false", "No", "OFF"] {
            assert_eq!(read(text), Ok(false), "{text:?}");
        }
        for text in ["2", "y", "enabled", "truee"] {
            let error = read(text).expect_err(text);
            assert_eq!(error.to_string(), format!("X is `{text}`, which is neither yes nor no"));
            assert_eq!((error.code(), error.exit()), ("E_ENVIRONMENT", Exit::Usage));
        }
        assert_eq!(Environment::default().flag("X"), Ok(false));
    }

    #[test]
    fn a_ci_system_may_name_itself() {
        let ci = |text: &str| Environment::new([("CI".into(), text.into())]).is_ci();
        assert_eq!(["true", "1", "woodpecker", "false", "0", ""].map(ci), [true, true, true, false, false, false]);
        assert!(!Environment::default().is_ci());
    }
}
