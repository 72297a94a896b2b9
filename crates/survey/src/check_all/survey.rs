//! What is known of a version from its files alone.

use config_merger::{Config, Repository};
use vocab::Digest;

use pipeline::build_key::{KeyInputs, predicted_keys};
use resolve::{PlatformLock, Request};

pub struct Surveyed {
    pub config: Config,
    /// Those that the version is made for.
    pub platforms: Vec<SurveyedPlatform>,
}

pub struct SurveyedPlatform {
    pub request: Request,
    /// Only where they answer this very request.
    pub rows: Option<PlatformLock>,
}

impl Surveyed {
    /// The keys that a build would have; none where that is not known.
    pub(super) fn keys(&self, platform: &SurveyedPlatform, repository: &Repository, epoch: u64) -> Vec<Digest> {
        let Some(rows) = &platform.rows else { return Vec::new() };
        let inputs = KeyInputs {
            config: &self.config,
            request: &platform.request,
            lock: rows.digest(),
            left_out: &rows.left_out,
            repository: repository.root(),
            source_date_epoch: epoch,
            strict: false,
            emulator: None,
        };
        predicted_keys(&inputs).unwrap_or_default()
    }
}
