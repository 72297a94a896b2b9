//! Exports: everything that a locked build without a network takes, in one folder.
//!
//! There is no second list of what a build needs. A runtime's files are first brought into the own store as a build
//! brings them; then the same steps are taken once more, offline, with the export behind the store: what a build gives
//! to a remote store is what another build will ask it for. `store::export` is the folder itself.
//!
//! ```
//! use export::list;
//! use vocab::PlatformKey;
//!
//! // Even without a runtime a host needs its uv.
//! let files = list(std::iter::empty(), &[], &[PlatformKey::LinuxX64]);
//! assert!(files.iter().any(|file| file.name == "uv" && file.sha256.is_some()));
//! ```

mod hosts;
mod listing;
mod made_with;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use config_merger::{LoadedConfig, Repository};
use interpreter::BaseTree;
use resolve::{AnsweredQuestions, LockedSource, Uv, fetch_tool_wheel, pinned_uv};
use store::Context;
use store::export::{ExportError, ExportErrorKind, ExportedBuild, ExportedRuntime, Given, Growing};
use store::remote::ChosenInterpreter;
use vocab::{Digest, Event, Exit, Fault, PlatformKey, RuleOutcome, Work};
use wheel::WheelTarget;
use wheel::windows_launcher::{self, WindowsLaunchers};

use pipeline::asked_once::AskedOnce;
use pipeline::gather::{self, GatherOutcome, GatheredRequirements};
use pipeline::options::BuildOptions;
use pipeline::prepare::{self, PlatformPreparation, PreparedPlatform};
use pipeline::steps::TimedSteps;

pub use listing::{ListedFile, interpreters_of_hosts, list};
pub use wanted::wanted;

/// What an export is made with.
pub struct Export<'a> {
    pub context: &'a Context,
    pub repository: &'a Repository,
    /// Those of the build that it is for.
    pub options: &'a BuildOptions,
    /// The machines that it is to serve.
    pub hosts: &'a [PlatformKey],
    pub asked_once: &'a AskedOnce,
}

/// How it went for one runtime.
#[derive(Clone, Debug)]
pub struct Exported {
    pub runtime: ExportedRuntime,
    /// Why machines that were asked for cannot build it from here.
    pub not_for: Vec<String>,
    /// Something is left to a native runner.
    pub is_whole: bool,
}

impl Exported {
    /// [`Exit::Partial`] if it does not serve all that was asked for.
    pub fn exit(&self) -> Exit {
        if self.is_whole && self.not_for.is_empty() { Exit::Done } else { Exit::Partial }
    }
}

/// The export was stopped by the user. What has arrived stays.
#[derive(Debug, thiserror::Error, Fault)]
#[error("the export was interrupted")]
#[fault("E_INTERRUPTED", Interrupted)]
pub struct Interrupted;

/// What the store lacks and, offline, cannot be fetched.
#[derive(Debug, thiserror::Error, Fault)]
#[error("the store lacks {} files, and the network is not used:\n{}", files.len(), files.iter().map(|it| format!("  {it}")).collect::<Vec<_>>().join("\n"))]
#[fault("E_EXPORT_OFFLINE", Build, hint("run it once without --offline"))]
pub struct NotInStore {
    pub files: BTreeSet<String>,
}

impl Export<'_> {
    /// Exports one version for its platforms. Calls `on_cell` for each; a fault of one platform does not stop the others.
    ///
    /// # Errors
    /// What concerns the version itself, or the export.
    pub fn version(
        &self,
        growing: &mut Growing,
        loaded: LoadedConfig,
        platforms: &[PlatformKey],
        on_cell: &mut dyn FnMut(PlatformKey, Result<Exported, Box<dyn Fault>>),
    ) -> Result<(), Box<dyn Fault>> {
        let mut steps = TimedSteps::default();
        prepare::tell_of(self.context, &loaded, platforms);
        let (context, options) = (self.context, self.options);
        let preparations =
            prepare::prepare(context, self.repository, loaded, platforms, options, self.asked_once, &mut steps)?;
        if context.offline {
            self.require_files(&preparations)?;
        }
        let mut without_tools = false;
        if let Some(prepared) = preparations.iter().find_map(|it| it.ready.as_ref().ok()) {
            for host in self.hosts {
                without_tools |= !self.host(growing, prepared, *host)?;
            }
        }
        for PlatformPreparation { platform, ready, .. } in preparations {
            let exported = ready.and_then(|prepared| self.runtime(growing, &prepared, &mut steps));
            if context.is_cancelled() {
                return Err(Interrupted.into());
            }
            on_cell(platform, exported.map(|it| Exported { is_whole: it.is_whole && !without_tools, ..it }));
        }
        Ok(())
    }

    /// Names all files that are missing, rather than the first.
    fn require_files(&self, preparations: &[PlatformPreparation]) -> Result<(), NotInStore> {
        let at_hand = |sha256| store::download::is_at_hand(self.context, sha256);
        let rows = preparations.iter().filter_map(|it| it.ready.as_ref().ok()).flat_map(|it| &it.rows.distributions);
        let files: BTreeSet<String> = rows
            .filter_map(|row| match &row.source {
                LockedSource::Wheel { file, sha256, .. } | LockedSource::Sdist { file, sha256, .. } => {
                    (!at_hand(sha256)).then(|| format!("{file} (SHA-256 {sha256})"))
                }
                LockedSource::Git { .. } | LockedSource::Path { .. } => None,
            })
            .collect();
        if files.is_empty() { Ok(()) } else { Err(NotInStore { files }) }
    }

    fn runtime(
        &self,
        growing: &mut Growing,
        prepared: &PreparedPlatform,
        steps: &mut TimedSteps,
    ) -> Result<Exported, Box<dyn Fault>> {
        let (context, root) = (self.context, self.repository.root());
        let tree = steps.run(context, "prepare the interpreter", || {
            let tree = interpreter::provide(context, &prepared.base)?;
            interpreter::mend(context, &prepared.base, tree, self.options.scrutiny)
        })?;
        if !prepared.is_foreign() {
            prepared.host.is(&tree);
        }
        let gathering = gather::gather(context, root, prepared, &tree, self.options, steps)?;
        let serving = hosts::serving(prepared, &gathering, self.hosts);
        let required = gather::gather_requirements(context, root, prepared, &tree, self.options)?;
        if context.is_cancelled() {
            return Err(Interrupted.into());
        }
        for (name, fault) in &required.lacking {
            let text =
                format!("what `{name}` requires to be built is not exported: {}", vocab::with_causes(fault.as_ref()));
            let hint = "it can be built from this export only where its wheel is taken as it is: with the same compiler \
                        variables and settings";
            context.warn("W_EXPORT_REQUIREMENTS", text, Some(name.to_string()), Some(hint.to_owned()));
        }
        let launchers = self.launchers(prepared, &tree, &gathering)?;
        let mut hosts = BTreeMap::new();
        steps.run(context, "export", || -> Result<(), Box<dyn Fault>> {
            if prepared.rows.distributions.iter().any(|row| prepared.request.builds(row)) {
                for host in &serving.hosts {
                    hosts.insert(*host, self.build(growing, prepared, &tree, launchers, Some((*host, &required)))?);
                }
            } else {
                let build = self.build(growing, prepared, &tree, launchers, None)?;
                hosts.extend(serving.hosts.iter().map(|host| (*host, build.clone())));
            }
            Ok(())
        })?;
        let is_left = gathering.left_out.iter().any(|row| row.outcome == RuleOutcome::NeedsNativeRunner);
        let is_whole = prepared.plan.is_whole() && !is_left && required.lacking.is_empty();
        let runtime = ExportedRuntime {
            version: prepared.config.version.clone(),
            platform: tree.layout.platform,
            lock: prepared.lock_digest,
            hosts,
        };
        growing.add_runtime(runtime.clone());
        Ok(Exported { runtime, not_for: serving.not_for, is_whole })
    }

    /// Gives what a machine of the platform in `builds` takes, which builds sources; `None`: what any machine takes, since
    /// nothing is built.
    fn build(
        &self,
        growing: &Growing,
        prepared: &PreparedPlatform,
        tree: &BaseTree,
        launchers: Option<Digest>,
        builds: Option<(PlatformKey, &GatheredRequirements)>,
    ) -> Result<ExportedBuild, Box<dyn Fault>> {
        let platform = tree.layout.platform;
        let builds_on = builds.map(|(host, _)| host);
        // They are for machines of this kind.
        let required = builds.filter(|(host, _)| PlatformKey::host() == Some(*host)).map(|(_, required)| required);
        let helper = match builds_on.filter(|host| *host != platform) {
            Some(host) => {
                let python = prepared.host.on(host);
                Some((python.question(), python.tree(self.context)?))
            }
            None => None,
        };
        let given = growing.begin();
        let said = Notes::default();
        let giving = self.giving(&given, &said);
        interpreter::offer(&giving, tree);
        if let Some((_, helper)) = &helper {
            interpreter::offer(&giving, helper);
        }
        if let Some(sha256) = launchers {
            given.remote.give_blob(&giving.near(), &self.context.store.blob(&sha256), &sha256);
        }
        let options = BuildOptions { for_host: builds_on, ..self.options.clone() };
        gather::gather(&giving, self.repository.root(), prepared, tree, &options, &mut TimedSteps::default())?;
        self.outcome(growing, &given)?;
        let trees = std::iter::once(tree).chain(helper.iter().map(|(_, helper)| helper));
        let objects = required.into_iter().flat_map(|required| &required.objects);
        whole(&given, trees, prepared, objects, &said).map_err(|reason| object_fault(growing, reason))?;
        let environment = &self.context.environment;
        let host = builds_on.unwrap_or(platform);
        // With what its sources require, it can be built with other settings.
        let is_bound = builds_on.is_some() && required.is_none_or(|required| !required.lacking.is_empty());
        let made_with = made_with::made_with(&prepared.config, platform, host, environment, is_bound);
        let mut interpreters = BTreeMap::from([(prepared.base.question, chosen(tree))]);
        if let Some((question, helper)) = helper {
            interpreters.entry(question).or_insert_with(|| chosen(&helper));
        }
        Ok(ExportedBuild { made_with: Some(made_with), interpreters, objects: given.objects() })
    }

    /// Adds the tools that work for the builder on this kind of machine, as files of the index: uv. False, with a
    /// warning, if no index has it.
    fn host(
        &self,
        growing: &mut Growing,
        prepared: &PreparedPlatform,
        host: PlatformKey,
    ) -> Result<bool, Box<dyn Fault>> {
        let Some(tool) = pinned_uv(host) else { return Ok(false) };
        let target = WheelTarget::new(host, prepared.base.actual);
        let sha256 = match fetch_tool_wheel(self.context, &tool, &target, || uv_of(self.context, prepared)) {
            Ok(sha256) => sha256,
            Err(fault) if self.context.is_cancelled() => return Err(fault),
            Err(fault) => {
                let hint = format!("{} {} has to be on PATH of that machine", tool.name, tool.version);
                let reason = vocab::with_causes(fault.as_ref());
                let text = format!("{} {} is not exported: {reason}", tool.name, tool.version);
                self.context.warn("W_EXPORT_TOOL", text, Some(host.to_string()), Some(hint));
                return Ok(false);
            }
        };
        let given = growing.begin();
        let giving = self.giving(&given, &Notes::default());
        given.remote.give_blob(&giving.near(), &self.context.store.blob(&sha256), &sha256);
        self.outcome(growing, &given)?;
        if given.objects().is_empty() {
            let reason = format!("the wheel of {} {} was damaged while it was exported", tool.name, tool.version);
            return Err(object_fault(growing, reason).into());
        }
        growing.add_host(host, &given);
        Ok(true)
    }

    /// The wheel with launchers, if the runtime needs launchers that its interpreter does not have.
    fn launchers(
        &self,
        prepared: &PreparedPlatform,
        tree: &BaseTree,
        gathering: &GatherOutcome,
    ) -> Result<Option<Digest>, Box<dyn Fault>> {
        let needed = tree.layout.platform.is_windows()
            && gathering.wheels.iter().any(|gathered| gathered.wheel.contents.has_scripts())
            && WindowsLaunchers::of_pip(&tree.root, tree.layout).is_none();
        if !needed {
            return Ok(None);
        }
        let uv = || uv_of(self.context, prepared);
        let target = WheelTarget::new(tree.layout.platform, tree.layout.python);
        fetch_tool_wheel(self.context, windows_launcher::pinned(), &target, uv).map(Some)
    }

    /// Offline, with the export in the place of a remote store. What it notes was noted before, or is a reason why
    /// something was not given.
    fn giving(&self, given: &Given, said: &Notes) -> Context {
        let said = Arc::clone(said);
        let listener: vocab::Listener = Arc::new(move |event| {
            if let Event::Note { text } = event {
                said.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            }
        });
        let work = Work { offline: true, listener, ..self.context.work.clone() };
        Context { remote: Some(Arc::clone(&given.remote)), work, ..self.context.clone() }
    }

    fn outcome(&self, growing: &Growing, given: &Given) -> Result<(), Box<dyn Fault>> {
        if self.context.is_cancelled() {
            return Err(Interrupted.into());
        }
        given.remote.outcome().map_err(|fault| object_fault(growing, vocab::with_causes(fault.as_ref())).into())
    }
}

type Notes = Arc<Mutex<Vec<String>>>;

fn object_fault(growing: &Growing, reason: String) -> ExportError {
    ExportError { dir: growing.root().to_owned(), kind: ExportErrorKind::Object { reason } }
}

/// To a build it does not matter what a remote store does not take; an export has to have it. The error is the reason.
fn whole<'t>(
    given: &Given,
    trees: impl Iterator<Item = &'t BaseTree>,
    prepared: &PreparedPlatform,
    mut required: impl Iterator<Item = &'t Digest>,
    said: &Notes,
) -> Result<(), String> {
    let objects = given.objects();
    let has = |digest: &Digest| objects.iter().any(|key| key.ends_with(&digest.to_string()));
    for tree in trees {
        if !has(&tree.identity) {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            let reason = said.iter().find(|text| text.contains("is not shared")).cloned();
            return Err(reason.unwrap_or_else(|| format!("the interpreter {} was not written", tree.record.actual)));
        }
    }
    if let Some(lost) = required.find(|digest| !has(digest)) {
        return Err(format!("a build requirement, {lost}, was not written; run `builder store verify`"));
    }
    for row in &prepared.rows.distributions {
        if let LockedSource::Wheel { file, sha256, .. } | LockedSource::Sdist { file, sha256, .. } = &row.source
            && !has(sha256)
        {
            return Err(format!("`{file}` is damaged in the store; run `builder store verify`"));
        }
    }
    Ok(())
}

fn uv_of(context: &Context, prepared: &PreparedPlatform) -> Result<Uv, Box<dyn Fault>> {
    Ok(Uv::find(context, &prepared.host.interpreter(context)?, &AnsweredQuestions::default())?)
}

fn chosen(tree: &BaseTree) -> ChosenInterpreter {
    let record = &tree.record;
    ChosenInterpreter {
        requested: record.requested,
        actual: record.actual,
        platform: tree.layout.platform,
        source: record.source.clone(),
        origin: record.origin.clone(),
        digest: record.digest,
    }
}
