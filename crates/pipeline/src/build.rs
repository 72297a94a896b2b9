//! A version for its platforms, from the version string to the artifacts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use config_merger::{ConfigFaults, LoadedConfig, Repository};
use jiff::civil::Date;
use vocab::{Event, Exit, Fault, PlatformKey, RuleOutcome, VersionString};

use crate::added::AddedBuild;
use crate::artifacts::{self, ArtifactParts, PackedAhead, Packing};
use crate::asked_once::AskedOnce;
use crate::assemble::{self, PrefixPieces};
use crate::build_key::{KeyInputs, build_key, copy_operations};
use crate::build_product::BuildProduct;
use crate::gather;
use crate::options::BuildOptions;
use crate::parts::{self, CheckFindings};
use crate::prefix_folder::PrefixFolder;
use crate::prepare::{self, PlatformPreparation, PreparedPlatform};
use crate::settled::{self, SettledRuntime};
use crate::shared_uv::give_uv;
use crate::steps::TimedSteps;
use crate::up_to_date::{self, FormerProduct};
use crate::verify::CheckedSubject;
use crate::warnings::{self, BuildWarnings};
use crate::{disk_space, for_target, output_folders, test_run};
use import_check::emulator::{self, Emulator};
use static_checks::Whitelist;
use store::Context;
use store::remote::RemoteStore;
use wheel::WheelBlob;

/// How a build ended well.
#[derive(Clone, Debug)]
pub struct BuildReport {
    pub runtime: VersionString,
    pub platform: PlatformKey,
    pub ending: BuildEnding,
    /// Name and wall time, in the order in which they were taken.
    pub steps: Vec<(&'static str, Duration)>,
}

/// How the build of one platform ended, if it did not fail.
#[derive(Clone, Debug)]
pub enum BuildEnding {
    /// `--dry-run` or `plan`: nothing was changed but, perhaps, the lock. `whole` where all of it can be made here.
    Planned {
        whole: bool,
    },
    /// Everything was there already, of the same inputs.
    UpToDate(Box<BuildProduct>),
    Built(Box<BuildProduct>),
    /// `TEST_RUN=true`.
    TestRun {
        prefix: PathBuf,
        artifact: PathBuf,
    },
}

impl BuildReport {
    /// [`Exit::Partial`] if something was left to a native runner.
    pub fn exit(&self) -> Exit {
        let whole = match &self.ending {
            BuildEnding::Planned { whole } => *whole,
            BuildEnding::TestRun { .. } => true,
            BuildEnding::UpToDate(product) | BuildEnding::Built(product) => {
                !product.manifest.rules.iter().any(|row| row.outcome == RuleOutcome::NeedsNativeRunner)
            }
        };
        if whole { Exit::Done } else { Exit::Partial }
    }
}

/// One version for one or several platforms. What keeps one of them from being built keeps no other; an error of this
/// function is one of the version itself.
pub struct BuildRun<'a> {
    pub context: &'a Context,
    pub repository: &'a Repository,
    pub version: &'a VersionString,
    /// As [`config_merger::load`] read it, or all that is wrong with it.
    pub configuration: &'a Result<LoadedConfig, ConfigFaults>,
    /// Never empty, none twice.
    pub platforms: &'a [PlatformKey],
    pub options: &'a BuildOptions,
    pub asked_once: &'a AskedOnce,
    /// Wheels that are installed beside those of the lock, last, and not locked themselves. Their imports are not checked.
    pub extra: &'a [WheelBlob],
    /// For whitelist entries that expire.
    pub today: Date,
}

/// More would only share the same processors and disk.
const PLATFORMS_AT_ONCE: usize = 3;

/// How it went for one platform.
pub type PlatformOutcome = (PlatformKey, Result<BuildReport, Box<dyn Fault>>);

impl BuildRun<'_> {
    /// Calls `on_plans` with what will be done before anything is downloaded, and `on_cell` for each platform when it
    /// is done.
    pub fn build(
        &self,
        on_plans: &dyn Fn(&[PlatformPreparation]),
        on_cell: &mut dyn FnMut(PlatformOutcome),
    ) -> Result<(), Box<dyn Fault>> {
        let Self { repository, version, platforms, options, .. } = *self;
        let warnings = BuildWarnings::default();
        let context = &warnings.listen(self.context);
        let names: Vec<&str> = platforms.iter().map(|platform| platform.as_str()).collect();
        context.tell(Event::Begun { title: format!("{version} for {}", names.join(", ")) });
        if !options.dry_run {
            let prefixes = repository.root().join(version.folder_name()).join("pydist");
            output_folders::check(&[&options.out, &prefixes])?;
            archive::sweep_artifacts(&options.out);
        }
        let mut steps = TimedSteps::default();
        let loaded = steps.run(context, "read the configuration", || {
            let loaded = self.configuration.clone()?;
            prepare::tell_of(context, &loaded, platforms);
            Ok::<_, ConfigFaults>(loaded)
        })?;
        let report = |platform, ending, steps: TimedSteps| BuildReport {
            runtime: version.clone(),
            platform,
            ending,
            steps: steps.taken().to_vec(),
        };
        if options.test_run {
            for platform in platforms {
                let made = test_run::run(context, repository, version, *platform, options);
                let ending = made.map(|(prefix, artifact)| BuildEnding::TestRun { prefix, artifact });
                on_cell((*platform, ending.map(|ending| report(*platform, ending, TimedSteps::default()))));
            }
            return Ok(());
        }
        let prepared = prepare::prepare(context, repository, loaded, platforms, options, self.asked_once, &mut steps);
        let mut preparations = prepared.map_err(|fault| first_cause(context, fault))?;
        on_plans(&preparations);
        if !options.dry_run {
            disk_space::check(context, repository.root(), &options.out, &options.formats, &preparations)?;
        }
        if options.strict {
            // What keeps a platform from being built says more.
            for preparation in preparations.iter_mut().filter(|it| it.ready.is_ok()) {
                if let Err(refused) = warnings.refuse() {
                    preparation.ready = Err(refused.into());
                }
            }
        }
        if let [_] = platforms {
            for preparation in preparations {
                on_cell(self.cell(self.context, preparation, &mut steps));
            }
            return Ok(());
        }
        self.build_several(preparations, on_cell);
        Ok(())
    }

    /// A few at once: while one waits for its disk or its import check, another compresses. They are reported in order.
    fn build_several(&self, preparations: Vec<PlatformPreparation>, on_cell: &mut dyn FnMut(PlatformOutcome)) {
        let workers = self.context.jobs.clamp(1, PLATFORMS_AT_ONCE).min(preparations.len());
        let queue = Mutex::new(preparations.into_iter().enumerate());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let (sender, finished) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let sender = sender.clone();
                scope.spawn(move || {
                    while let Some((index, preparation)) = next() {
                        if self.context.is_cancelled() {
                            break;
                        }
                        let context = self.context.of(preparation.platform);
                        let cell = self.cell(&context, preparation, &mut TimedSteps::default());
                        if sender.send((index, cell)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut waiting: BTreeMap<usize, PlatformOutcome> = BTreeMap::new();
            let mut told = 0;
            for (index, cell) in finished {
                waiting.insert(index, cell);
                while let Some(cell) = waiting.remove(&told) {
                    on_cell(cell);
                    told += 1;
                }
            }
            // In an interrupted run, those behind a platform that was not begun.
            waiting.into_values().for_each(on_cell);
        });
    }

    fn cell(&self, context: &Context, preparation: PlatformPreparation, steps: &mut TimedSteps) -> PlatformOutcome {
        let Self { version, options, .. } = *self;
        let PlatformPreparation { platform, plan, ready } = preparation;
        let ending = ready.and_then(|prepared| {
            if options.dry_run {
                return Ok(BuildEnding::Planned { whole: plan.is_some_and(|plan| plan.is_whole()) });
            }
            self.build_one(context, &prepared, steps)
        });
        let report = |ending| BuildReport { runtime: version.clone(), platform, ending, steps: steps.taken().to_vec() };
        (platform, ending.map(report).map_err(|fault| first_cause(context, fault)))
    }

    /// One runtime for one platform, from what was prepared to its artifact.
    fn build_one(
        &self,
        context: &Context,
        prepared: &PreparedPlatform,
        steps: &mut TimedSteps,
    ) -> Result<BuildEnding, Box<dyn Fault>> {
        let Self { repository, options, extra, today, .. } = *self;
        let warnings = BuildWarnings::default();
        let context = &warnings.listen(context);
        let platform = prepared.request.target.platform;
        // Looked for first: its absence should not be noticed after long work.
        let emulator = if options.emulate { emulator::for_build(context, repository.root(), platform)? } else { None };
        let tree = match &prepared.tree {
            Some(tree) => tree.clone(),
            None => steps.run(context, "prepare the interpreter", || interpreter::provide(context, &prepared.base))?,
        };
        if !prepared.is_foreign() {
            prepared.host.is(&tree);
        }
        let whitelist = Whitelist::read(&Whitelist::path(repository.root(), platform))?.with_shipped(platform);
        let copies = copy_operations(&prepared.config, platform);
        let inputs = self.key_inputs(prepared, emulator.as_ref());
        let key = build_key(&inputs, tree.identity)?;
        let folder = prepared.folder.join("pydist");
        let prefix = PrefixFolder::hold(context, &folder, platform)?;
        let packing = packing(context, options, platform);
        match up_to_date::look(&prefix, prepared, &packing, key, options) {
            FormerProduct::UpToDate(product) => {
                warnings::repeat(context, &product.manifest.warnings);
                return Ok(BuildEnding::UpToDate(product));
            }
            FormerProduct::Changed(what) => context.note(format!("{what}; building it again")),
            FormerProduct::Other => {}
        }

        let machine = folders_of_this_machine(context, repository);
        let settled_key = settled::key(context, options, &inputs, &tree, &machine, today)?;
        if let Some(settled) = settled_key.and_then(|key| SettledRuntime::recall(context, &key)) {
            let scrutiny = options.scrutiny;
            let (tree, copies, prefix, machine, packing) = (&tree, &copies, &prefix, &machine, &packing);
            let build = AddedBuild { prepared, tree, extra, copies, prefix, machine, packing, scrutiny, key };
            if let Some(product) = build.product(context, &settled, &warnings, steps)? {
                return Ok(BuildEnding::Built(Box::new(product)));
            }
        }

        let tree = interpreter::mend(context, &prepared.base, tree, options.scrutiny)?;
        interpreter::offer(context, &tree);
        let mut gathering = gather::gather(context, repository.root(), prepared, &tree, options, steps)?;
        gathering.wheels.extend(gather::extra_wheels(context, extra, options.scrutiny)?);
        give_uv(context, prepared);
        remote_outcome(context)?;
        let launchers = for_target::launchers(context, prepared, &tree, &gathering.wheels)?;
        let ahead = PackedAhead::begin(context, key, &packing);
        let staging = prefix.stage()?;
        let pieces = PrefixPieces {
            tree: &tree,
            wheels: &gathering.wheels,
            sources: &gathering.sources,
            copies: &copies,
            package_folder: &prepared.folder,
            layout: prepared.config.layout,
            launchers: launchers.as_ref(),
        };
        let assembled = assemble::assemble(context, &pieces, staging, steps)?;
        for_target::look_at_names(context, &assembled, tree.layout.platform)?;
        let subject = CheckedSubject {
            prepared,
            pieces: &pieces,
            assembled: &assembled,
            staging,
            prefix: &prefix,
            whitelist: &whitelist,
            machine: &machine,
            strict: options.strict,
            emulator: emulator.as_ref(),
            today,
        };
        let manifest_with =
            |findings: &CheckFindings| parts::manifest(prepared, &tree, &gathering, &assembled, findings, key);
        let (artifacts, tree_table) = std::thread::scope(|scope| {
            let beside = (ahead.is_none() && subject.imports()).then(|| {
                scope.spawn(|| {
                    let mut manifest = manifest_with(&CheckFindings::default());
                    let parts = parts::parts(context, staging, &tree, &gathering, &assembled, &mut manifest);
                    // The last one is the manifest, which tells what the checks find.
                    let Some((_, parts)) = parts.as_ref().ok().and_then(|parts| parts.split_last()) else { return };
                    artifacts::pack_beside(context, parts, &packing);
                })
            });
            let findings = subject.findings(context, steps)?;
            if options.strict {
                warnings.refuse()?;
            }
            let mut manifest = manifest_with(&findings);
            manifest.warnings = warnings.of_runtime();
            steps.run(context, "pack", || -> Result<_, Box<dyn Fault>> {
                if let Some(Err(panic)) = beside.map(std::thread::ScopedJoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                let parts = parts::parts(context, staging, &tree, &gathering, &assembled, &mut manifest)?;
                parts::write_inner_manifest(staging, &manifest)?;
                let table = parts::tree_table(staging, &parts)?;
                let from_wheels =
                    &|parts: &[archive::PartSource]| parts::parts_from_wheels(parts, &gathering.wheels, &assembled);
                let parts = ArtifactParts { parts, from_wheels };
                let packed = artifacts::pack(context, &parts, &manifest, &packing, ahead)?;
                if let Some(key) = settled_key {
                    let (parts, asked) = (&parts.parts, &findings.asked);
                    let settled = SettledRuntime::of(parts, &gathering, &assembled, &packed.manifest, asked, &tree);
                    settled.into_iter().for_each(|settled| settled.remember(context, &key));
                }
                Ok((packed, table))
            })
        })?;
        remote_outcome(context)?;
        prefix.record_build(key, tree_table, &artifacts.paths)?;
        prefix.publish()?;
        let product = BuildProduct {
            prefix: prefix.target().to_owned(),
            artifacts: artifacts.paths,
            manifest: artifacts.manifest,
        };
        Ok(BuildEnding::Built(Box::new(product)))
    }

    fn key_inputs<'k>(&'k self, prepared: &'k PreparedPlatform, emulator: Option<&'k Emulator>) -> KeyInputs<'k> {
        KeyInputs {
            config: &prepared.config,
            request: &prepared.request,
            lock: prepared.lock_digest,
            extra: self.extra.iter().map(|wheel| wheel.sha256).collect(),
            left_out: &prepared.rows.left_out,
            repository: self.repository.root(),
            source_date_epoch: self.options.source_date_epoch,
            strict: self.options.strict,
            emulator: emulator.map(|emulator| emulator.label.as_str()),
        }
    }
}

/// With `--strict`, what went wrong with the remote store.
fn remote_outcome(context: &Context) -> Result<(), Box<dyn Fault>> {
    context.remote.as_deref().map_or(Ok(()), RemoteStore::outcome)
}

/// With `--strict`, what went wrong with the remote store, if it did, in place of what that led to: without it the build
/// looked elsewhere.
fn first_cause(context: &Context, fault: Box<dyn Fault>) -> Box<dyn Fault> {
    if fault.exit() == Exit::Interrupted {
        return fault;
    }
    match remote_outcome(context) {
        Ok(()) => fault,
        Err(remote) => {
            context.note(format!("without the remote store: {fault}"));
            remote
        }
    }
}

fn packing(context: &Context, options: &BuildOptions, platform: PlatformKey) -> Packing {
    Packing {
        out: options.out.clone(),
        formats: options.formats.clone(),
        level: options.level,
        mtime: options.source_date_epoch,
        platform,
        jobs: context.jobs,
    }
}

fn folders_of_this_machine(context: &Context, repository: &Repository) -> Vec<PathBuf> {
    let mut folders = vec![repository.root().to_owned(), context.store.root().to_owned()];
    for variable in ["HOME", "USERPROFILE"] {
        // `/root` or `/` would be found in innocent files.
        folders.extend(context.environment.path(variable).map(Path::to_owned).filter(|it| it.components().count() > 2));
    }
    folders
}
