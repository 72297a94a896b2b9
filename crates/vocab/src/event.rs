//! Reports of work in progress: plain data that a terminal draws, `--json` prints and a test collects.

use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use crate::PlatformKey;

/// One thing that happened. Events of one thread arrive in the order in which they happened; those of different threads
/// interleave.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A build of a new runtime starts: `3.12.10 for linux-x64`.
    Begun { title: String },
    /// A named step starts: `resolve`, `fetch`.
    StepStarted { step: &'static str },
    /// `elapsed_ms` is wall time in milliseconds.
    StepFinished { step: &'static str, elapsed_ms: u64 },
    /// The step failed, which is reported separately, or was interrupted.
    StepFailed { step: &'static str, elapsed_ms: u64 },
    /// Bytes begin to move. `total` is in bytes and absent when the server does not state it; `already` bytes remained
    /// from an interrupted attempt.
    TransferStarted { id: TransferId, name: String, total: Option<u64>, already: u64 },
    /// `bytes` more have arrived.
    TransferAdvanced { id: TransferId, bytes: u64 },
    /// No more events with this `id` follow.
    TransferFinished { id: TransferId },
    /// An attempt failed and another follows.
    Retry { what: String, attempt: u32, of: u32, reason: String },
    /// `done` of `total` items of the current step.
    Progress { step: &'static str, done: usize, total: usize },
    /// Something worth knowing that needs no action.
    Note { text: String },
    /// Something that deserves attention. `place` is a file, distribution or platform.
    Warning { code: &'static str, text: String, place: Option<String>, hint: Option<String> },
    /// A line of an external program's output, shown with `--verbose`.
    Output { program: String, line: String },
    /// One of the above, when several platforms are built at once.
    #[serde(untagged)]
    Of(PlatformEvent),
}

/// As JSON, the event's own object with `platform` beside its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct PlatformEvent {
    pub platform: PlatformKey,
    pub event: Box<Event>,
}

impl Serialize for PlatformEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // By way of a value: an event inside an event has no end that a derived type could have.
        let mut value = serde_json::to_value(&self.event).map_err(S::Error::custom)?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("platform".to_owned(), self.platform.as_str().into());
        }
        value.serialize(serializer)
    }
}

/// Distinguishes transfers that run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TransferId(pub u64);

/// Where events go.
pub type Tell<'a> = &'a (dyn Fn(Event) + Send + Sync);
