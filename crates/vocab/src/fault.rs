//! What every error of this project provides besides its message.

use serde::{Deserialize, Serialize};

/// How a command ended. The number is the process's exit code, the same for every program here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// Everything that was asked for was done.
    Done = 0,
    /// A build step, a download or the disk failed.
    Build = 1,
    /// The command line or a configuration file is at fault.
    Usage = 2,
    /// A native module of the finished runtime does not import, a binary breaks a platform rule, or the store holds
    /// something damaged.
    Check = 3,
    /// A digest or an archive cannot be trusted.
    Trust = 4,
    /// Partial: everything this machine can do was done; the rest was listed with what it needs.
    Partial = 5,
    /// The user interrupted the program. Counted as shells do: 128 plus the number of the signal.
    Interrupted = 130,
}

impl Exit {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// An error that says what happened (its message and sources), how bad that is, and what to do.
///
/// Derived, it has its code, exit code and hint beside its message; `fault_derive` lists what the attribute takes.
///
/// ```
/// use vocab::{Exit, Fault};
///
/// #[derive(Debug, thiserror::Error, Fault)]
/// #[fault(Usage)]
/// enum LockError {
///     #[error("the lock cannot be read")]
///     #[fault("E_LOCK_FILE", Build)]
///     Read,
///     #[error("the lock has format {actual}")]
///     #[fault("E_LOCK_FORMAT", hint("use the builder that wrote format {actual}"))]
///     Format { actual: u64 },
/// }
///
/// let error = LockError::Format { actual: 9 };
/// assert_eq!((error.code(), error.exit()), ("E_LOCK_FORMAT", Exit::Usage));
/// assert_eq!(error.hint().as_deref(), Some("use the builder that wrote format 9"));
/// assert_eq!(LockError::Read.exit(), Exit::Build);
/// ```
pub trait Fault: std::error::Error + Send + Sync + 'static {
    /// Stable and searchable: `E_` and capitals.
    fn code(&self) -> &'static str;

    /// Decides the process's exit code when this error ends it.
    fn exit(&self) -> Exit;

    /// What the reader can do about it, one sentence without a full stop. `None` when the message says it all.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The whole text for people, without colour, of an error that holds several: each in a line of its own that begins
    /// with `error[CODE]:` or `warning[CODE]:`, and what belongs to it below. `None` for one that is a single error.
    fn in_full(&self) -> Option<String> {
        None
    }

    /// Whether only this machine stands in the way: a machine of another platform, or one that reaches more servers,
    /// can do it. If something else was made and the run met only such faults, it ends with [`Exit::Partial`].
    fn is_for_another_machine(&self) -> bool {
        false
    }
}

impl<E: Fault> From<E> for Box<dyn Fault> {
    fn from(fault: E) -> Self {
        Box::new(fault)
    }
}
