//! Platforms that a release lacks.

use vocab::PlatformKey;

use super::FileDifference;

/// What keeps a release from its descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingPlatforms {
    /// Sorted.
    pub platforms: Vec<PlatformKey>,
    /// Files of earlier runs that do not count, though they are of such a platform.
    pub differing: Vec<FileDifference>,
}

impl MissingPlatforms {
    pub fn is_empty(&self) -> bool {
        self.platforms.is_empty()
    }
}
