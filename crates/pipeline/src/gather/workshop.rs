//! Rows that become wheels only when they are built, and what becomes of those that cannot be.
//!
//! For this machine's own platform a source is compiled on the runtime's interpreter. For another one it is built on
//! this machine's interpreter of the same minor version, and taken if its wheel turns out to be pure Python; that
//! wheel is the same for every platform.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::Path;
use std::time::Duration;

use config_merger::BuildSettings;
use vocab::{Digest, Fault, PlatformKey, RuleOutcome, RuleRecord, SystemVersion, default_ceiling};

use super::unchanged;
use crate::options::BuildOptions;
use crate::prepare::PreparedPlatform;
use interpreter::BaseTree;
use resolve::registries::{self, IndexPages};
use resolve::{LockedDistribution, LockedSource, MissingRule, Uv};
use source_build::{self, BuildTools, BuiltWheel, SourceBuild, SourceBuildError, SourceInput};
use store::Context;
use wheel::WheelFileName;

/// A source that is not pure Python, or whose build here does not show whether it is.
#[derive(Debug, thiserror::Error, Fault)]
#[error("`{package}` has to be compiled on {platform} itself: {reason}")]
#[fault(
    "E_NATIVE_RUNNER",
    Build,
    hint("run the builder on a {platform} machine, or pin a version that has a wheel there"),
    another_machine
)]
pub(crate) struct NotPure {
    pub package: String,
    pub platform: PlatformKey,
    pub reason: String,
}

/// Why a row has no wheel.
pub(crate) enum UnbuiltReason {
    Build(Box<SourceBuildError>),
    Native(NotPure),
    /// An error that no policy excuses.
    Other(Box<dyn Fault>),
}

impl UnbuiltReason {
    fn into_fault(self) -> Box<dyn Fault> {
        match self {
            Self::Build(error) => error,
            Self::Native(fault) => fault.into(),
            Self::Other(fault) => fault,
        }
    }
}

/// How much of a failed build's log a warning shows.
const LINES_TOLD: usize = 30;

/// Builds rows of one platform, one at a time.
pub(crate) struct Workshop<'a> {
    context: &'a Context,
    repository: &'a Path,
    prepared: &'a PreparedPlatform,
    /// The interpreter to compile against: the runtime's own, or this machine's.
    tree: BaseTree,
    /// That of another machine which is to find what is built here.
    other: Option<BaseTree>,
    /// What this machine itself works with. Where another machine is to be served, it gives nothing to a remote store.
    own_work: Cow<'a, Context>,
    /// Set up for the first row that neither store has a wheel of.
    uv: OnceCell<Uv>,
    missing: MissingRule,
}

impl<'a> Workshop<'a> {
    /// `own` is the interpreter of the runtime, which is used if it runs here.
    pub(crate) fn new(
        context: &'a Context,
        repository: &'a Path,
        prepared: &'a PreparedPlatform,
        own: &BaseTree,
        options: &BuildOptions,
    ) -> Result<Self, Box<dyn Fault>> {
        let other = match options.for_host.filter(|host| PlatformKey::host() != Some(*host)) {
            None => None,
            Some(host) if host == own.layout.platform => Some(own.clone()),
            Some(host) => Some(prepared.host.on(host).tree(context)?),
        };
        let own_work = match other {
            Some(_) => Cow::Owned(Context { remote: None, ..context.clone() }),
            None => Cow::Borrowed(context),
        };
        let tree = if prepared.is_foreign() { prepared.host.tree(&own_work)? } else { own.clone() };
        let (uv, missing) = (OnceCell::new(), options.missing);
        Ok(Self { context, repository, prepared, tree, other, own_work, uv, missing })
    }

    /// # Errors
    /// Also if the result for another platform is not pure Python.
    pub(crate) fn build(&self, row: &LockedDistribution) -> Result<BuiltWheel, UnbuiltReason> {
        let Self { prepared, own_work, .. } = self;
        let built = self.with_request(row, |request| {
            let built = match source_build::kept_wheel(own_work, request) {
                Ok(Some(kept)) => Ok(kept),
                Ok(None) => {
                    let tools = self.tools(request.python).map_err(UnbuiltReason::Other)?;
                    source_build::build_wheel(own_work, request, &tools)
                }
                Err(error) => Err(error),
            };
            if let Ok(built) = &built {
                self.give_to_other(request, built).map_err(|error| UnbuiltReason::Build(Box::new(error)))?;
            }
            Ok(built)
        });
        let built = built.map_err(UnbuiltReason::Other)??;
        if !prepared.is_foreign() {
            return built.map_err(|error| UnbuiltReason::Build(Box::new(error)));
        }
        let reason = match built {
            Ok(built) if built.file_name.parse().is_ok_and(|name: WheelFileName| name.is_pure()) => return Ok(built),
            Ok(built) => format!("here its source becomes `{}`", built.file_name),
            // A compiler error here says nothing about the other platform.
            Err(error) if error.is_of_the_source() => {
                format!("here its source does not build ({error})")
            }
            Err(error) => return Err(UnbuiltReason::Build(Box::new(error))),
        };
        let (package, platform) = (row.name.to_string(), prepared.request.target.platform);
        Err(UnbuiltReason::Native(NotPure { package, platform, reason }))
    }

    /// Has what the row's wheel, which the store has, required to be built in the store, too. The result is the digests of
    /// all of it.
    ///
    /// # Errors
    /// It is not there, and cannot be fetched.
    pub(crate) fn supply_requirements(&self, row: &LockedDistribution) -> Result<Vec<Digest>, Box<dyn Fault>> {
        let context = self.context;
        self.with_request(row, |request| -> Result<Vec<Digest>, Box<dyn Fault>> {
            // It could not be built, which was reported.
            let Some(mut wheel) = source_build::kept_wheel(context, request)? else { return Ok(Vec::new()) };
            if !source_build::has_requirements(context, &wheel) {
                let tools = self.tools(request.python)?;
                wheel = source_build::supply_requirements(context, request, &wheel, &tools)?;
            }
            Ok(source_build::requirement_objects(context, &wheel))
        })?
    }

    fn with_request<R>(
        &self,
        row: &LockedDistribution,
        work: impl FnOnce(&SourceBuild<'_>) -> R,
    ) -> Result<R, Box<dyn Fault>> {
        let Self { context, repository, prepared, tree, .. } = self;
        let (blob, place);
        let source = match &row.source {
            LockedSource::Wheel { .. } => unreachable!("only rows that `is_built` takes come here"),
            LockedSource::Sdist { file, sha256, .. } => {
                blob = context.store.blob(sha256);
                SourceInput::Sdist { path: &blob, file_name: file, sha256: *sha256 }
            }
            LockedSource::Git { repository, commit, subdirectory } => SourceInput::Git {
                url: repository,
                reference: None,
                commit: Some(commit),
                subdirectory: subdirectory.as_deref(),
            },
            LockedSource::Path { path, sha256 } => {
                unchanged(&row.name, path, sha256, repository)?;
                place = path.below(repository);
                if place.is_dir() {
                    SourceInput::Folder { path: &place }
                } else {
                    SourceInput::Sdist { path: &place, file_name: path.file_name(), sha256: *sha256 }
                }
            }
        };
        let rule = prepared.request.build_wheel.get(&row.name);
        let python = tree.layout.interpreter().below(&tree.root);
        let logs = prepared.folder.join("logs");
        Ok(work(&SourceBuild {
            name: row.name.clone(),
            version: row.version.clone(),
            source,
            python: &python,
            layout: tree.layout,
            system: self.system(tree),
            base_identity: tree.identity,
            base_has_headers: tree.has_headers(),
            build_requires: rule.map(|rule| rule.build_requires.clone()).unwrap_or_default(),
            build_constraints: Vec::new(),
            config_settings: rule.map(|rule| rule.config_settings.clone()).unwrap_or_default(),
            package_root: &prepared.folder,
            pass_environment: &prepared.config.build.pass_environment,
            registries: &prepared.request.registries.additional,
            within: Vec::new(),
            timeout: compile_limit(&prepared.config.build),
            logs: &logs,
        }))
    }

    fn tools(&self, python: &Path) -> Result<BuildTools<'_>, Box<dyn Fault>> {
        let uv = match self.uv.get() {
            Some(uv) => uv,
            None => {
                let uv = Uv::find(self.context, python, &self.prepared.answered)?;
                self.uv.get_or_init(|| uv)
            }
        };
        // With a fresh lock they have not been asked yet, and uv would fail on one that does not answer.
        let registries = &self.prepared.request.registries;
        let silent = registries::unreachable(self.context, registries, false);
        let registries = IndexPages::new(self.context, uv, registries, &silent).open_urls();
        Ok(BuildTools { uv, registries })
    }

    /// What is built for another platform is pure Python, or is not taken; it is held to what holds on the machine that
    /// builds, whose interpreter `tree` is.
    fn system(&self, tree: &BaseTree) -> Option<SystemVersion> {
        let (target, host) = (&self.prepared.request.target, tree.layout.platform);
        if host == target.platform { target.system } else { default_ceiling(host) }
    }

    /// A wheel of pure Python, under the key under which another machine looks for it.
    fn give_to_other(&self, request: &SourceBuild<'_>, built: &BuiltWheel) -> Result<(), SourceBuildError> {
        let Some(tree) = &self.other else { return Ok(()) };
        if !built.file_name.parse().is_ok_and(|name: WheelFileName| name.is_pure()) {
            return Ok(());
        }
        let system = self.system(tree);
        let request = SourceBuild { layout: tree.layout, base_identity: tree.identity, system, ..request.clone() };
        source_build::give_as(self.context, &request, built)
    }

    /// Step 7 of the policy: a source that does not build is left out where the policy lets it, and never where a rule
    /// asked for it. What only a native runner can build is left out unless the policy is strict, as it is when that is
    /// known beforehand.
    pub(crate) fn tolerate(
        &self,
        row: &LockedDistribution,
        unbuilt: UnbuiltReason,
    ) -> Result<RuleRecord, Box<dyn Fault>> {
        let request = &self.prepared.request;
        let ends = if matches!(unbuilt, UnbuiltReason::Native(_)) {
            self.missing.refuses_native_runner(&request.policy)
        } else {
            request.is_built(&row.name) || !self.missing.allows(&request.policy)
        };
        if ends || self.context.is_cancelled() {
            return Err(unbuilt.into_fault());
        }
        let (outcome, reason, error) = match unbuilt {
            UnbuiltReason::Native(fault) => (RuleOutcome::NeedsNativeRunner, fault.to_string(), None),
            UnbuiltReason::Build(error) => {
                let reason = format!("no wheel fits, and its source did not build: {}", error.in_short());
                (RuleOutcome::LeftOut, reason, Some(error))
            }
            UnbuiltReason::Other(fault) => return Err(fault),
        };
        let mut text = format!("`{}` is left out: {reason}", row.name);
        let mut hint = "--fail-on-missing makes this an error".to_owned();
        if let Some(error) = error {
            let last = &error.last_lines[error.last_lines.len().saturating_sub(LINES_TOLD)..];
            last.iter().for_each(|line| text.push_str(&format!("\n{line}")));
            if let Some(log) = &error.log {
                hint = format!("the whole log is in `{}`; {hint}", log.display());
            }
        }
        self.context.warn("W_LEFT_OUT", text, Some(request.target.platform.to_string()), Some(hint));
        Ok(RuleRecord { name: row.name.clone(), outcome, reason })
    }
}

/// Limit for each program of a build. `None` means no limit.
fn compile_limit(build: &BuildSettings) -> Option<Duration> {
    (build.compile_timeout > 0).then(|| Duration::from_secs(build.compile_timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_12_the_configured_limit_holds_for_compiling_and_zero_is_none() {
        let limit = |compile_timeout| compile_limit(&BuildSettings { compile_timeout, ..BuildSettings::default() });
        assert_eq!(limit(5), Some(Duration::from_secs(5)));
        assert_eq!(limit(0), None);
        assert_eq!(compile_limit(&BuildSettings::default()), Some(Duration::from_secs(720)));
    }
}
