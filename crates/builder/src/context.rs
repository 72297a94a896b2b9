//! What everything that touches the store or the network gets: the circumstances of the work, the store, and the
//! downloader.

use std::ops::Deref;

use vocab::{Listener, PlatformKey, Work};

use crate::download::Downloader;
use crate::store::Store;

/// Shared by all threads of one command.
#[derive(Clone)]
pub struct Context {
    pub work: Work,
    pub store: Store,
    pub downloader: Downloader,
}

/// A context is its work with a place for files.
impl Deref for Context {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.work
    }
}

impl Context {
    /// The same for one of several platforms that are at work at once: see [`Work::of`].
    #[must_use]
    pub fn of(&self, platform: PlatformKey) -> Self {
        Self { work: self.work.of(platform), ..self.clone() }
    }

    /// The same, and another hears what it tells.
    #[must_use]
    pub fn with_listener(&self, listener: Listener) -> Self {
        Self { work: Work { listener, ..self.work.clone() }, ..self.clone() }
    }
}
