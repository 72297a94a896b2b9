//! Brings an installed runtime to the newest build of its version, from where it came and under the keys that belong to
//! that source.

use catalogue::{Channel, Moment};
use fetch::{FetchSettings, FetchWatch, ReuseMode, without_secrets};
use vocab::{Digest, Fault, VersionString};

use crate::get_error::GetErrorKind;
use crate::get_job::GetJob;
use crate::install_record::InstallRecord;
use crate::offer_request::OfferRequest;
use crate::reusable::{builds_to_reuse, bytes_to_fetch};
use crate::sources::with_access;
use crate::{GetError, GetRequest, Home, InstalledRuntime, PublicKey, Sources, get};

/// What the updates of one run have in common.
#[derive(Debug)]
pub struct UpdateRequest {
    pub home: Home,
    /// Keys of sources, and the source of what was installed before sources were recorded.
    pub sources: Sources,
    /// What names a source for this run, with the user and password that are never recorded.
    pub given: Option<String>,
    pub reuse: ReuseMode,
    /// The current time, for expiry.
    pub now: Moment,
}

/// What an update would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatePlan {
    pub version: VersionString,
    /// Without user, password and query.
    pub from: String,
    pub channel: Channel,
    /// The build that is current.
    pub before: Digest,
    /// The build that would be.
    pub after: Digest,
    /// Bytes that would be transferred: 0 if nothing changes, or the build is installed already.
    pub fetched: u64,
    /// Size of the artifact.
    pub size: u64,
}

/// An installed runtime cannot be updated.
#[derive(Debug, thiserror::Error, Fault)]
pub enum UpdateError {
    #[error("nothing is known of where {version} came from")]
    #[fault("E_UPDATE_SOURCE", Usage, hint("run `pydist get {version} --from URL` once"))]
    NoSource { version: VersionString },
    #[error("{version} is not installed in `{home}`")]
    #[fault("E_UPDATE_MISSING", Usage, hint("run `pydist get {version}`"))]
    NotInstalled { version: VersionString, home: String },
    #[error(transparent)]
    #[fault(transparent)]
    Get(#[from] GetError),
}

/// Versions with a current build, in ascending order.
pub fn updatable(home: &Home) -> Vec<VersionString> {
    home.current_versions()
}

/// What [`update`] would do. Reads the catalogue and the manifest, verified as they would be, and changes no build.
pub fn plan_update(
    update: &UpdateRequest,
    version: &VersionString,
    settings: &FetchSettings,
    watch: FetchWatch<'_>,
) -> Result<UpdatePlan, UpdateError> {
    let (request, record) = request_of(update, version)?;
    let planned = GetJob::new(&request, settings, watch).plan(&record);
    planned.map_err(|kind| UpdateError::Get(request.failed(kind)))
}

/// Makes the newest build of `version` the current one, which stays if it is the newest. The former one stays installed.
pub fn update(
    update: &UpdateRequest,
    version: &VersionString,
    settings: &FetchSettings,
    watch: FetchWatch<'_>,
) -> Result<InstalledRuntime, UpdateError> {
    let (request, _) = request_of(update, version)?;
    Ok(get(&request, settings, watch)?)
}

fn request_of(update: &UpdateRequest, version: &VersionString) -> Result<(GetRequest, InstallRecord), UpdateError> {
    let UpdateRequest { home, sources, given, reuse, now } = update;
    let missing = || UpdateError::NotInstalled { version: version.clone(), home: home.root().display().to_string() };
    let folder = home.current(version).ok_or_else(missing)?;
    let no_source = || UpdateError::NoSource { version: version.clone() };
    let record = home.record(&folder).ok_or_else(no_source)?;
    let (from, channel) = match &record.source {
        Some(source) => (source.from.clone(), source.channel),
        None => (sources.default.clone().ok_or_else(no_source)?, Channel::Stable),
    };
    // The keys that the user has remembered, else the one that the installed build was verified with: never none
    // where there was one.
    let known = sources.known(&from).map(|known| known.public_keys.clone()).unwrap_or_default();
    let lines = if known.is_empty() { record.verified_by.clone().into_iter().collect() } else { known };
    let public_keys = lines.iter().filter_map(|line| PublicKey::of_text(line).ok()).collect::<Vec<_>>();
    if public_keys.len() < lines.len() {
        return Err(no_source());
    }
    let offer = OfferRequest {
        platform: record.platform,
        channel,
        from: with_access(given.as_deref(), from),
        home: home.clone(),
        public_keys,
        offline: false,
        now: *now,
    };
    let request = GetRequest { reuse: *reuse, ..GetRequest::new(version.clone().into(), offer) };
    Ok((request, record))
}

impl GetJob<'_> {
    fn plan(&self, record: &InstallRecord) -> Result<UpdatePlan, GetErrorKind> {
        let OfferRequest { home, from, channel, .. } = &self.request.offer;
        let offer = self.reader.offer()?;
        let row = self.choose(&offer.catalogue)?;
        let folder = home.folder(&row.runtime, &row.build_key);
        self.check_not_older(row, &folder, &offer)?;
        let fetched = if home.has(&folder) {
            0
        } else {
            let manifest = self.manifest_of(row)?;
            let first = home.current(&row.runtime).into_iter().collect();
            let folders = builds_to_reuse(home, first, None, &manifest);
            manifest.artifact.as_ref().map_or(row.artifact.size, |artifact| bytes_to_fetch(home, &folders, artifact))
        };
        Ok(UpdatePlan {
            version: row.runtime.clone(),
            from: without_secrets(from),
            channel: *channel,
            before: record.build_key,
            after: row.build_key,
            fetched,
            size: row.artifact.size,
        })
    }
}
