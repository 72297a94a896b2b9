//! `builder export`, and what a build checks before it takes anything from an export.

use std::path::Path;
use std::sync::Arc;

use cli::Table;
use config_merger::{ConfigFaults, LoadOptions, LoadedConfig};
use export::{Export, ListedFile, interpreters_of_hosts, list, wanted};
use pipeline::asked_once::AskedOnce;
use pipeline::options::BuildOptions;
use pipeline::prepare::{self, PreparedPlatform};
use pipeline::steps::TimedSteps;
use serde_json::json;
use store::download::Downloader;
use store::export::{FinishedExport, Growing, Import, Wanted};
use store::remote::RemoteStore;
use store::{Context, Store};
use vocab::{Exit, Fault, PlatformKey, VersionString};

use crate::arguments::{BuildArguments, ExportArguments, SourceArguments};
use crate::asked_platforms::AskedPlatforms;
use crate::endings::{Ended, combined};
use crate::session::{BuilderSession, UsageError, store_root};

/// An export that serves all that a command asks for.
pub struct ServingExport {
    import: Import,
    /// The option or variable that names it.
    given: &'static str,
    wanted: Vec<Wanted>,
    host: PlatformKey,
}

impl ServingExport {
    /// What one version takes from it.
    pub fn remote(&self, version: &VersionString) -> RemoteStore {
        let wanted = self.wanted.iter().filter(|it| it.version == *version);
        self.import.remote(self.given, wanted, self.host)
    }
}

/// The export that is built from, if there is one. Everything is checked before the first build, so that all that is
/// missing is said at once.
pub fn serving(
    session: &BuilderSession<'_>,
    sources: &SourceArguments,
    configurations: &[Result<LoadedConfig, ConfigFaults>],
    asked: &AskedPlatforms,
    store: &Store,
) -> Result<Option<ServingExport>, Box<dyn Fault>> {
    let Some((import, given)) = session.open_import(sources)? else { return Ok(None) };
    let host = PlatformKey::host().ok_or(UsageError::NoPlatform)?;
    let mut all = Vec::new();
    // A version whose package or configuration is wrong is reported when its build begins.
    for config in configurations.iter().flatten().map(|loaded| &loaded.config) {
        let Ok(made_for) = npm_packages::platforms_of(session.repository.root(), &config.version) else { continue };
        let platforms = asked.of(&made_for);
        all.extend(wanted(&session.repository, config, &platforms, host, session.environment)?);
    }
    import.require(&all, host, store)?;
    Ok(Some(ServingExport { import, given, wanted: all, host }))
}

/// Exports, or lists what an export would hold.
pub fn export(session: &BuilderSession<'_>, arguments: &ExportArguments) -> Result<Exit, Box<dyn Fault>> {
    let build = BuildArguments::from(arguments);
    let versions = session.versions(&arguments.selection.versions)?;
    let asked = AskedPlatforms::parse(&arguments.selection.platform)?;
    let hosts = AskedPlatforms::parse(&arguments.for_host)?.of(&PlatformKey::ALL);
    let options = BuildOptions { dry_run: arguments.list, ..session.options(&build, false)? };
    let load = LoadOptions { strict: options.strict, lenient: options.lenient_config };
    let configurations: Vec<_> =
        versions.iter().map(|version| config_merger::load(&session.repository, version, &load)).collect();
    let loaded = configurations.iter().flatten().map(|loaded| &loaded.config);
    let downloader = Downloader::new(session.download_settings(&arguments.sources.downloads, loaded));
    let store = Store::open(store_root(session.global, session.environment)?)?;
    let serving = serving(session, &arguments.sources, &configurations, &asked, &store)?;
    let remote = match &serving {
        Some(_) => None,
        None => session.open_remote(&arguments.sources, &downloader)?.map(Arc::new),
    };
    let asked_once = AskedOnce::default();
    let mut growing = match &arguments.to {
        Some(dir) => Some(open(session, dir)?),
        None => None,
    };
    let mut endings = Vec::new();
    let mut listed = std::collections::BTreeSet::new();
    let mut built = std::collections::BTreeSet::new();
    for (version, configuration) in versions.iter().zip(configurations) {
        let export_one = || -> Result<(), Box<dyn Fault>> {
            let made_for = npm_packages::platforms_of(session.repository.root(), version)?;
            let platforms = asked.of(&made_for);
            session.warn_of_others(version, &platforms, &made_for);
            let loaded = configuration?;
            let mut context = session.context(&store, &downloader, arguments.sources.offline, &loaded.config.build);
            context.remote = serving.as_ref().map(|it| Arc::new(it.remote(version))).or_else(|| remote.clone());
            let (repository, asked_once) = (&session.repository, &asked_once);
            let export = Export { context: &context, repository, options: &options, hosts: &hosts, asked_once };
            let Some(growing) = &mut growing else {
                let prepared = prepared(&export, loaded, &platforms)?;
                let others = interpreters_of_hosts(export.context, &prepared, &hosts)?;
                listed.extend(list(prepared.iter(), &others, &hosts));
                built.extend(prepared.iter().flat_map(built_from_source));
                return Ok(());
            };
            export.version(growing, loaded, &platforms, &mut |platform, exported| {
                let name = format!("{version:<24} {platform:<16}");
                let exit = match exported {
                    Ok(exported) => {
                        for text in &exported.not_for {
                            session.warn("W_EXPORT_HOST", text.clone(), None);
                        }
                        exported.exit()
                    }
                    Err(fault) => {
                        session.printer.fault(fault.as_ref());
                        fault.exit()
                    }
                };
                endings.push(Ended { name, exit, elsewhere: false });
            })
        };
        // What was exported before this one stays in the export.
        if let Err(fault) = export_one() {
            session.printer.fault(fault.as_ref());
            let exit = fault.exit();
            endings.push(Ended { name: version.to_string(), exit, elsewhere: false });
            if exit == Exit::Interrupted {
                break;
            }
        }
    }
    match growing {
        None => {
            print_list(session, &listed);
            if !built.is_empty() {
                let names: Vec<&str> = built.iter().map(String::as_str).collect();
                let text = format!("what {} requires to be built is not in the list", names.join(", "));
                let hint = "only a build tells; `export --to` brings what the builds here required";
                session.warn("W_EXPORT_REQUIREMENTS", text, Some(hint.to_owned()));
            }
        }
        Some(growing) => {
            let whole = finish(session, growing, &endings)?;
            if !whole && combined(&endings) == Exit::Done {
                return Ok(Exit::Partial);
            }
        }
    }
    Ok(combined(&endings))
}

/// `name version` of each distribution that is built on this machine.
fn built_from_source(prepared: &PreparedPlatform) -> Vec<String> {
    let rows = prepared.rows.distributions.iter().filter(|row| prepared.request.builds(row));
    rows.map(|row| format!("{} {}", row.name, row.version.as_deref().unwrap_or("(version unknown)"))).collect()
}

fn open(session: &BuilderSession<'_>, dir: &Path) -> Result<Growing, Box<dyn Fault>> {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let growing = Growing::open(&dir)?;
    if growing.restarted() {
        let text = "the export's manifest was damaged; it will list only what is exported now".to_owned();
        session.warn("W_EXPORT_RESTARTED", text, Some("export the other versions again, too".to_owned()));
    }
    Ok(growing)
}

fn prepared(
    export: &Export<'_>,
    loaded: config_merger::LoadedConfig,
    platforms: &[PlatformKey],
) -> Result<Vec<PreparedPlatform>, Box<dyn Fault>> {
    let context: &Context = export.context;
    let preparations = prepare::prepare(
        context,
        export.repository,
        loaded,
        platforms,
        export.options,
        export.asked_once,
        &mut TimedSteps::default(),
    )?;
    preparations.into_iter().map(|preparation| preparation.ready).collect()
}

/// False if runtimes of earlier exports are no longer in it.
fn finish(session: &BuilderSession<'_>, growing: Growing, endings: &[Ended]) -> Result<bool, Box<dyn Fault>> {
    let dir = growing.root().to_owned();
    if growing.is_empty() {
        return Ok(true);
    }
    let FinishedExport { manifest, lost, unlocked } = growing.finish(env!("CARGO_PKG_VERSION"))?;
    if unlocked {
        let text = "this file system has no locks: of two exports into this folder that end at once, one is lost";
        let hint = "export again if another export into it was running";
        session.warn("W_EXPORT_LOCK", text.to_owned(), Some(hint.to_owned()));
    }
    for runtime in &lost {
        let text = format!("{runtime}: files of an earlier export are missing, so it is no longer in the export");
        session.warn("W_EXPORT_LOST", text, Some("export it again into the same folder".to_owned()));
    }
    for ended in endings {
        session.printer.say(&ended.export_line());
    }
    let bytes: u64 = manifest.objects.values().map(|object| object.size).sum();
    session.printer.say(&format!(
        "in the export: runtimes {}, files {}, {}",
        manifest.runtimes.len(),
        manifest.objects.len(),
        cli::bytes(bytes)
    ));
    if session.global.show.json {
        session.printer.json("export", &json!({ "path": dir, "files": manifest.objects.len(), "bytes": bytes }));
    } else {
        session.printer.data(&dir.display().to_string());
    }
    Ok(lost.is_empty())
}

fn print_list(session: &BuilderSession<'_>, listed: &std::collections::BTreeSet<ListedFile>) {
    if session.global.show.json {
        session.printer.json("mirror", &json!({ "files": listed }));
        return;
    }
    let mut table = Table::new(["kind", "name", "version", "file", "SHA-256"]);
    for file in listed {
        let sha256 = file.sha256.map(|it| it.to_string()).unwrap_or_default();
        table.row([file.kind, &file.name, &file.version, &file.file, &sha256]);
    }
    session.printer.data(&table.render(None));
}
