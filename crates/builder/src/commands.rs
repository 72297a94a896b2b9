//! What each subcommand does, over the library.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cli::Printer;
use config_merger::{BuildSettings, Config, LoadOptions, Repository};
use pipeline::asked_once::AskedOnce;
use pipeline::build::{BuildEnding, BuildReport, BuildRun, PlatformOutcome};
use pipeline::options::BuildOptions;
use pipeline::prepare::PlatformPreparation;
use resolve::MissingRule;
use serde_json::json;
use store::Context;
use store::download::{DownloadSettings, Downloader, UserIndex};
use store::export::Import;
use store::remote::{RemoteSettings, RemoteStore};
use store::{self, Scrutiny, Store};
use vocab::{ArtifactFormat, Event, Exit, Fault, PlatformKey, VersionString};
use vocab::{Environment, Work};

use crate::arguments::{BuildArguments, BuilderArguments, BuilderCommand, SourceArguments};
use crate::asked_platforms::AskedPlatforms;
use crate::download_arguments::DownloadArguments;
use crate::endings::{Ended, combined};
use crate::run_tables::{self, PlansShown};
use crate::session::{BuilderSession, UsageError, store_root};
use crate::{build_log, export_commands, job_bake_commands, remote_store, store_commands, survey_commands};

/// Runs the chosen subcommand. Gives the exit code; an error is printed by `cli`.
pub fn run(
    arguments: &BuilderArguments,
    environment: &Environment,
    printer: &Arc<Printer>,
    cancelled: &Arc<AtomicBool>,
) -> Result<Exit, Box<dyn Fault>> {
    let global = &arguments.global;
    if let Some(BuilderCommand::Store(command)) = &arguments.command {
        return store_commands::run(store_root(global, environment)?, command, global, environment, printer, cancelled);
    }
    if let Some(BuilderCommand::Job(command)) = &arguments.command {
        return job_bake_commands::run(command, global, environment, printer, cancelled);
    }
    let repository = match &global.repository {
        // Programs of the prefixes in it are started from other folders.
        Some(root) => Repository::named(std::path::absolute(root).unwrap_or_else(|_| root.clone()))?,
        None => Repository::find(&std::env::current_dir().unwrap_or_default())?,
    };
    if !matches!(arguments.command, Some(BuilderCommand::Clean { .. } | BuilderCommand::Diff(_))) {
        store::download::check_settings(environment)?;
    }
    let session = BuilderSession { environment, printer, cancelled, global, repository };
    match &arguments.command {
        None => session.build(&arguments.build, false),
        Some(BuilderCommand::Plan(plan)) => session.build(&plan.into(), false),
        Some(BuilderCommand::Lock(lock)) => session.build(&lock.into(), true),
        Some(BuilderCommand::Check(arguments)) => survey_commands::check(&session, arguments),
        Some(BuilderCommand::Matrix(arguments)) => survey_commands::matrix(&session, arguments),
        Some(BuilderCommand::Outdated(arguments)) => survey_commands::outdated(&session, arguments),
        Some(BuilderCommand::Diff(arguments)) => survey_commands::diff(&session, arguments),
        Some(BuilderCommand::New { version, from }) => session.new_version(version, from.as_deref()),
        Some(BuilderCommand::Clean { versions, store }) => session.clean(versions, *store),
        Some(BuilderCommand::Export(arguments)) => export_commands::export(&session, arguments),
        Some(BuilderCommand::Store(_) | BuilderCommand::Job(_)) => {
            unreachable!("they need no repository and were done above")
        }
    }
}

impl BuilderSession<'_> {
    fn build(&self, arguments: &BuildArguments, refresh: bool) -> Result<Exit, Box<dyn Fault>> {
        let versions = self.versions(&arguments.selection.versions)?;
        let asked = AskedPlatforms::parse(&arguments.selection.platform)?;
        let agreement = npm_packages::Agreement::read(self.repository.root())?;
        let options = BuildOptions { sole_platforms: asked.are_all(), ..self.options(arguments, refresh)? };
        let load = LoadOptions { strict: options.strict, lenient: options.lenient_config };
        let configurations: Vec<_> =
            versions.iter().map(|version| config_merger::load(&self.repository, version, &load)).collect();
        let loaded = configurations.iter().flatten();
        let asked_once = AskedOnce::default();
        let downloader =
            Downloader::new(self.download_settings(&arguments.sources.downloads, loaded.map(|loaded| &loaded.config)));
        let store = Store::open_or_read(store_root(self.global, self.environment)?, temporary(self.environment))?;
        if store.is_read_only() {
            let text = format!("the store `{}` cannot be written: what it has is used", store.root().display());
            self.printer.tell(Event::Note { text });
        }
        let export = export_commands::serving(self, &arguments.sources, &configurations, &asked, &store)?;
        let remote = match &export {
            Some(_) => None,
            None => self.open_remote(&arguments.sources, &downloader)?.map(Arc::new),
        };
        let mut endings: Vec<Ended> = Vec::new();
        let mut told: BTreeSet<String> = BTreeSet::new();
        for (version, configuration) in versions.iter().zip(&configurations) {
            let made_for = npm_packages::platforms_of(self.repository.root(), version);
            let platforms = match made_for.and_then(|made_for| agreement.require(version).map(|()| made_for)) {
                Ok(made_for) => {
                    let platforms = asked.of(&made_for);
                    self.warn_of_others(version, &platforms, &made_for);
                    platforms
                }
                Err(faults) => {
                    self.printer.fault(&faults);
                    endings.push(Ended { name: version.to_string(), exit: faults.exit(), elsewhere: false });
                    continue;
                }
            };
            // A version that does not load is reported when its build begins.
            let build = configuration.as_ref().map(|loaded| loaded.config.build.clone()).unwrap_or_default();
            let mut context = self.context(&store, &downloader, arguments.sources.offline, &build);
            context.remote = export.as_ref().map(|it| Arc::new(it.remote(version))).or_else(|| remote.clone());
            context.default_index = configuration.as_ref().ok().and_then(|it| it.config.registries.default.clone());
            if build.enable_logging {
                let folder = self.repository.root().join(version.folder_name());
                context = build_log::logged(context, &folder, &platforms);
            }
            let run = BuildRun {
                context: &context,
                repository: &self.repository,
                version,
                configuration,
                platforms: &platforms,
                options: &options,
                asked_once: &asked_once,
                extra: &[],
                today: jiff::Zoned::now().date(),
            };
            let on_plans = |preparations: &[PlatformPreparation]| self.show_plans(version, preparations, &options);
            let mut on_cell = |(platform, outcome): PlatformOutcome| {
                let name = format!("{version:<24} {platform:<16}");
                endings.push(match outcome {
                    Ok(report) => {
                        self.show(&report);
                        Ended { name, exit: report.exit(), elsewhere: false }
                    }
                    // A fault of one runtime does not stop the others.
                    Err(fault) => {
                        let elsewhere = fault.is_for_another_machine();
                        // A plan's table of several platforms has said so.
                        let in_table = elsewhere && options.dry_run && platforms.len() > 1 && !self.global.show.json;
                        // What several platforms lack is one error, and a line each in the closing table.
                        if !in_table && told.insert(vocab::with_causes(fault.as_ref())) {
                            self.printer.fault(fault.as_ref());
                        }
                        Ended { name, exit: fault.exit(), elsewhere }
                    }
                });
            };
            if let Err(fault) = run.build(&on_plans, &mut on_cell) {
                self.printer.fault(fault.as_ref());
                endings.push(Ended { name: version.to_string(), exit: fault.exit(), elsewhere: false });
            }
            if context.is_cancelled() {
                break;
            }
        }
        if endings.len() > 1 && !options.dry_run {
            for ended in &endings {
                self.printer.say(&ended.line());
            }
        }
        if refresh {
            // A lock is complete when all rows are resolved, whichever machine will build them.
            endings.retain(|ended| ended.exit != Exit::Partial && !ended.elsewhere);
        }
        Ok(combined(&endings))
    }

    pub(crate) fn warn_of_others(&self, version: &VersionString, platforms: &[PlatformKey], made_for: &[PlatformKey]) {
        for platform in platforms.iter().filter(|platform| !made_for.contains(platform)) {
            let text = format!("{version} is not made for {platform}: `roots` in its package.json do not name it");
            let root = npm_packages::root_of(*platform);
            let hint = format!("add `\"{platform}\": \"{root}\"` to `roots` if `--platform all` should include it");
            self.warn("W_ROOTS", text, Some(hint));
        }
    }

    fn show_plans(&self, version: &VersionString, preparations: &[PlatformPreparation], options: &BuildOptions) {
        if self.global.show.json {
            for plan in preparations.iter().filter_map(|it| it.plan.as_ref()) {
                self.printer.json("plan", plan);
            }
            return;
        }
        let Some(shown) = PlansShown::new(version, preparations) else { return };
        self.printer.say(&shown.heading);
        let text = shown.text(self.printer.settings().width);
        if options.dry_run {
            // Asked for by `plan` and `--dry-run`, so it is the data.
            self.printer.data(&text);
        } else {
            self.printer.say(&text);
        }
        self.printer.summarize(&shown.markdown());
    }

    fn show(&self, report: &BuildReport) {
        if self.global.show.json {
            match &report.ending {
                BuildEnding::Planned { .. } => {}
                BuildEnding::TestRun { prefix, artifact } => {
                    self.printer.json("test-run", &json!({ "prefix": prefix, "artifacts": [artifact] }));
                }
                BuildEnding::UpToDate(product) | BuildEnding::Built(product) => {
                    let built = matches!(report.ending, BuildEnding::Built(_));
                    let steps: Vec<_> = report
                        .steps
                        .iter()
                        .map(|(step, elapsed)| json!({ "step": step, "elapsed_ms": elapsed.as_millis() as u64 }))
                        .collect();
                    self.printer.json(
                        "product",
                        &json!({
                            "built": built,
                            "prefix": product.prefix,
                            "artifacts": product.artifacts,
                            "manifest": product.manifest,
                            "steps": steps,
                        }),
                    );
                }
            }
            return;
        }
        let ending = run_tables::ending(report);
        if !ending.is_empty() {
            self.printer.say(&ending);
            self.printer.summarize(&cli::markdown::fenced(&ending));
        }
        match &report.ending {
            BuildEnding::Planned { .. } => {}
            BuildEnding::TestRun { prefix, .. } => self.printer.data(&prefix.display().to_string()),
            BuildEnding::UpToDate(product) | BuildEnding::Built(product) => {
                self.printer.data(&product.prefix.display().to_string());
            }
        }
    }

    fn new_version(&self, version: &str, from: Option<&str>) -> Result<Exit, Box<dyn Fault>> {
        let version: VersionString = version.parse().map_err(UsageError::Version)?;
        let from = from.map(|from| self.repository.version(from)).transpose()?;
        let stop = || self.cancelled.load(Ordering::Relaxed);
        let begun = survey::new_version::new_version(&self.repository, &version, from.as_ref(), &stop)?;
        for change in &begun.changes {
            self.printer.say(change);
        }
        if begun.changes.is_empty() {
            self.printer.say(&format!("{version} is already complete; nothing was changed"));
        }
        for note in &begun.notes {
            self.printer.tell(Event::Note { text: note.clone() });
        }
        self.printer.say(&format!("next: {}", begun.next.join("\n      ")));
        if self.global.show.json {
            self.printer.json("created", &json!({ "path": begun.folder, "changes": begun.changes }));
        } else {
            self.printer.data(&begun.folder.display().to_string());
        }
        Ok(Exit::Done)
    }

    fn clean(&self, versions: &[String], store: bool) -> Result<Exit, Box<dyn Fault>> {
        let versions = self.versions(versions)?;
        let root = store.then(|| store_root(self.global, self.environment)).transpose()?;
        if let Some(root) = &root {
            // Refused before anything is removed.
            Store::existing(root.clone())?;
        }
        let mut removed = pipeline::clean::clean(&self.repository, &versions, &self.out(None))?;
        if let Some(root) = root
            && Store::empty(&root)?
        {
            removed.push(root);
        }
        for path in &removed {
            self.tell_path("removed", path);
        }
        Ok(Exit::Done)
    }

    /// One path as the result of a command.
    fn tell_path(&self, kind: &str, path: &Path) {
        if self.global.show.json {
            self.printer.json(kind, &json!({ "path": path }));
        } else {
            self.printer.data(&path.display().to_string());
        }
    }

    /// All versions for no text or `all`; else each text, checked against the existing folders.
    pub fn versions(&self, texts: &[String]) -> Result<Vec<VersionString>, Box<dyn Fault>> {
        if texts.is_empty() || texts == ["all"] {
            let all = self.repository.versions();
            return if all.is_empty() { Err(UsageError::NoVersions.into()) } else { Ok(all) };
        }
        let mut versions = Vec::new();
        for text in texts {
            let version = self.repository.version(text)?;
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        Ok(versions)
    }

    pub(crate) fn options(&self, arguments: &BuildArguments, refresh: bool) -> Result<BuildOptions, UsageError> {
        let in_ci = self.environment.is_ci();
        Ok(BuildOptions {
            dry_run: arguments.dry_run,
            locked: arguments.locked,
            refresh,
            sole_platforms: false,
            allow_stand_in: arguments.sources.allow_stand_in || !(arguments.sources.exact || arguments.locked || in_ci),
            strict: arguments.sources.strict,
            missing: match (arguments.sources.allow_missing, arguments.sources.fail_on_missing) {
                (true, _) => MissingRule::Allow,
                (_, true) => MissingRule::Refuse,
                _ => MissingRule::Policy,
            },
            no_build: arguments.sources.no_build,
            emulate: arguments.emulate,
            lenient_config: arguments.sources.lenient_config,
            scrutiny: if arguments.locked || in_ci { Scrutiny::Digests } else { Scrutiny::Glance },
            out: self.out(arguments.out.clone()),
            artifacts_only: false,
            formats: formats(&arguments.format),
            level: arguments.level,
            source_date_epoch: self.source_date_epoch()?,
            python_mirror: arguments.sources.python_mirror.clone(),
            for_host: None,
            // The former build scripts know this one word; any other value is a normal build.
            test_run: self.environment.text("TEST_RUN") == Some("true"),
        })
    }

    /// Seconds since 1970, for every entry of an artifact.
    pub fn source_date_epoch(&self) -> Result<u64, vocab::EpochError> {
        Ok(self.environment.source_date_epoch()?.unwrap_or(archive::DEFAULT_MTIME))
    }

    /// Context for commands that build nothing.
    pub fn survey_context(
        &self,
        versions: &[VersionString],
        downloads: &DownloadArguments,
        offline: bool,
    ) -> Result<Context, Box<dyn Fault>> {
        let root = store_root(self.global, self.environment)?;
        // Offline the store is not even made.
        let store = if offline { Store::existing(root)? } else { Store::open(root)? };
        let first = versions.first().ok_or(UsageError::NoVersions)?;
        let load = |version| config_merger::load(&self.repository, version, &LoadOptions::default());
        // A version that does not load is reported when it is checked.
        let loaded: Vec<_> = versions.iter().filter_map(|version| load(version).ok()).collect();
        let downloader = Downloader::new(self.download_settings(downloads, loaded.iter().map(|loaded| &loaded.config)));
        let build = loaded.iter().find(|loaded| loaded.config.version == *first).map(|loaded| &loaded.config.build);
        Ok(self.context(&store, &downloader, offline, &build.cloned().unwrap_or_default()))
    }

    /// Reports a warning of the command itself.
    pub fn warn(&self, code: &'static str, text: String, hint: Option<String>) {
        self.printer.tell(Event::Warning { code, text, place: None, hint });
    }

    fn out(&self, given: Option<PathBuf>) -> PathBuf {
        given.unwrap_or_else(|| self.repository.root().join("dist"))
    }

    /// The export that is built from, if there is one, with the option or variable that names it.
    pub(crate) fn open_import(
        &self,
        sources: &SourceArguments,
    ) -> Result<Option<(Import, &'static str)>, Box<dyn Fault>> {
        let variable = "PYDIST_FROM";
        let in_variable = || self.environment.path(variable).map(|path| (path, variable));
        let Some((dir, given)) = sources.from.as_deref().map(|path| (path, "--from")).or_else(in_variable) else {
            return Ok(None);
        };
        // Programs of the build are started from other folders.
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        Ok(Some((Import::open(&dir)?, given)))
    }

    /// The remote store that is asked for, if there is one.
    pub(crate) fn open_remote(
        &self,
        sources: &SourceArguments,
        downloader: &Downloader,
    ) -> Result<Option<RemoteStore>, Box<dyn Fault>> {
        let Some((address, given)) = remote_store::asked(sources.remote_store.as_deref(), self.environment) else {
            return Ok(None);
        };
        let settings = RemoteSettings {
            address: address.to_owned(),
            given,
            read_only: remote_store::is_read_only(self.environment)? || sources.remote_store_read_only,
            strict: sources.strict,
        };
        store::export::refuse_as_remote_store(&settings)?;
        let used_offline = remote_store::is_used_offline(self.environment)? || sources.remote_store_offline;
        let folders_only = sources.offline && !used_offline;
        let remote = store::remote::open(&settings, self.environment, downloader, folders_only)?;
        if remote.is_none() {
            let text =
                "offline: the remote store is not used, because it is not a folder; --remote-store-offline uses it";
            let text = text.to_owned();
            self.printer.tell(Event::Note { text });
        }
        Ok(remote)
    }

    /// With the indexes of the configurations, for which credentials are looked for the user's own.
    pub(crate) fn download_settings<'c>(
        &self,
        given: &DownloadArguments,
        configurations: impl Iterator<Item = &'c Config>,
    ) -> DownloadSettings {
        let mut settings = DownloadSettings::of(self.environment);
        settings.programs_cancelled = Arc::clone(self.cancelled);
        settings.pace.lowest = given.min_rate.unwrap_or(settings.pace.lowest);
        settings.largest = given.max_download.unwrap_or(settings.largest);
        for registries in configurations.map(|config| &config.registries) {
            let urls = registries.default.iter().chain(&registries.additional);
            settings.indexes.extend(urls.filter_map(|url| UserIndex::of_url(url)));
        }
        settings
    }

    pub(crate) fn context(
        &self,
        store: &Store,
        downloader: &Downloader,
        offline: bool,
        build: &BuildSettings,
    ) -> Context {
        let printer = Arc::clone(self.printer);
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Context {
            store: store.clone(),
            downloader: downloader.clone(),
            remote: None,
            default_index: None,
            work: Work {
                environment: self.environment.clone(),
                jobs: self.global.jobs.map_or(processors, usize::from),
                offline,
                timeout: (build.timeout > 0).then(|| Duration::from_secs(build.timeout)),
                cancelled: Arc::clone(self.cancelled),
                listener: Arc::new(move |event| printer.tell(event)),
            },
        }
    }
}

/// Each once, in the order asked for.
fn formats(asked: &[ArtifactFormat]) -> Vec<ArtifactFormat> {
    let mut formats = Vec::new();
    for format in asked {
        if !formats.contains(format) {
            formats.push(*format);
        }
    }
    if formats.is_empty() { vec![ArtifactFormat::default()] } else { formats }
}

/// The system's folder for temporary files.
fn temporary(environment: &Environment) -> PathBuf {
    let named = ["TMPDIR", "TEMP", "TMP"].iter().find_map(|name| environment.path(name));
    named.map_or_else(|| PathBuf::from(if cfg!(windows) { r"C:\Windows\Temp" } else { "/tmp" }), Path::to_owned)
}
