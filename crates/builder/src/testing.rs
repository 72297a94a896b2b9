//! What unit tests of this crate share.

use std::ffi::OsString;
use std::path::Path;

use crate::Context;
use crate::download::{DownloadSettings, Downloader};
use crate::store::Store;
use vocab::{Environment, Work};

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
        work: Work { environment, ..Work::quiet() },
    }
}
