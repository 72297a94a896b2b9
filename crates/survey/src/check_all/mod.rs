//! `builder check`: configurations, locks, whitelists, workspace and catalogue, without building.
//!
//! What is wrong is a fault; what merely does nothing any more, or is not known yet, is a remark. Only
//! `wheels_now` asks an index, and only if [`CheckRequest::online`] says so.

mod idle_rules;
mod packages;
mod survey;
mod wheels_now;

use config_merger::{LoadOptions, Repository};
use jiff::civil::Date;
use npm_packages::platforms_of;
use vocab::{Event, Fault, PlatformKey, VersionString};

use crate::matrix::{MachineNeed, MatrixCell, PublishedKeys, fresh_rows, need};
use resolve::{self, Lock, LockError, LockErrorKind, PlatformLock, Request};
use static_checks::Whitelist;
use store::Context;

pub use survey::{SurveyedPlatform, SurveyedVersion};

/// What is looked at, beside configurations, locks and whitelists.
pub struct CheckRequest<'a> {
    pub versions: &'a [VersionString],
    /// Ask the indexes which rules have become needless.
    pub online: bool,
    /// What is published, to compare with; `None` skips the comparison.
    pub published: Option<&'a PublishedKeys>,
    /// Whitelist entries that expired before this date are reported.
    pub today: Date,
    /// Seconds since 1970, as the published artifacts have it.
    pub source_date_epoch: u64,
}

/// By what was looked at: a version's folder, a whitelist, a file.
#[derive(Default)]
pub struct SurveyFindings {
    pub faults: Vec<(String, Box<dyn Fault>)>,
    /// Each an [`Event::Warning`]; none of them keeps anybody from building.
    pub remarks: Vec<Event>,
}

impl SurveyFindings {
    fn remark(&mut self, code: &'static str, text: String, place: impl Into<String>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.remarks.push(Event::Warning { code, text, place: Some(place.into()), hint });
    }
}

/// Checks the versions of the request, the whitelists of all platforms, the npm packages and what is published. A
/// fault of one does not stop the others.
pub fn check_all(context: &Context, repository: &Repository, request: &CheckRequest<'_>) -> SurveyFindings {
    let mut checked = SurveyFindings::default();
    let mut whitelists: Vec<(PlatformKey, Whitelist)> = Vec::new();
    for platform in PlatformKey::ALL {
        match Whitelist::read(&Whitelist::path(repository.root(), platform)) {
            Ok(whitelist) => whitelists.push((platform, whitelist)),
            Err(error) => checked.faults.push((format!("checker/whitelists/{platform}.json"), error.into())),
        }
    }
    let mut surveyed = Vec::new();
    for version in request.versions {
        match check_version(context, repository, version, &mut checked) {
            Ok(Some(version)) => surveyed.push(version),
            Ok(None) => {}
            Err(fault) => checked.faults.push((version.folder_name(), fault)),
        }
    }
    // A rule of the shared file can be judged only by all that share it.
    let whole = surveyed.len() == repository.versions().len();
    idle_rules::remark(repository, &surveyed, whole, &mut checked);
    if whole {
        idle_rules::remark_whitelists(&whitelists, &surveyed, &mut checked);
    }
    idle_rules::remark_expired(&whitelists, request.today, &mut checked);
    packages::check(repository, &mut checked);
    if let Some(published) = request.published {
        remark_published(repository, published, &surveyed, request.source_date_epoch, &mut checked);
    }
    if request.online {
        wheels_now::remark(context, repository, &surveyed, &mut checked);
    }
    checked
}

/// `None` where its package is at fault, which `packages` tells.
fn check_version(
    context: &Context,
    repository: &Repository,
    version: &VersionString,
    checked: &mut SurveyFindings,
) -> Result<Option<SurveyedVersion>, Box<dyn Fault>> {
    let loaded = config_merger::load(repository, version, &LoadOptions::default())?;
    loaded.warning_events().for_each(|event| context.tell(event));
    let config = loaded.config;
    let folder = repository.root().join(version.folder_name());
    let Ok(made_for) = platforms_of(repository.root(), version) else { return Ok(None) };
    let lock = Lock::read(&folder, version)?;
    if lock.is_none() {
        context.note(format!("{version}: no lock yet; the first build writes one"));
    }
    let mut platforms = Vec::new();
    let mut lacking = Vec::new();
    for &platform in &made_for {
        let request = Request::new(&config, platform);
        let known = lock.as_ref().and_then(|lock| lock.platforms.get(&platform));
        let fresh = fresh_rows(lock.as_ref(), &request, repository)?.cloned();
        if known.is_some() && fresh.is_none() {
            let kind = LockErrorKind::Outdated { platform };
            let error = LockError { path: folder.join(resolve::LOCK_FILE), kind };
            checked.faults.push((version.folder_name(), error.into()));
        }
        if known.is_none() {
            lacking.push(platform.as_str());
        }
        let whole = |rows: &PlatformLock| {
            rows.require_complete(platform)
                .and_then(|()| rows.require_registries(&config.registries, &|name| request.is_direct(name), platform))
        };
        if let Some(Err(kind)) = fresh.as_ref().map(whole) {
            let error = LockError { path: folder.join(resolve::LOCK_FILE), kind };
            checked.faults.push((version.folder_name(), error.into()));
        }
        if let MachineNeed::Nowhere { reason, hint } = need(&config, &request, fresh.as_ref()) {
            let text = format!("{version} cannot be built for {platform}: {reason}");
            checked.remark("W_NO_BASE", text, version.folder_name(), hint);
        }
        platforms.push(SurveyedPlatform { request, rows: fresh });
    }
    if lock.is_some() && !lacking.is_empty() {
        let text = format!("the lock lacks the rows of {}", lacking.join(", "));
        let hint = format!("run `builder lock {version} --platform all` and commit it");
        checked.remark("W_LOCK_PLATFORMS", text, version.folder_name(), &hint);
    }
    let surplus = lock.iter().flat_map(|lock| lock.platforms.keys()).filter(|platform| !made_for.contains(platform));
    for platform in surplus {
        let text = format!("the lock has rows for {platform}, for which {version} is not made");
        let hint = format!(
            "run `builder lock {version} --platform all`, which drops them, or name it in `roots` of package.json"
        );
        checked.remark("W_LOCK_PLATFORMS", text, version.folder_name(), &hint);
    }
    Ok(Some(SurveyedVersion { config, platforms }))
}

/// Remarks on published versions that no longer exist, and on versions that are not published in their present state.
fn remark_published(
    repository: &Repository,
    published: &PublishedKeys,
    surveyed: &[SurveyedVersion],
    epoch: u64,
    checked: &mut SurveyFindings,
) {
    let known = repository.versions();
    for version in published.versions().filter(|version| !known.contains(version)) {
        let text = format!("{version} is published, and there is no folder `{}`", version.folder_name());
        checked.remark("W_PUBLISHED", text, "catalogue", "retract it, or restore its folder");
    }
    for version in surveyed {
        let mut behind = Vec::new();
        for platform in &version.platforms {
            let cell =
                MatrixCell { version: version.config.version.clone(), platform: platform.request.target.platform };
            let keys = version.keys(platform, repository, epoch);
            if !keys.is_empty() && !published.has(&cell, &keys) {
                behind.push(cell.platform.as_str());
            }
        }
        if !behind.is_empty() {
            let version = &version.config.version;
            let text = format!("{version} is not published as it is now for {}", behind.join(", "));
            checked.remark("W_PUBLISHED", text, version.folder_name(), "build and publish it");
        }
    }
}
