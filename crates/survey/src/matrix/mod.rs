//! `builder matrix`: the CI jobs that are needed, and no more.
//!
//! Everything of a version that any machine can build, that is, everything made of wheels alone, goes to one Linux
//! job; a platform on which something is built from source gets a job of its own, with the reason. A runtime whose
//! build key is already published needs no job. Configuration, lock and the tables of interpreters decide this; no
//! network and no interpreter is used.
//!
//! [`github`], [`gitlab`] and [`kubernetes`] write the jobs in the form of each CI system.

pub mod github;
pub mod gitlab;
pub mod kubernetes;
mod need;
mod published;
mod runners;

use std::collections::BTreeMap;

use config_merger::{Config, LoadOptions, Repository};
use serde::Serialize;
use vocab::{Digest, Fault, PlatformKey, VersionString};

pub use need::{MachineNeed, MachineReason, need};
pub use published::{PublishedError, PublishedKeys};
pub use runners::CiSystem;

use npm_packages::{Agreement, platforms_of};
use pipeline::build_key::{KeyInputs, predicted_keys};
use resolve::{self, Lock, PlatformLock, Request, ResolveError};

/// What the matrix is made for.
pub struct MatrixRequest<'a> {
    pub versions: &'a [VersionString],
    /// Others are left alone.
    pub platforms: &'a [PlatformKey],
    pub system: CiSystem,
    /// Runners that override the configured and default ones.
    pub runners: &'a BTreeMap<PlatformKey, String>,
    pub published: &'a PublishedKeys,
    /// Each platform on a machine of its own, though one could build several.
    pub native: bool,
    /// Seconds since 1970, as the jobs will have it.
    pub source_date_epoch: u64,
}

/// The jobs, and the cells that need none or get none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobMatrix {
    /// By version, the Linux job first.
    pub jobs: Vec<MatrixJob>,
    /// Published already, under the key that a build would have.
    pub up_to_date: Vec<MatrixCell>,
    /// Cells that no machine can build, or that no known runner can run.
    pub impossible: Vec<ImpossibleCell>,
    /// The lock has no fresh rows, so that packages without a wheel are not known.
    pub unlocked: Vec<MatrixCell>,
}

/// One version on one platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MatrixCell {
    pub version: VersionString,
    pub platform: PlatformKey,
}

/// One machine's work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MatrixJob {
    pub version: VersionString,
    /// Platform of the machine.
    pub host: PlatformKey,
    /// Never empty; the host's own first.
    pub platforms: Vec<PlatformKey>,
    /// Labels, tags or an image, as the CI system calls it; several with commas between them.
    pub runner: String,
    /// Why it has to be this machine; empty for what any machine can build.
    pub reasons: Vec<MachineReason>,
}

/// A cell that no job can build, with the reason for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImpossibleCell {
    pub version: VersionString,
    pub platform: PlatformKey,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl MatrixJob {
    /// `3.12.10 on linux-x64`: no two jobs of a matrix have the same.
    pub fn name(&self) -> String {
        format!("{} on {}", self.version, self.host)
    }

    /// The arguments of `builder`.
    pub fn arguments(&self) -> Vec<String> {
        let platforms = self.platforms.iter().flat_map(|platform| ["--platform".to_owned(), platform.to_string()]);
        std::iter::once(self.version.to_string()).chain(platforms).chain(["--locked".to_owned()]).collect()
    }

    /// One line for people.
    pub fn reason(&self) -> String {
        let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
        match (reasons.is_empty(), self.platforms == [self.host]) {
            (true, false) => "wheels only, built on one machine".to_owned(),
            (true, true) => "wheels only, on its own platform".to_owned(),
            _ => reasons.join("; "),
        }
    }

    /// Labels or tags one by one.
    pub fn runner_labels(&self) -> Vec<&str> {
        self.runner.split(',').map(str::trim).filter(|label| !label.is_empty()).collect()
    }
}

/// # Errors
/// A configuration, a lock or a descriptor that cannot be read, or packages that contradict each other: a matrix without
/// the version would hide the fault.
pub fn matrix(repository: &Repository, request: &MatrixRequest<'_>) -> Result<JobMatrix, Box<dyn Fault>> {
    let mut matrix = JobMatrix::default();
    let agreement = Agreement::read(repository.root())?;
    for version in request.versions {
        agreement.require(version)?;
        VersionCells::read(repository, version, request.source_date_epoch)?.into_jobs(request, &mut matrix);
    }
    Ok(matrix)
}

/// What is known about one version.
struct VersionCells {
    config: Config,
    /// With the keys that a build may have.
    cells: Vec<(PlatformKey, MachineNeed, Vec<Digest>)>,
    unlocked: Vec<MatrixCell>,
}

impl VersionCells {
    fn read(repository: &Repository, version: &VersionString, epoch: u64) -> Result<Self, Box<dyn Fault>> {
        let config = config_merger::load(repository, version, &LoadOptions::default())?.config;
        let folder = repository.root().join(version.folder_name());
        let lock = Lock::read(&folder, version)?;
        let mut rows = Self { config, cells: Vec::new(), unlocked: Vec::new() };
        for platform in platforms_of(repository.root(), version)? {
            let request = Request::new(&rows.config, platform);
            let fresh = fresh_rows(lock.as_ref(), &request, repository)?;
            if fresh.is_none() {
                rows.unlocked.push(MatrixCell { version: version.clone(), platform });
            }
            let keys = match fresh {
                Some(fresh) => predicted_keys(&KeyInputs {
                    config: &rows.config,
                    request: &request,
                    lock: fresh.digest(),
                    extra: Vec::new(),
                    left_out: &fresh.left_out,
                    repository: repository.root(),
                    source_date_epoch: epoch,
                    strict: false,
                    emulator: None,
                })?,
                None => Vec::new(),
            };
            rows.cells.push((platform, need(&rows.config, &request, fresh), keys));
        }
        Ok(rows)
    }

    fn into_jobs(self, request: &MatrixRequest<'_>, matrix: &mut JobMatrix) {
        let version = self.config.version.clone();
        let asked = |platform: &PlatformKey| request.platforms.contains(platform);
        matrix.unlocked.extend(self.unlocked.into_iter().filter(|cell| asked(&cell.platform)));
        let mut together: Vec<PlatformKey> = Vec::new();
        let mut of_the_host = Vec::new();
        let mut alone: Vec<(PlatformKey, Vec<MachineReason>)> = Vec::new();
        for (platform, need, keys) in self.cells.into_iter().filter(|(platform, ..)| asked(platform)) {
            let cell = MatrixCell { version: version.clone(), platform };
            if request.published.has(&cell, &keys) {
                matrix.up_to_date.push(cell);
                continue;
            }
            match need {
                MachineNeed::Anywhere if request.native && platform != COMMON_HOST => {
                    alone.push((platform, Vec::new()));
                }
                MachineNeed::Anywhere => together.push(platform),
                // The machine of the common job is of this platform anyway.
                MachineNeed::ItsPlatform(reasons) if platform == COMMON_HOST => {
                    together.push(platform);
                    of_the_host = reasons;
                }
                MachineNeed::ItsPlatform(reasons) => alone.push((platform, reasons)),
                MachineNeed::Nowhere { reason, hint } => {
                    let hint = Some(hint.to_owned());
                    matrix.impossible.push(ImpossibleCell { version: version.clone(), platform, reason, hint });
                }
            }
        }
        let common = (!together.is_empty()).then_some((COMMON_HOST, together, of_the_host));
        let own = alone.into_iter().map(|(platform, reasons)| (platform, vec![platform], reasons));
        for (host, platforms, reasons) in common.into_iter().chain(own) {
            match request.system.runner(host, request.runners, &self.config.runners) {
                Some(runner) => {
                    matrix.jobs.push(MatrixJob { version: version.clone(), host, platforms, runner, reasons });
                }
                None => matrix.impossible.extend(platforms.into_iter().map(|platform| ImpossibleCell {
                    version: version.clone(),
                    platform,
                    reason: format!(
                        "no {} for the jobs of {} on {host} is known",
                        request.system.runner_word(),
                        request.system.as_str()
                    ),
                    hint: Some(format!("give one with `--runner {host}=NAME`, or in `runners` of shared-config.json")),
                })),
            }
        }
    }
}

/// Hosted Linux machines are the cheapest everywhere, and the builder makes every platform's runtime on them.
const COMMON_HOST: PlatformKey = PlatformKey::LinuxX64;

/// The lock's rows where they answer this very request.
pub fn fresh_rows<'a>(
    lock: Option<&'a Lock>,
    request: &Request,
    repository: &Repository,
) -> Result<Option<&'a PlatformLock>, ResolveError> {
    let Some(rows) = lock.and_then(|lock| lock.platforms.get(&request.target.platform)) else { return Ok(None) };
    Ok(resolve::is_fresh(rows, request, repository.root())?.then_some(rows))
}
