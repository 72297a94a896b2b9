//! The outcome of a build.

use std::path::PathBuf;

use vocab::Manifest;

/// What a build made, or found up to date.
#[derive(Clone, Debug)]
pub struct BuildProduct {
    pub prefix: PathBuf,
    /// One for each format, in the order asked for; never empty.
    pub artifacts: Vec<PathBuf>,
    /// Manifest of the first artifact.
    pub manifest: Manifest,
}
