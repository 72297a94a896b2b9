//! What all code gets that touches the store or the network: the circumstances of the work, the store and the
//! downloader.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use vocab::{Environment, Listener, PlatformKey, Work};

use crate::Store;
use crate::download::{DownloadSettings, Downloader};
use crate::remote::{NearStore, RemoteStore};

/// Shared by all threads of one command.
#[derive(Clone)]
pub struct Context {
    pub work: Work,
    pub store: Store,
    pub downloader: Downloader,
    /// Asked for what the store lacks.
    pub remote: Option<Arc<RemoteStore>>,
    /// The index that the configuration names in place of the user's default one.
    pub default_index: Option<String>,
}

/// A context is a [`Work`] with a store and a downloader.
impl Deref for Context {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.work
    }
}

impl Context {
    /// A context with the store in this folder and [`Work::quiet`], for tests and for work without servers.
    pub fn quiet(store: PathBuf) -> Self {
        Self {
            work: Work::quiet(),
            store: Store::at(store),
            downloader: Downloader::default(),
            remote: None,
            default_index: None,
        }
    }

    /// The same context with a remote store behind its own.
    #[must_use]
    pub fn with_remote(self, remote: RemoteStore) -> Self {
        Self { remote: Some(Arc::new(remote)), ..self }
    }

    /// The same context for a runtime whose configuration names this default index, if any.
    #[must_use]
    pub fn with_default_index(&self, url: Option<&str>) -> Self {
        Self { default_index: url.map(str::to_owned), ..self.clone() }
    }

    /// What a remote store needs to know of this machine's.
    pub fn near(&self) -> NearStore<'_> {
        NearStore { work: &self.work, store: &self.store, largest: self.downloader.settings().largest }
    }

    /// The same context in another environment, which also decides proxies and credentials of its downloads.
    #[must_use]
    pub fn in_environment(&self, environment: Environment) -> Self {
        let downloader = Downloader::new(DownloadSettings::of(&environment));
        Self { downloader, work: Work { environment, ..self.work.clone() }, ..self.clone() }
    }

    /// The same context for one of several platforms that are worked on at once: see [`Work::of`].
    #[must_use]
    pub fn of(&self, platform: PlatformKey) -> Self {
        Self { work: self.work.of(platform), ..self.clone() }
    }

    /// The same context, reporting to another listener.
    #[must_use]
    pub fn with_listener(&self, listener: Listener) -> Self {
        Self { work: Work { listener, ..self.work.clone() }, ..self.clone() }
    }
}
