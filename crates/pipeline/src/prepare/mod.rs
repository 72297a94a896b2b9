//! From a version string to plans: configuration, base interpreters, lock. Downloads no package; a resolution, when
//! one is needed, asks the indexes for names and digests only.
//!
//! All platforms of a run are prepared together: the lock is read and written once, the indexes are asked once for
//! what platforms share. A fault of one platform does not stop the others.

mod base_choices;
mod error;
mod native_runner;
mod rows;
mod told;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config_merger::{Config, LoadedConfig, Repository, RequirementSource};
use vocab::{Digest, Exit, Fault, PlatformKey, RuleRecord, TreePath};

use crate::asked_once::AskedOnce;
use crate::local_file::local_size;
use crate::options::BuildOptions;
use crate::plan::{BuildPlan, PlannedBase};
use crate::steps::TimedSteps;
use interpreter::host_python::HostPython;
use interpreter::version_check;
use interpreter::{BaseChoice, BaseError, BaseRequest, BaseTree};
use resolve::nothing_left;
use resolve::{self, AnsweredQuestions, Lock, Overlap, PlatformLock, Request};
use store::Context;

pub use error::PrepareError;
use rows::PlatformRows;
pub use rows::{URL_FACT, URL_REMEMBERED};

/// All that is decided for one platform before anything is downloaded.
pub struct PreparedPlatform {
    pub config: Config,
    /// Digest of what the configuration says about the runtime; see `digest_of` below.
    pub config_digest: Digest,
    /// `python-<version string>`.
    pub folder: PathBuf,
    pub request: Request,
    /// What is installed. Locked rows that only a native runner can build are in `left_out`.
    pub rows: PlatformLock,
    /// Digest of the locked rows, including those for a native runner.
    pub lock_digest: Digest,
    pub base: BaseChoice,
    /// The finished base, if a resolution needed it already.
    pub tree: Option<BaseTree>,
    pub host: Arc<HostPython>,
    /// What the resolver answered in this run, and whether it could be set up.
    pub answered: AnsweredQuestions,
    pub plan: BuildPlan,
}

impl PreparedPlatform {
    /// Whether the platform is not this machine's.
    pub fn is_foreign(&self) -> bool {
        PlatformKey::host() != Some(self.request.target.platform)
    }
}

/// One platform of a run.
pub struct PlatformPreparation {
    pub platform: PlatformKey,
    /// Absent if there are no rows.
    pub plan: Option<BuildPlan>,
    /// Or why it cannot be built here.
    pub ready: Result<PreparedPlatform, Box<dyn Fault>>,
}

/// What a user should know of the configuration before anything is done with it.
pub fn tell_of(context: &Context, loaded: &LoadedConfig, platforms: &[PlatformKey]) {
    let version = &loaded.config.version;
    loaded.warning_events().chain(loaded.note_events()).for_each(|event| context.tell(event));
    let mut told: Vec<String> = Vec::new();
    for platform in platforms {
        if let Some(text) = version_check::check(version.python(), *platform, &loaded.config.python)
            && !told.contains(&text)
        {
            context.warn("W_PYTHON_VERSION", &text, Some(version.folder_name()), None);
            told.push(text);
        }
    }
}

/// In the order of `platforms`. An error is one of the version itself.
pub fn prepare(
    context: &Context,
    repository: &Repository,
    loaded: LoadedConfig,
    platforms: &[PlatformKey],
    options: &BuildOptions,
    asked_once: &AskedOnce,
    steps: &mut TimedSteps,
) -> Result<Vec<PlatformPreparation>, Box<dyn Fault>> {
    let config = loaded.config;
    let folder = repository.root().join(config.version.folder_name());
    let requests: Vec<Request> = platforms.iter().map(|platform| Request::new(&config, *platform)).collect();
    for request in &requests {
        refuse_git(request, &config, options)?;
    }
    let lock = Lock::read(&folder, &config.version)?;
    let mut states = Vec::new();
    for request in requests {
        let state = rows::RowsState::of(request, lock.as_ref(), repository)?;
        if options.locked {
            // Before anybody is asked for an interpreter.
            state.require(&folder, options.missing)?;
        }
        states.push(state);
    }

    let base_request =
        BaseRequest::of(&config, &folder, &context.environment, options.python_mirror.clone(), options.allow_stand_in);
    let base_request = BaseRequest { go_modules: asked_once.go_modules.clone(), ..base_request };
    let host = Arc::new(HostPython::new(&base_request).ok_or(PrepareError::NoHost)?);
    let choices =
        steps.run(context, "choose the interpreter", || base_choices::choose(context, &base_request, platforms));
    let choices = match (platforms, choices) {
        // There is nothing else that could be built.
        ([only], choices) if PlatformKey::host() == Some(*only) && !options.dry_run => {
            vec![Ok(choices.into_iter().next().expect("one for each platform")?)]
        }
        (_, choices) => choices,
    };
    let choices = refuse_unusable(choices)?;
    told::stand_ins(context, &choices);

    let answered = &asked_once.resolver;
    let search =
        rows::RowsSearch { context, repository, folder: &folder, host: &host, choices: &choices, options, answered };
    let rows::FoundRows { rows, lock, unreachable, refusals, tree } = search.rows(states, lock, steps)?;
    let faults = told::missing(context, &rows, &unreachable, options);
    told::registries(context, &rows, &refusals);
    told::kept(context, &rows);
    let root = repository.root();
    let whole = PreparedRun {
        context,
        config: &config,
        root,
        folder: &folder,
        host: &host,
        lock: &lock,
        tree,
        options,
        answered,
    };
    let cells = rows.into_iter().zip(choices).zip(faults);
    Ok(cells.map(|((rows, choice), fault)| whole.preparation(rows, choice, fault)).collect())
}

/// Where no platform has an interpreter because of what the configuration says, no other search may hide that.
fn refuse_unusable(
    mut choices: Vec<Result<BaseChoice, BaseError>>,
) -> Result<Vec<Result<BaseChoice, BaseError>>, BaseError> {
    let is_fault_of_configuration = |choice: &Result<BaseChoice, BaseError>| match choice {
        Ok(_) => false,
        Err(error) => error.exit() == Exit::Usage,
    };
    if choices.is_empty() || !choices.iter().all(is_fault_of_configuration) {
        return Ok(choices);
    }
    choices.swap_remove(0).map(|choice| vec![Ok(choice)])
}

/// By index among the locked rows, those for a native runner.
type NativeRows = BTreeMap<usize, RuleRecord>;

/// What all platforms of a run share once everything is known.
struct PreparedRun<'a> {
    context: &'a Context,
    config: &'a Config,
    /// The repository's.
    root: &'a Path,
    folder: &'a Path,
    host: &'a Arc<HostPython>,
    lock: &'a Lock,
    /// The interpreter of this machine's own platform.
    tree: Option<BaseTree>,
    options: &'a BuildOptions,
    answered: &'a AnsweredQuestions,
}

impl PreparedRun<'_> {
    fn preparation(
        &self,
        (request, rows): PlatformRows,
        choice: Result<BaseChoice, BaseError>,
        fault: Option<PrepareError>,
    ) -> PlatformPreparation {
        let platform = request.target.platform;
        let rows = match rows {
            Ok(rows) => rows,
            Err(fault) => return PlatformPreparation { platform, plan: None, ready: Err(fault) },
        };
        let native = native_runner::needed(self.context, &request, &rows, self.lock);
        let in_store = |digest: &Digest| self.context.store.blob(digest).is_file();
        let local_size = |path: &TreePath| local_size(self.root, path);
        let mut plan = BuildPlan::new(&request, &rows, &native, planned_base(&choice), &in_store, &local_size);
        plan.note(&Overlap::recall(self.context, &rows));
        plan.note_kept(&resolve::kept_rows(self.context, &request, &rows));
        let strict = self.options.missing.refuses_native_runner(&request.policy);
        let refused = native.values().next().filter(|_| strict).map(|row| PrepareError::NativeRunner {
            package: row.name.to_string(),
            reason: row.reason.clone(),
            platform,
        });
        let fault = fault.or(refused).or_else(|| self.forbidden(&request, &rows, &native));
        let fault: Option<Box<dyn Fault>> = match (fault, nothing_left::check(&request, &rows.left_out)) {
            (Some(fault), _) => Some(fault.into()),
            (None, Err(fault)) => Some(fault.into()),
            (None, Ok(())) => None,
        };
        let ready = match (choice, fault) {
            (_, Some(fault)) => Err(fault),
            (Err(fault), None) => Err(fault.into()),
            (Ok(base), None) => Ok(self.prepared(request, rows, native, base, plan.clone())),
        };
        PlatformPreparation { platform, plan: Some(plan), ready }
    }

    /// What `--no-build` says against locked rows.
    fn forbidden(&self, request: &Request, rows: &PlatformLock, native: &NativeRows) -> Option<PrepareError> {
        let here = rows.distributions.iter().enumerate().filter(|(index, _)| !native.contains_key(index));
        let built = here.filter(|(_, row)| request.builds(row));
        let packages = resolve::quoted(built.map(|(_, row)| &row.name));
        (self.options.no_build && !packages.is_empty())
            .then_some(PrepareError::NoBuild { packages, platform: request.target.platform })
    }

    fn prepared(
        &self,
        request: Request,
        rows: PlatformLock,
        native: NativeRows,
        base: BaseChoice,
        plan: BuildPlan,
    ) -> PreparedPlatform {
        let lock_digest = rows.digest();
        let mut rows = rows;
        let mut index = 0..;
        rows.distributions.retain(|_| index.next().is_some_and(|index| !native.contains_key(&index)));
        rows.left_out.extend(native.into_values());
        rows.left_out.sort();
        PreparedPlatform {
            config: self.config.clone(),
            config_digest: self.config.runtime_digest(),
            folder: self.folder.to_owned(),
            tree: self.tree.clone().filter(|tree| tree.layout.platform == request.target.platform),
            request,
            rows,
            lock_digest,
            base,
            host: Arc::clone(self.host),
            answered: self.answered.clone(),
            plan,
        }
    }
}

fn planned_base(choice: &Result<BaseChoice, BaseError>) -> Result<PlannedBase, String> {
    match choice {
        Ok(base) => Ok(PlannedBase {
            source: base.source.as_str().to_owned(),
            requested: base.requested,
            actual: base.actual,
            stand_in: base.stand_in,
            origin: base.origin.clone(),
        }),
        Err(error) => Err(error.kind.to_string()),
    }
}

/// P10: before any download.
fn refuse_git(request: &Request, config: &Config, options: &BuildOptions) -> Result<(), PrepareError> {
    if let Some(requirement) = request.refused_git().next() {
        return Err(PrepareError::GitRefused {
            package: requirement.name.to_string(),
            place: requirement.place.to_string(),
            requirement: requirement.text.clone(),
        });
    }
    if options.strict {
        for requirement in config.dependencies_for(request.target.platform) {
            if let RequirementSource::Git { reference, .. } = &requirement.source
                && requirement.source.is_loose_git()
            {
                let reference = reference.clone().unwrap_or_else(|| "its default branch".to_owned());
                return Err(PrepareError::LooseGit { package: requirement.name.to_string(), reference });
            }
        }
    }
    Ok(())
}
