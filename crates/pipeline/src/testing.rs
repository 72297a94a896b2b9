//! What unit tests of this crate share.

use std::path::Path;

use store::Context;

/// Offline, with a store below `folder` and an empty environment, hearing nothing.
pub fn context(folder: &Path) -> Context {
    Context::quiet(folder.join("store"))
}
