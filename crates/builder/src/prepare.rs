//! From a version string to a plan: configuration, base interpreter, lock. Downloads no package; a resolution, when
//! one is needed, asks the indexes for names and digests only.

use std::path::{Path, PathBuf};

use config_merger::{Config, LoadOptions, Loaded, Repository};
use vocab::{Digest, Exit, Fault, Outcome, PlatformKey, VersionString};

use crate::base::{self, BaseChoice, BaseRequest, BaseTree};
use crate::host_python::HostPython;
use crate::options::BuildOptions;
use crate::plan::{Plan, PlannedBase};
use crate::resolve::{
    self, Lock, LockError, LockErrorKind, PlatformLock, Request, ResolveError, Resolved, UnreachableRegistry, Uv,
};
use crate::steps::Steps;
use crate::{Context, registries, version_check};

/// All that is decided before anything is downloaded.
pub struct Prepared {
    pub config: Config,
    /// Of what the configuration says about the runtime; see `digest_of` below.
    pub config_digest: Digest,
    /// `python-<version string>`.
    pub folder: PathBuf,
    pub request: Request,
    pub rows: PlatformLock,
    pub base: BaseChoice,
    /// Where a resolution needed it already.
    pub tree: Option<BaseTree>,
    pub host: HostPython,
    pub plan: Plan,
}

#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("`{package}` may not be installed from git: `{requirement}` at {place}")]
    GitRefused { package: String, requirement: String, place: String },
    #[error("--strict: {registry} cannot be reached ({reason}), so {packages} would be left out on {platform}")]
    Registry { registry: String, reason: String, packages: String, platform: PlatformKey },
    #[error("--strict: `{package}` would be left out on {platform}: {reason}")]
    Missing { package: String, reason: String, platform: PlatformKey },
    #[error("--fail-on-missing: `{package}` would be left out on {platform}: {reason}")]
    LeftOut { package: String, reason: String, platform: PlatformKey },
    #[error("--strict: `{package}` is installed from git at {reference}, which is no commit")]
    LooseGit { package: String, reference: String },
    #[error("this machine is none of the five platforms")]
    NoHost,
}

impl Fault for PrepareError {
    fn code(&self) -> &'static str {
        match self {
            Self::GitRefused { .. } | Self::LooseGit { .. } => "E_GIT_SOURCE",
            Self::Registry { .. } | Self::Missing { .. } => "E_REGISTRY_UNREACHABLE",
            Self::LeftOut { .. } => "E_NO_WHEEL",
            Self::NoHost => "E_PLATFORM_HOST",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::GitRefused { .. } | Self::LooseGit { .. } | Self::NoHost => Exit::Usage,
            Self::Registry { .. } | Self::Missing { .. } | Self::LeftOut { .. } => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::GitRefused { .. } => {
                "allow it with `forceSource`, or with `allowSourceList` in `packages.resolution`".into()
            }
            Self::Registry { .. } => "make the registry reachable, or build without --strict".into(),
            Self::Missing { .. } => "run `builder lock` where its registry can be reached".into(),
            Self::LeftOut { package, .. } => {
                format!("allow its source with `packages.resolution.allowSourceList`, or skip `{package}` here")
            }
            Self::LooseGit { .. } => "write the 40 digits of the commit after the `@`".into(),
            Self::NoHost => return None,
        })
    }
}

/// The configuration with its warnings told.
pub fn load(
    context: &Context,
    repository: &Repository,
    version: &VersionString,
    options: &BuildOptions,
) -> Result<Loaded, Box<dyn Fault>> {
    let loaded = config_merger::load(
        repository,
        version,
        &LoadOptions { strict: options.strict, lenient: options.lenient_config },
    )?;
    for warning in &loaded.warnings {
        context.warn(
            warning.code.as_str(),
            &warning.text,
            warning.place.as_ref().map(ToString::to_string),
            warning.hint.clone(),
        );
    }
    for note in &loaded.notes {
        context.note(note);
    }
    if let Some(text) = version_check::check(version.python(), options.platform) {
        context.warn("W_PYTHON_VERSION", text, Some(version.folder_name()), None);
    }
    Ok(loaded)
}

pub fn prepare(
    context: &Context,
    repository: &Repository,
    loaded: Loaded,
    options: &BuildOptions,
    steps: &mut Steps,
) -> Result<Prepared, Box<dyn Fault>> {
    let config = loaded.config;
    let version = config.version.clone();
    let platform = options.platform;
    let folder = repository.root().join(version.folder_name());
    let request = Request::new(&config, platform);
    refuse_git(&config, platform, options)?;
    let locked = Locked::read(repository, &folder, &request)?;
    if options.locked {
        // Before anybody is asked for an interpreter.
        locked.require(&folder, platform)?;
    }

    let base_request = base_request(context, &config, &folder, options);
    let host = HostPython::new(&base_request).ok_or(PrepareError::NoHost)?;
    let base = steps.run(context, "choose the interpreter", || base::choose(context, &base_request))?;
    tell_stand_in(context, &base);

    let Rows { rows, unreachable, tree } =
        lock_rows(context, repository, &folder, &request, locked, (&base, &host), options, steps)?;
    tell_missing(context, &request, &rows, &unreachable, options)?;
    let planned = PlannedBase {
        source: base.source.as_str().to_owned(),
        requested: base.requested,
        actual: base.actual,
        stand_in: base.stand_in,
        origin: base.origin.clone(),
    };
    let plan = Plan::new(&request, &rows, planned, &|digest| context.store.blob(digest).is_file());
    Ok(Prepared { config_digest: digest_of(&config), config, folder, request, rows, base, tree, host, plan })
}

/// Of the canonical configuration without `build`, which says how to work and not what comes out: parallel downloads
/// or another time limit give the same runtime (P14).
fn digest_of(config: &Config) -> Digest {
    let mut canonical = serde_json::to_value(config).expect("plain data with text keys");
    if let Some(document) = canonical.as_object_mut() {
        document.remove("build");
    }
    Digest::of(canonical.to_string())
}

fn base_request(context: &Context, config: &Config, folder: &Path, options: &BuildOptions) -> BaseRequest {
    let absolute = |url: &str| {
        if url.starts_with("./") || url.starts_with("../") {
            folder.join(url).display().to_string()
        } else {
            url.into()
        }
    };
    let archives = config.python.archives.iter().map(|(platform, archive)| {
        let mut archive = archive.clone();
        archive.url = absolute(&archive.url);
        (*platform, archive)
    });
    BaseRequest {
        python: config.version.python(),
        platform: options.platform,
        sources: config.python.sources.clone(),
        tag: config.python.tag.clone(),
        archives: archives.collect(),
        mirror: BaseRequest::mirror_of(options.python_mirror.clone(), &context.environment),
        table: None,
        allow_stand_in: options.allow_stand_in,
    }
}

/// A loud line: nobody should take one for the other by accident.
fn tell_stand_in(context: &Context, base: &BaseChoice) {
    if base.stand_in {
        let (requested, actual) = (base.requested, base.actual);
        context.warn(
            "W_STAND_IN",
            format!("STAND-IN: Python {actual} ({}) takes the place of {requested}, which no source has", base.origin),
            Some(base.platform.to_string()),
            Some("publishing refuses this runtime; --exact turns this into an error".to_owned()),
        );
    }
}

/// P10: before any download.
fn refuse_git(config: &Config, platform: PlatformKey, options: &BuildOptions) -> Result<(), PrepareError> {
    if let Some(requirement) = config.refused_git(platform).into_iter().next() {
        return Err(PrepareError::GitRefused {
            package: requirement.name.to_string(),
            place: requirement.place.to_string(),
            requirement: requirement.text,
        });
    }
    if options.strict {
        for requirement in config.dependencies_for(platform) {
            if let config_merger::RequirementSource::Git { reference, .. } = &requirement.source {
                let commit = |text: &String| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !reference.as_ref().is_some_and(commit) {
                    let reference = reference.clone().unwrap_or_else(|| "its default branch".to_owned());
                    return Err(PrepareError::LooseGit { package: requirement.name.to_string(), reference });
                }
            }
        }
    }
    Ok(())
}

/// What the lock has for the platform.
struct Locked {
    lock: Option<Lock>,
    rows: Option<PlatformLock>,
    /// The rows answer this very request.
    fresh: bool,
}

impl Locked {
    fn read(repository: &Repository, folder: &Path, request: &Request) -> Result<Self, Box<dyn Fault>> {
        let platform = request.target.platform;
        let lock = Lock::read(folder, &request.runtime)?;
        let paths = resolve::path_digests(request, repository.root());
        let paths = paths.map_err(|kind| ResolveError::new(request, kind))?;
        let rows = lock.as_ref().and_then(|lock| lock.platforms.get(&platform)).cloned();
        let fresh = rows.as_ref().is_some_and(|rows| rows.inputs == request.inputs(&paths));
        Ok(Self { lock, rows, fresh })
    }

    fn require(&self, folder: &Path, platform: PlatformKey) -> Result<(), LockError> {
        let kind = match &self.rows {
            Some(_) if self.fresh => return Ok(()),
            Some(_) => LockErrorKind::Stale { platform },
            None => LockErrorKind::Absent { platform },
        };
        Err(LockError { path: folder.join(resolve::LOCK_FILE), kind })
    }
}

struct Rows {
    rows: PlatformLock,
    unreachable: Vec<UnreachableRegistry>,
    tree: Option<BaseTree>,
}

/// From the lock where it is fresh, else resolved now and written into it.
#[expect(clippy::too_many_arguments, reason = "each is another part of what a resolution comes from")]
fn lock_rows(
    context: &Context,
    repository: &Repository,
    folder: &Path,
    request: &Request,
    locked: Locked,
    (base, host): (&BaseChoice, &HostPython),
    options: &BuildOptions,
    steps: &mut Steps,
) -> Result<Rows, Box<dyn Fault>> {
    let platform = request.target.platform;
    let fresh = locked.rows.filter(|_| locked.fresh);
    let as_locked = |rows, unreachable| Ok(Rows { rows, unreachable, tree: None });
    let fresh = match fresh {
        Some(rows) if options.locked || (rows.is_complete() && !options.refresh) => return as_locked(rows, Vec::new()),
        fresh => fresh.filter(|_| !options.refresh),
    };
    let unreachable =
        steps.run(context, "ask the registries", || registries::unreachable(context, &request.registries));
    // An incomplete lock is resolved again once what it lacked can be reached.
    if let Some(rows) = fresh.filter(|_| context.offline || !unreachable.is_empty()) {
        return as_locked(rows, unreachable);
    }
    let tree = steps.run(context, "prepare the interpreter", || base::provide(context, base))?;
    if PlatformKey::host() == Some(platform) {
        host.is(&tree);
    }
    let resolved =
        steps.run(context, "resolve", || resolve_now(context, repository, request, host, options, &unreachable))?;
    for (digest, url) in &resolved.urls {
        // Only a shortcut: without it the resolver is asked again.
        let _ =
            context.store.remember(URL_FACT, &digest.to_string(), &url.as_str().into(), std::time::SystemTime::now());
    }
    let mut lock = locked.lock.unwrap_or_else(|| Lock::new(request.runtime.clone()));
    lock.platforms.insert(platform, resolved.rows.clone());
    lock.write(folder)?;
    Ok(Rows { rows: resolved.rows, unreachable, tree: Some(tree) })
}

/// Where a file was when it was last resolved.
pub const URL_FACT: &str = "url";

fn resolve_now(
    context: &Context,
    repository: &Repository,
    request: &Request,
    host: &HostPython,
    options: &BuildOptions,
    unreachable: &[UnreachableRegistry],
) -> Result<Resolved, Box<dyn Fault>> {
    let uv = Uv::find(context, &host.interpreter(context)?)?;
    let settings = resolve::Settings {
        uv: &uv,
        repository: repository.root(),
        fail_on_missing: options.fail_on_missing,
        refresh: options.refresh,
        unreachable,
    };
    Ok(resolve::resolve(context, request, &settings)?)
}

/// One warning for each registry that did not answer, with what is left out because of it.
fn tell_missing(
    context: &Context,
    request: &Request,
    rows: &PlatformLock,
    unreachable: &[UnreachableRegistry],
    options: &BuildOptions,
) -> Result<(), PrepareError> {
    let platform = request.target.platform;
    // A lock that was written without the switch has such rows, too.
    if let Some(row) = rows.left_out.first().filter(|_| options.fail_on_missing) {
        let (package, reason) = (row.name.to_string(), row.reason.clone());
        return Err(PrepareError::LeftOut { package, reason, platform });
    }
    let missing: Vec<_> = rows.left_out.iter().filter(|row| row.outcome == Outcome::Missing).collect();
    for registry in unreachable {
        let names: Vec<_> = missing
            .iter()
            .filter(|row| row.reason.contains(&registry.url))
            .map(|row| format!("`{}`", row.name))
            .collect();
        if options.strict {
            return Err(PrepareError::Registry {
                registry: registry.url.clone(),
                reason: registry.reason.clone(),
                packages: if names.is_empty() { "nothing".to_owned() } else { names.join(", ") },
                platform,
            });
        }
        let lacking = if names.is_empty() {
            "no configured package comes only from it".to_owned()
        } else {
            format!("{} comes only from it and is left out", names.join(", "))
        };
        context.warn(
            "W_REGISTRY_UNREACHABLE",
            format!("the registry {} cannot be reached ({}); {lacking}", registry.url, registry.reason),
            Some(platform.to_string()),
            Some("it is asked again after ten minutes; --strict makes this an error".to_owned()),
        );
    }
    if let Some(row) = missing.first().filter(|_| options.strict) {
        let (package, reason) = (row.name.to_string(), row.reason.clone());
        return Err(PrepareError::Missing { package, reason, platform });
    }
    for row in rows.left_out.iter().filter(|row| {
        row.outcome != Outcome::Missing || !unreachable.iter().any(|registry| row.reason.contains(&registry.url))
    }) {
        context.warn(
            "W_LEFT_OUT",
            format!("`{}` is left out: {}", row.name, row.reason),
            Some(platform.to_string()),
            Some("--fail-on-missing makes this an error".to_owned()),
        );
    }
    Ok(())
}
