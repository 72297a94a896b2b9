//! What a finished interpreter is known by in the store.

use config_merger::BaseSource;
use vocab::{Digest, PlatformKey};

/// Part of every identity. Raise it whenever the same source would give other bytes than before.
pub const BASE_FORMAT: u32 = 5;

/// Identity of the finished tree: equal for equal bytes.
pub(super) fn identity(source: BaseSource, digest: &Digest, platform: PlatformKey) -> Digest {
    // Both kinds of archive are treated alike.
    let kind = match source {
        BaseSource::PythonBuildStandalone | BaseSource::Archive => "archive",
        BaseSource::GoModule => "go-module",
        BaseSource::System => "system",
    };
    Digest::of(format!("pydist base {BASE_FORMAT}\n{platform}\n{kind} {digest}\n"))
}
