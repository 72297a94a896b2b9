//! What unit tests of this crate share.

use std::ffi::OsString;
use std::path::Path;

use store::Context;
use store::download::{DownloadSettings, Downloader};
use vocab::{Environment, Work};

/// Offline, with a store below `folder` and an empty environment, hearing nothing.
pub fn context(folder: &Path) -> Context {
    Context::quiet(folder.join("store"))
}

/// The same with an environment.
pub fn context_of(folder: &Path, variables: Vec<(OsString, OsString)>) -> Context {
    let environment = Environment::new(variables);
    Context {
        downloader: Downloader::new(DownloadSettings::of(&environment)),
        work: Work { environment, ..Work::quiet() },
        ..context(folder)
    }
}
