//! The interpreter that works for the builder on this machine: the resolver inspects sources with it, and its pip
//! installs the resolver. A runtime for this machine has its own; for any other platform, this machine's interpreter
//! of the same minor version does the work.

use std::path::PathBuf;
use std::sync::Mutex;

use vocab::{Digest, PlatformKey};

use crate::{BaseChoice, BaseError, BaseRequest, BaseTree};
use store::Context;

/// Found when it is first needed, and then kept.
#[derive(Debug)]
pub struct HostPython {
    request: BaseRequest,
    found: Mutex<Option<BaseTree>>,
}

impl HostPython {
    /// `request` may be that of any platform of the runtime. `None` if this machine's platform is not supported.
    pub fn new(request: &BaseRequest) -> Option<Self> {
        // It builds nothing that is shipped, so any patch release will do, from any release of its source.
        let request = BaseRequest {
            platform: PlatformKey::host()?,
            allow_stand_in: true,
            tag: None,
            flavor: None,
            ..request.clone()
        };
        Some(Self { request, found: Mutex::new(None) })
    }

    /// Uses this tree: for a runtime of this machine's platform, its own interpreter.
    pub fn is(&self, tree: &BaseTree) {
        *self.slot() = Some(tree.clone());
    }

    /// # Errors
    /// When no source has an interpreter of the minor version for this machine.
    pub fn tree(&self, context: &Context) -> Result<BaseTree, BaseError> {
        let mut slot = self.slot();
        if let Some(found) = &*slot {
            return Ok(found.clone());
        }
        let choice = self.choice(context)?;
        let tree = crate::provide(context, &choice)?;
        Ok(slot.insert(tree).clone())
    }

    /// The one that was used so far, if any.
    pub fn found(&self) -> Option<BaseTree> {
        self.slot().clone()
    }

    /// Another machine's, for which an export provides it.
    #[must_use]
    pub fn on(&self, host: PlatformKey) -> Self {
        let request = BaseRequest { platform: host, ..self.request.clone() };
        Self { request, found: Mutex::new(None) }
    }

    /// See [`BaseRequest::question`].
    pub fn question(&self) -> Digest {
        self.request.question()
    }

    /// Where [`Self::tree`] will come from.
    ///
    /// # Errors
    /// As for it.
    pub fn choice(&self, context: &Context) -> Result<BaseChoice, BaseError> {
        crate::choose(context, &self.request)
    }

    /// The program of [`Self::tree`].
    pub fn interpreter(&self, context: &Context) -> Result<PathBuf, BaseError> {
        let tree = self.tree(context)?;
        Ok(tree.layout.interpreter().below(&tree.root))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<BaseTree>> {
        self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
