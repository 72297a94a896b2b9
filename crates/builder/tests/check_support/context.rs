//! A context for tests of checks and copies.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use store::Context;
use store::Store;
use store::download::Downloader;
use vocab::Event;
use vocab::{Environment, Work};

/// A context whose store is below `folder`, and the events it was told.
pub fn context(folder: &Path, timeout: Option<Duration>) -> (Context, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let context = Context {
        store: Store::at(folder.join("store")),
        downloader: Downloader::default(),
        work: Work {
            environment: Environment::new(std::env::vars_os()),
            timeout,
            listener: Arc::new(move |event| told.lock().unwrap().push(event)),
            ..Work::quiet()
        },
    };
    (context, events)
}
