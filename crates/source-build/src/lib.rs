//! Builds wheels from sdists, git commits and local folders.
//!
//! A source, a base interpreter and the build's settings go in ([`SourceBuild`]); a wheel in the store comes out
//! ([`BuiltWheel`]). uv builds it in a throw-away environment on the base interpreter, auditwheel, delocate or
//! delvewheel repairs it, and the store keeps it under everything that went into it.
//!
//! What holds: the base tree is only read; a back end sees neither the user's home nor their credentials; a wheel is
//! built for this machine's platform only. Equal inputs should give equal wheels: time, hash seed and umask are fixed,
//! and compiler flags keep paths and debug data out. Not under control are the compiler itself, files outside the
//! source that a setting points at, and the versions of build requirements that the source leaves open (bind them with
//! `build_constraints`). Therefore the first wheel built stays: later builds install exactly its digest.
//!
//! ```
//! use source_build::{GitErrorKind, resolve_commit};
//!
//! # let folder = tempfile::tempdir()?;
//! let context = store::Context::quiet(folder.path().into());
//! // Addresses that could run a program are refused before git starts.
//! let refused = resolve_commit(&context, "ext::sh -c true", None).unwrap_err();
//! assert!(matches!(refused.kind, GitErrorKind::Scheme { .. } | GitErrorKind::BadUrl { .. }));
//! # Ok::<(), std::io::Error>(())
//! ```

mod back_end;
mod compile;
mod error;
mod git;
mod key;
mod repair;
mod requirement_set;
mod requirement_supply;
mod room;
mod source;
mod uv_runner;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vocab::{Digest, DistributionName, PlatformKey, PythonVersion, SystemVersion};

pub use back_end::BackEnd;
pub use error::{SourceBuildError, SourceBuildErrorKind};
pub use git::{GitError, GitErrorKind, resolve_commit};
pub use key::{BUILT_WHEEL_FORMAT, RECORD, read_record, verify_built};
pub use requirement_set::{REQUIREMENT_SET_FORMAT, RequiredWheel, RequirementQuestion, RequirementSet};
pub use room::{Room, enter_room, make_room};

use resolve::Uv;
use store::Context;
use store::{EntryKind, LockOutcome};
use vocab::TreeLayout;

/// One wheel to build.
#[derive(Clone, Debug)]
pub struct SourceBuild<'a> {
    pub name: DistributionName,
    /// `None` if only the build can determine it.
    pub version: Option<String>,
    pub source: SourceInput<'a>,
    /// The base interpreter's program.
    pub python: &'a Path,
    pub layout: TreeLayout,
    /// The oldest system that the wheel must run on. `None` on Windows.
    pub system: Option<SystemVersion>,
    /// Identity of the base tree; changes with anything in it.
    pub base_identity: Digest,
    /// Without headers no C code compiles; this only makes the error say so.
    pub base_has_headers: bool,
    /// PEP 508 requirements. If there are any, the environment holds exactly these and their requirements; if empty,
    /// what the source itself asks for.
    pub build_requires: Vec<String>,
    /// PEP 508 pins that bind what the source itself asks for.
    pub build_constraints: Vec<String>,
    /// `KEY=VALUE`; `{packageRoot}` stands for `package_root` with forward slashes.
    pub config_settings: Vec<String>,
    pub package_root: &'a Path,
    /// Names of variables that the back end gets in addition to the usual ones.
    pub pass_environment: &'a [String],
    /// The additional indexes of the configuration, whether they answer or not.
    pub registries: &'a [String],
    /// The sources whose builds require this one, outermost first; empty unless it is a build requirement itself.
    pub within: Vec<DistributionName>,
    /// Limit for each program that runs. `None` means no limit.
    pub timeout: Option<Duration>,
    /// The full log goes to `wheel-build-<name>.log` in here.
    pub logs: &'a Path,
}

/// What builds, where a wheel is neither in the store nor in the remote store.
#[derive(Clone, Debug)]
pub struct BuildTools<'a> {
    pub uv: &'a Uv,
    /// The additional indexes that answer, for build requirements, and whether each is only a folder of files.
    pub registries: Vec<(String, bool)>,
}

/// Where the source comes from.
#[derive(Clone, Debug)]
pub enum SourceInput<'a> {
    Sdist {
        /// Its digest has been checked.
        path: &'a Path,
        /// Its ending decides the format: `.tar.gz`, `.tgz` or `.zip`.
        file_name: &'a str,
        sha256: Digest,
    },
    Git {
        /// With or without `git+`; `https`, `http`, `ssh` or `file`.
        url: &'a str,
        /// A branch, a tag or a commit; the default branch when absent. Ignored if `commit` is given.
        reference: Option<&'a str>,
        /// 40 digits.
        commit: Option<&'a str>,
        subdirectory: Option<&'a str>,
    },
    /// Copied before it is built.
    Folder { path: &'a Path },
}

/// A wheel in the store that was built here, or by another machine with the same inputs.
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
    /// Keys of what it required to be built and repaired. `None` if that is unknown: an earlier builder made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement_sets: Option<Vec<Digest>>,
    /// Built by an earlier call.
    #[serde(skip)]
    pub cached: bool,
    /// Absent if cached: only the build that made it has a log.
    #[serde(skip)]
    pub log: Option<PathBuf>,
}

/// The wheel from the store or the remote store, without building anything: neither uv nor an index is needed.
///
/// # Errors
/// As for [`build_wheel`].
pub fn kept_wheel(context: &Context, build: &SourceBuild<'_>) -> Result<Option<BuiltWheel>, SourceBuildError> {
    take(context, build, &|_, _, _| Ok(None))
}

/// The wheel from the store; builds it first if neither the store nor the remote store has it.
///
/// # Errors
/// [`SourceBuildErrorKind::NeedsNativeRunner`] if the platform is not this machine's, before anything runs; otherwise
/// what the source, git or a program did wrong. The error carries the end of the log.
pub fn build_wheel(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
) -> Result<BuiltWheel, SourceBuildError> {
    let anew = |identity: &source::SourceIdentity, key: &Digest, log: &Path| {
        let mut wheel = build_anew(context, build, tools, identity, key, log)?;
        wheel.log = Some(log.to_owned());
        Ok(Some(wheel))
    };
    Ok(take(context, build, &anew)?.expect("what is not kept was built"))
}

/// Makes a wheel that is kept nowhere, or `None`.
type Otherwise<'a> =
    &'a dyn Fn(&source::SourceIdentity, &Digest, &Path) -> Result<Option<BuiltWheel>, SourceBuildErrorKind>;

fn take(
    context: &Context,
    build: &SourceBuild<'_>,
    otherwise: Otherwise<'_>,
) -> Result<Option<BuiltWheel>, SourceBuildError> {
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
        key::give(context, &key, &wheel);
        return Ok(Some(wheel));
    }
    let lock = context.store.lock("built", &key, || context.is_cancelled()).map_err(|error| failed(error.into()))?;
    let LockOutcome::Held(_lock) = lock else { return Err(failed(SourceBuildErrorKind::Cancelled)) };
    // Another builder may have finished it while this one waited.
    if let Some(wheel) = key::recall(context, &key).map_err(failed)? {
        return Ok(Some(wheel));
    }
    if let Some(wheel) = key::bring(context, build, &key).map_err(failed)? {
        return Ok(Some(wheel));
    }
    otherwise(&identity, &key, &log).map_err(failed)
}

/// The tools that repair wheels with native code on this kind of machine, for this Python: `name==version`, separated by spaces.
pub fn repair_tools(host: PlatformKey, python: PythonVersion) -> &'static str {
    repair::repairer(host, python)
}

/// Whether what a built wheel required is in the store, so that another machine can build it again. What the remote store
/// has of it is brought.
pub fn has_requirements(context: &Context, wheel: &BuiltWheel) -> bool {
    wheel.requirement_sets.as_ref().is_some_and(|keys| requirement_supply::are_at_hand(context, keys))
}

/// Has it in the store: asks the source what it requires, resolves and fetches that, and builds nothing. The result is the
/// same wheel with what it required.
///
/// # Errors
/// As for [`build_wheel`]; offline, [`SourceBuildErrorKind::Lacking`] for what is not there.
pub fn supply_requirements(
    context: &Context,
    build: &SourceBuild<'_>,
    wheel: &BuiltWheel,
    tools: &BuildTools<'_>,
) -> Result<BuiltWheel, SourceBuildError> {
    let log = build.logs.join(format!("wheel-build-{}.log", build.name));
    let supplied = || -> Result<BuiltWheel, SourceBuildErrorKind> {
        let identity = source::identify(context, build, &log)?;
        let work = context.store.stage_dir()?;
        let site = source::prepare(context, build, &identity, work.path(), &log)?;
        let uv = compile::uv_runner(context, build, tools, work.path(), &log)?;
        let mut sets = compile::BuildEnvironment::make(uv, &site)?.sets;
        if repair::has_native_code(&wheel.path)? {
            sets.push(repair::supply_tools(context, build, tools)?.key);
        }
        let wheel = BuiltWheel { requirement_sets: Some(sets), ..wheel.clone() };
        key::record_sets(context, &wheel)?;
        Ok(wheel)
    };
    supplied().map_err(|kind| SourceBuildError::new(build, &log, kind))
}

/// Digests of everything that a built wheel required, as far as it is in the store: wheels, and the records that name them.
pub fn requirement_objects(context: &Context, wheel: &BuiltWheel) -> Vec<Digest> {
    requirement_supply::objects(context, wheel.requirement_sets.as_deref().unwrap_or_default())
}

/// Gives a finished wheel to the remote store under the key under which another build will look for it: that of a
/// machine of another platform, for a wheel of pure Python.
pub fn give_as(context: &Context, build: &SourceBuild<'_>, wheel: &BuiltWheel) -> Result<(), SourceBuildError> {
    let log = build.logs.join(format!("wheel-build-{}.log", build.name));
    let identity = source::identify(context, build, &log).map_err(|kind| SourceBuildError::new(build, &log, kind))?;
    // What it required here is for this kind of machine.
    let wheel = BuiltWheel { requirement_sets: None, ..wheel.clone() };
    key::give(context, &key::key(context, build, &identity), &wheel);
    Ok(())
}

fn build_anew(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
    identity: &source::SourceIdentity,
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
    let uv = compile::uv_runner(context, build, tools, work.path(), log)?;
    let environment = compile::BuildEnvironment::make(uv, &site)?;
    let wheel = environment.compile(&site)?;
    let (wheel, repaired_with) = repair::repair(context, build, tools, work.path(), wheel, log)?;
    compile::check_name(build, &wheel)?;
    let file_name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sets = environment.sets.iter().copied().chain(repaired_with).collect();
    let built = key::keep(context, key, &wheel, &file_name, identity.commit(), Some(sets))?;
    key::offer(context, key, &built);
    Ok(built)
}
