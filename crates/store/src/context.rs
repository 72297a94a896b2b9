//! What everything that touches the store or the network gets: the circumstances of the work, the store, and the
//! downloader.

use std::ops::Deref;
use std::path::PathBuf;

use vocab::{Environment, Listener, PlatformKey, Work};

use crate::Store;
use crate::download::{DownloadSettings, Downloader};

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
    /// With the store in this folder and what [`Work::quiet`] says: for tests, and for what asks no server.
    pub fn quiet(store: PathBuf) -> Self {
        Self { work: Work::quiet(), store: Store::at(store), downloader: Downloader::default() }
    }

    /// The same in another environment, by which its downloads go, too.
    #[must_use]
    pub fn in_environment(&self, environment: Environment) -> Self {
        let downloader = Downloader::new(DownloadSettings::of(&environment));
        Self { downloader, work: Work { environment, ..self.work.clone() }, ..self.clone() }
    }

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
