//! What the files of a version alone say about it.

use config_merger::{Config, Repository};
use vocab::Digest;

use pipeline::build_key::{KeyInputs, predicted_keys};
use resolve::{PlatformLock, Request};

/// One version whose configuration could be read.
pub struct SurveyedVersion {
    pub config: Config,
    /// The platforms that the version is built for.
    pub platforms: Vec<SurveyedPlatform>,
}

/// One of its platforms.
pub struct SurveyedPlatform {
    pub request: Request,
    /// The rows of the lock, only if they are fresh.
    pub rows: Option<PlatformLock>,
}

impl SurveyedVersion {
    /// The keys that a build could have; empty if that is not known.
    pub(super) fn keys(&self, platform: &SurveyedPlatform, repository: &Repository, epoch: u64) -> Vec<Digest> {
        let Some(rows) = &platform.rows else { return Vec::new() };
        let inputs = KeyInputs {
            config: &self.config,
            request: &platform.request,
            lock: rows.digest(),
            extra: Vec::new(),
            left_out: &rows.left_out,
            repository: repository.root(),
            source_date_epoch: epoch,
            strict: false,
            emulator: None,
        };
        predicted_keys(&inputs).unwrap_or_default()
    }
}
