//! What the tests of running programs share.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use builder::Context;
use builder::base::GoModules;
use builder::context::Environment;
use builder::download::Downloader;
use builder::store::Store;

/// Offline, with the place of a store below `folder`, hearing nothing.
pub fn context(folder: &Path, environment: Environment) -> Context {
    Context {
        store: Store::at(folder.join("store")),
        downloader: Downloader::default(),
        environment,
        jobs: 1,
        offline: true,
        timeout: None,
        go_modules: GoModules::default(),
        cancelled: Arc::new(AtomicBool::new(false)),
        listener: Arc::new(|_| {}),
    }
}

/// Waits until `condition` holds, for long enough also in an emulator; the failure says what was waited for.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
