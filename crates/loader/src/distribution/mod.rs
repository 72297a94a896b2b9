//! From a decision to a Python distribution that starts: installed from its archive, compared with what was installed, or
//! used as it is.
//!
//! What the decision says and what stands in the folder is first brought together by one pure function
//! ([`start_check()`]); only what follows acts.

mod distribution_error;
mod engine;
mod examine;
mod host_binary;
mod in_use;
mod install;
mod installed;
mod interpreter;
mod known_python;
mod path_length;
mod prepare;
mod start_check;

pub use distribution_error::{DistributionError, DistributionErrorKind};
pub use engine::{EnvironmentEngine, NoEngine};
pub use examine::{FolderVerdict, examine};
pub use in_use::mark_used;
pub use interpreter::PythonFacts;
pub use prepare::{PrepareContext, ReadyDistribution, prepare};
pub use start_check::{ArchiveNow, InstalledState, StartAction, start_check};
