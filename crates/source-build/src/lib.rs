//! Wheels from sdists, git commits and local folders: built by uv in a throw-away environment on the base
//! interpreter, repaired, and kept in the store under everything that went into them.
//!
//! The base tree is only read. Equal inputs should give equal wheels: fixed time, hash seed, umask and compiler
//! flags that keep paths and debug data out. What is not in our hands: the compiler itself, files outside the
//! source that a setting points at, and the versions of build requirements that the source leaves open (bind them
//! with `build_constraints`). The first wheel built stays, because its digest is what later builds install.

mod back_end;
mod compile;
mod error;
mod git;
mod key;
mod repair;
mod source;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vocab::{Digest, DistributionName, PlatformKey, SystemVersion};

pub use error::{SourceBuildError, SourceBuildErrorKind};
pub use git::{GitError, GitErrorKind, resolve_commit};
pub use key::verify_built;

use store::Context;
use store::{EntryKind, LockOutcome};
use vocab::TreeLayout;

/// One wheel to build.
#[derive(Clone, Debug)]
pub struct SourceBuild<'a> {
    pub name: DistributionName,
    /// `None` where only the build tells.
    pub version: Option<String>,
    pub source: SourceInput<'a>,
    /// The base interpreter's program.
    pub python: &'a Path,
    pub layout: TreeLayout,
    /// The oldest system that the wheel must run on. `None` on Windows.
    pub system: Option<SystemVersion>,
    /// Changes with anything in the base tree.
    pub base_identity: Digest,
    /// Without headers no C code compiles; this only makes the error say so.
    pub base_has_headers: bool,
    /// The `uv` program.
    pub uv: &'a Path,
    /// PEP 508 requirements. With any, the environment holds exactly these and what they require; empty means what
    /// the source itself asks for.
    pub build_requires: Vec<String>,
    /// PEP 508 pins that bind what the source itself asks for.
    pub build_constraints: Vec<String>,
    /// `KEY=VALUE`; `{packageRoot}` stands for `package_root` with forward slashes.
    pub config_settings: Vec<String>,
    pub package_root: &'a Path,
    /// Names of variables that the back end gets beside those that every one gets.
    pub pass_environment: &'a [String],
    /// Which indexes uv asks for build requirements, as its settings say it, in place of those of the user.
    pub index_settings: toml::Table,
    /// For each program that runs. `None` is without limit.
    pub timeout: Option<Duration>,
    /// The full log goes to `wheel-build-<name>.log` in here.
    pub logs: &'a Path,
}

#[derive(Clone, Debug)]
pub enum SourceInput<'a> {
    Sdist {
        /// Its digest has been checked.
        path: &'a Path,
        /// Its end tells the format: `.tar.gz`, `.tgz` or `.zip`.
        file_name: &'a str,
        sha256: Digest,
    },
    Git {
        /// With or without `git+`; `https`, `http`, `ssh` or `file`.
        url: &'a str,
        /// A branch, a tag or a commit; the default branch when absent. Not looked at where `commit` is given.
        reference: Option<&'a str>,
        /// 40 digits.
        commit: Option<&'a str>,
        subdirectory: Option<&'a str>,
    },
    /// Copied before it is built.
    Folder { path: &'a Path },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltWheel {
    /// In the store.
    #[serde(skip)]
    pub path: PathBuf,
    pub file_name: String,
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    /// 40 digits, for git sources.
    pub commit: Option<String>,
    /// Built by an earlier call.
    #[serde(skip)]
    pub cached: bool,
    /// Absent when cached: the log is of the build that made it.
    #[serde(skip)]
    pub log: Option<PathBuf>,
}

/// The wheel from the store, built first where the store has none.
pub fn build_wheel(context: &Context, build: &SourceBuild<'_>) -> Result<BuiltWheel, SourceBuildError> {
    let log = build.logs.join(format!("wheel-build-{}.log", build.name));
    let failed = |kind| SourceBuildError::new(build, &log, kind);
    let platform = build.layout.platform;
    if PlatformKey::host() != Some(platform) {
        return Err(failed(SourceBuildErrorKind::NeedsNativeRunner { platform }));
    }
    let identity = source::identify(context, build, &log).map_err(failed)?;
    let key = key::key(context, build, &identity);
    context.store.mark_used(EntryKind::Built, &key.to_string());
    if let Some(wheel) = key::recall(context, &key).map_err(failed)? {
        return Ok(wheel);
    }
    let lock = context.store.lock("built", &key, || context.is_cancelled()).map_err(|error| failed(error.into()))?;
    let LockOutcome::Held(_lock) = lock else { return Err(failed(SourceBuildErrorKind::Cancelled)) };
    // Another builder may have finished it while this one waited.
    if let Some(wheel) = key::recall(context, &key).map_err(failed)? {
        return Ok(wheel);
    }
    if let Some(wheel) = key::bring(context, build, &key).map_err(failed)? {
        return Ok(wheel);
    }
    let mut wheel = build_anew(context, build, &identity, &key, &log).map_err(failed)?;
    wheel.log = Some(log);
    Ok(wheel)
}

fn build_anew(
    context: &Context,
    build: &SourceBuild<'_>,
    identity: &source::Identity,
    key: &Digest,
    log: &Path,
) -> Result<BuiltWheel, SourceBuildErrorKind> {
    match std::fs::remove_file(log) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(SourceBuildErrorKind::disk("replace", log, error));
        }
        _ => {}
    }
    context.note(format!("building a wheel of {} from source", build.name));
    let work = context.store.stage_dir()?;
    let site = source::prepare(context, build, identity, work.path(), log)?;
    let wheel = compile::compile(context, build, work.path(), &site, log)?;
    let wheel = repair::repair(context, build, work.path(), wheel, log)?;
    compile::check_name(build, &wheel)?;
    let file_name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let built = key::keep(context, key, &wheel, &file_name, identity.commit())?;
    key::offer(context, key, &built);
    Ok(built)
}
