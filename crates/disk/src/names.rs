//! What tells files with several names from each other.

use std::fs::Metadata;

/// What tells one file from another, and how many names it has. Windows tells neither here.
#[cfg(unix)]
pub fn names_of(metadata: &Metadata) -> Option<((u64, u64), u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some(((metadata.dev(), metadata.ino()), metadata.nlink()))
}

/// What tells one file from another, and how many names it has. Windows tells neither here.
#[cfg(not(unix))]
pub fn names_of(_: &Metadata) -> Option<((u64, u64), u64)> {
    None
}
