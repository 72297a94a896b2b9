//! A context on a throw-away store, and what it told.
#![allow(clippy::new_without_default, reason = "what makes files is asked for by name")]
#![allow(clippy::unwrap_used, reason = "a helper that cannot do its work is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use store::download::{DownloadSettings, Downloader, FetchRequest};
use store::{Context, Store};
use vocab::{Digest, Event, Work};

/// A context whose store lies in a folder of its own, with short pauses.
pub struct StoreBench {
    pub folder: tempfile::TempDir,
    pub context: Context,
    events: Arc<Mutex<Vec<Event>>>,
}

impl StoreBench {
    /// With hardly a pause before a download is tried again.
    pub fn new() -> Self {
        Self::with(settings())
    }

    /// With these settings of downloads.
    pub fn with(settings: DownloadSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let context = context(&folder.path().join("store"), settings, &events);
        Self { folder, context, events }
    }

    /// Another builder on the same store, as a second process would be.
    pub fn neighbour(&self) -> Context {
        context(self.context.store.root(), settings(), &Arc::default())
    }

    /// Everything that was told so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Why something was tried again, in order.
    pub fn retries(&self) -> Vec<String> {
        let reason = |event| match event {
            Event::Retry { reason, .. } => Some(reason),
            _ => None,
        };
        self.events().into_iter().filter_map(reason).collect()
    }

    /// Beside the store, in a folder that goes with the bench.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The default limits, with hardly a pause before another attempt.
pub fn settings() -> DownloadSettings {
    DownloadSettings { first_pause: Duration::from_millis(1), ..DownloadSettings::default() }
}

fn context(store: &Path, settings: DownloadSettings, events: &Arc<Mutex<Vec<Event>>>) -> Context {
    let events = Arc::clone(events);
    let work = Work { jobs: 4, offline: false, ..Work::quiet() };
    Context {
        store: Store::open(store.to_owned()).unwrap(),
        downloader: Downloader::new(settings),
        work,
        remote: None,
        default_index: None,
    }
    .with_listener(Arc::new(move |event| events.lock().unwrap().push(event)))
}

/// Asks for a file with exactly this content; its name says it is a wheel.
pub fn request(url: &str, content: &[u8]) -> FetchRequest {
    FetchRequest {
        url: url.to_owned(),
        file_name: "demo.whl".into(),
        sha256: Digest::of(content),
        size: Some(content.len() as u64),
        largest: None,
    }
}
