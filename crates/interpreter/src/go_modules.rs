//! What one command has learned of the Go module with interpreters.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::go_zip;

/// What one command has learned of the module, so that its platforms ask once and verify once. Clones share it.
#[derive(Clone, Default)]
pub struct GoModules {
    known: Arc<Mutex<KnownModules>>,
}

#[derive(Default)]
pub(super) struct KnownModules {
    /// All versions that the module proxy has, as `go list` prints them.
    pub(super) versions: Option<String>,
    /// By version of the module.
    pub(super) verified: BTreeMap<String, Arc<go_zip::ModuleZip>>,
}

impl fmt::Debug for GoModules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GoModules").finish_non_exhaustive()
    }
}

impl GoModules {
    /// A second thread waits for the first and takes its result.
    pub(super) fn known(&self) -> MutexGuard<'_, KnownModules> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
