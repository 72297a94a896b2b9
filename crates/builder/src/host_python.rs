//! The interpreter that works for the builder on this machine: the resolver looks at sources with it, and its pip
//! sets the resolver up. A runtime for this machine has its own; for any other platform the host's of the same
//! series takes its place.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use vocab::PlatformKey;

use crate::Context;
use crate::base::{self, BaseError, BaseRequest, BaseTree};

/// Looked for when it is first needed, and then kept.
#[derive(Debug)]
pub struct HostPython {
    request: BaseRequest,
    found: Mutex<Option<PathBuf>>,
}

impl HostPython {
    /// `request` is that of any platform of the runtime. `None` where this machine is no platform of ours.
    pub fn new(request: &BaseRequest) -> Option<Self> {
        // It builds nothing that is shipped, so any patch release will do.
        let request = BaseRequest { platform: PlatformKey::host()?, allow_stand_in: true, ..request.clone() };
        Some(Self { request, found: Mutex::new(None) })
    }

    /// For a runtime of this machine: its own interpreter.
    pub fn is(&self, tree: &BaseTree) {
        *self.slot() = Some(interpreter_of(tree));
    }

    /// # Errors
    /// When no source has an interpreter of the series for this machine.
    pub fn interpreter(&self, context: &Context) -> Result<PathBuf, BaseError> {
        let mut slot = self.slot();
        if let Some(found) = slot.as_deref().map(Path::to_owned) {
            return Ok(found);
        }
        let choice = base::choose(context, &self.request)?;
        let found = interpreter_of(&base::provide(context, &choice)?);
        *slot = Some(found.clone());
        Ok(found)
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<PathBuf>> {
        self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn interpreter_of(tree: &BaseTree) -> PathBuf {
    tree.layout.interpreter().below(&tree.root)
}
