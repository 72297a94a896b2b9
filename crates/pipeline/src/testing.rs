//! What unit tests of this crate share.

use std::path::Path;

use store::Context;

/// An offline context with a store below `folder`, an empty environment and no listener.
pub fn context(folder: &Path) -> Context {
    Context::quiet(folder.join("store"))
}
