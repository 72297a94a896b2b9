//! Which base interpreter was chosen when a place was filled.

use serde::{Deserialize, Serialize};
use vocab::{Digest, PlatformKey, PythonVersion};

/// The answer to the question which interpreter a runtime gets, so that a machine with other interpreters, or without
/// Go, gets the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChosenInterpreter {
    pub requested: PythonVersion,
    pub actual: PythonVersion,
    pub platform: PlatformKey,
    /// As in a manifest's `base.source`.
    pub source: String,
    pub origin: String,
    /// Digest of the source.
    pub digest: Digest,
}
