//! What unit tests of this crate share.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::Context;
use crate::base::GoModules;
use crate::context::Environment;
use crate::download::{DownloadSettings, Downloader};
use crate::store::Store;

/// Offline, with a store below `folder` and an empty environment, hearing nothing.
pub fn context(folder: &Path) -> Context {
    context_of(folder, Vec::new())
}

/// The same with an environment.
pub fn context_of(folder: &Path, variables: Vec<(OsString, OsString)>) -> Context {
    let environment = Environment::new(variables);
    Context {
        store: Store::open(folder.join("store")).expect("the folder is there and writable"),
        downloader: Downloader::new(DownloadSettings::of(&environment)),
        environment,
        jobs: 2,
        offline: true,
        timeout: None,
        go_modules: GoModules::default(),
        cancelled: Arc::new(AtomicBool::new(false)),
        listener: Arc::new(|_| {}),
    }
}
