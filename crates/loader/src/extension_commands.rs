//! What `pydist extension` does, over the library.

use std::io::BufReader;
use std::path::Path;

use cli::Table;
use extension::{DistributionMode, ExtensionWarning, Machine, archive_names};
use loader::distribution::{DistributionError, NoEngine};
use loader::{BuildRequest, BundleRequest, ExtensionHost};
use serde_json::json;
use vocab::{Exit, Fault};

use crate::extension_arguments::{ExtensionCommand, ExtensionOptions};
use crate::extension_text::{doctor_text, explanation, inspection, list_table};
use crate::serve::{ServeRequest, serve};
use crate::surroundings::Surroundings;
use crate::{extension_json, extension_upkeep, operator_commands};

/// Runs one command.
pub fn run(command: &ExtensionCommand, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    match command {
        ExtensionCommand::List { options } => list(&around.host(options)?, json, around),
        ExtensionCommand::Inspect { zip } => inspect(zip, json, around),
        ExtensionCommand::Resolve { id, explain, options } => {
            let host = around.host(options)?;
            resolve(&host, id, *explain, json, around)
        }
        ExtensionCommand::Prepare { id, options } => prepare(&around.host(options)?, id, json, around),
        ExtensionCommand::Verify { id, repair, options } => {
            let asked = extension_upkeep::Verify { ids: id, repair: *repair, json };
            extension_upkeep::verify(around.host(options)?, &asked, around, &around.work())
        }
        ExtensionCommand::Clean { dry_run, options } => {
            extension_upkeep::clean(&around.host(options)?, *dry_run, json, around)
        }
        ExtensionCommand::Bundle { folder, id, os, out } => {
            let os = os.as_deref().unwrap_or(Machine::host().os);
            let epoch = around.environment.source_date_epoch()?;
            extension_upkeep::bundle_packages(&BundleRequest { folder, id, os, out, epoch }, json, around)
        }
        ExtensionCommand::Doctor { options } => doctor(&around.host(options)?, json, around),
        ExtensionCommand::Build { folder, out, python, options } => {
            build(folder, out, python.as_deref(), options, json, around)
        }
        ExtensionCommand::Run(arguments) => {
            let host = around.host(&arguments.options)?;
            operator_commands::run(host, arguments, json, &around.printer, &around.work())
        }
        ExtensionCommand::Serve { stdio: _, options } => {
            serve_on_standard_streams(options, around)?;
            Ok(Exit::Done)
        }
        ExtensionCommand::Settings { options } => settings(options, json, around),
    }
}

fn serve_on_standard_streams(options: &ExtensionOptions, around: &Surroundings) -> Result<(), Box<dyn Fault>> {
    let request = ServeRequest {
        host: around.host(options)?,
        work: around.work(),
        rescan: &|| around.host(options),
        say: &|line| around.printer.document(&line.to_string()),
    };
    serve(request, BufReader::new(std::io::stdin()));
    Ok(())
}

fn list(host: &ExtensionHost, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let set = &host.set;
    if json {
        for extension in extension_json::extensions(host) {
            around.printer.json("extension", &extension);
        }
    } else if !(set.active.is_empty() && set.unavailable.is_empty()) {
        around.printer.data(&list_table(host).render(around.printer.settings().width));
    } else {
        around.say_no_extensions(host);
    }
    Ok(if set.unavailable.is_empty() { Exit::Done } else { Exit::Partial })
}

fn inspect(zip: &Path, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let extension = extension_json::inspected(zip)?;
    for ExtensionWarning { code, text, path } in &extension.warnings {
        around.warn(code, text.clone(), path);
    }
    if json {
        around.printer.json("extension", &extension);
    } else {
        around.printer.data(&inspection(&extension));
    }
    Ok(Exit::Done)
}

fn build(
    folder: &Path,
    out: &Path,
    python: Option<&Path>,
    options: &ExtensionOptions,
    json: bool,
    around: &Surroundings,
) -> Result<Exit, Box<dyn Fault>> {
    let work = around.work();
    let python = match python {
        Some(python) => std::path::absolute(python).unwrap_or_else(|_| python.to_owned()),
        None => {
            let host = around.host(options)?;
            let asked = host.find(&loader::asked_by_folder(folder)?)?;
            let resolved = host.resolve(&asked, &NoEngine)?;
            host.prepare(&asked, &resolved, &NoEngine, &work)?.python
        }
    };
    let epoch = around.environment.source_date_epoch()?;
    let built = loader::build(&work, &BuildRequest { folder, out, python: &python, epoch })?;
    if json {
        let operators: Vec<String> = built.operators.iter().map(|name| format!("{}:{name}", built.namespace)).collect();
        around.printer.json("built", &json!({ "path": built.path, "namespace": built.namespace, "version": built.version, "operators": operators }));
    } else {
        let count = built.operators.len();
        around.printer.say(&format!(
            "{} {}: {count} operators: {}",
            built.namespace,
            built.version,
            built.operators.join(", ")
        ));
        around.printer.data(&built.path.display().to_string());
    }
    Ok(Exit::Done)
}

fn resolve(
    host: &ExtensionHost,
    id: &str,
    explain: bool,
    json: bool,
    around: &Surroundings,
) -> Result<Exit, Box<dyn Fault>> {
    let asked = host.find(id)?;
    let (probe, decision) = host.resolve(&asked, &NoEngine)?;
    if json {
        around.printer.json("resolved", &extension_json::resolved(&asked, &probe, decision));
    } else if explain {
        around.printer.data(&explanation(&asked, &probe, decision));
    } else if let Ok(mode) = decision.outcome {
        around.printer.data(&crate::extension_text::mode_line(&probe, mode, asked.env_yml.as_deref()));
    }
    match decision.outcome {
        Ok(_) => Ok(Exit::Done),
        Err(lack) => Err(DistributionError::of_lack(&probe, lack).into()),
    }
}

/// All of them are tried; the first fault is that of the command.
fn prepare(host: &ExtensionHost, ids: &[String], json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let asked = match ids {
        [] => host.needs(),
        ids => ids.iter().map(|id| host.find(id)).collect::<Result<_, _>>()?,
    };
    let mut failed: Vec<Box<dyn Fault>> = Vec::new();
    if ids.is_empty() && asked.is_empty() && host.set.unavailable.is_empty() {
        around.say_no_extensions(host);
    }
    for asked in &asked {
        let resolved = match host.resolve(asked, &NoEngine) {
            Ok(resolved) => resolved,
            Err(clash) => {
                failed.push(clash.into());
                continue;
            }
        };
        match host.prepare(asked, &resolved, &NoEngine, &around.work()) {
            Ok(ready) if json => around.printer.json("ready", &ready),
            Ok(ready) => {
                let mode = mode_word(ready.mode);
                let line = format!("INFO: Python distribution {}: {mode} from {}", ready.id, ready.source.display());
                around.printer.say(&line);
                around.printer.data(&ready.folder.display().to_string());
            }
            Err(error) => failed.push(error.into()),
        }
    }
    // Nobody named them, and they were to be ready as well.
    let unavailable = if ids.is_empty() { &host.set.unavailable[..] } else { &[] };
    for error in unavailable {
        around.printer.fault(error);
    }
    let mut failed = failed.into_iter().rev();
    let Some(last) = failed.next_back() else {
        return Ok(if unavailable.is_empty() { Exit::Done } else { Exit::Partial });
    };
    for error in failed.rev() {
        around.printer.fault(&*error);
    }
    Err(last)
}

/// As log lines have it.
fn mode_word(mode: DistributionMode) -> &'static str {
    match mode {
        DistributionMode::CondaOnline => "CondaOnline",
        DistributionMode::CondaOffline => "CondaOffline",
        DistributionMode::Archive => "Archive",
        DistributionMode::Local => "Local",
        DistributionMode::Skipped => "Skipped",
    }
}

fn doctor(host: &ExtensionHost, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let mut is_well = host.set.unavailable.is_empty();
    if host.set.active.is_empty() && is_well {
        around.say_no_extensions(host);
    }
    for error in &host.set.unavailable {
        if json {
            around.printer.json("unavailable", &extension_json::unavailable(error, &error.path));
        } else {
            around.printer.fault(error);
        }
    }
    for asked in host.needs() {
        let (probe, decision) = host.resolve(&asked, &NoEngine)?;
        // Nothing is written here, so what would be installed counts as there.
        let needs_engine =
            matches!(decision.outcome, Ok(DistributionMode::CondaOnline | DistributionMode::CondaOffline));
        let is_there = decision.outcome.is_ok() && !needs_engine;
        is_well &= is_there;
        if json {
            let names: Vec<String> = archive_names(&asked.id, &host.machine)
                .into_iter()
                .filter(|name| !name.is_literal)
                .map(|name| host.settings.resources.value.join(name.file).display().to_string())
                .collect();
            let mut value = extension_json::resolved(&asked, &probe, decision);
            value["is_available"] = json!(is_there);
            value["would_do"] =
                json!({ "archives": names, "folder": host.settings.distributions.value.join(asked.id.folder_name()) });
            around.printer.json("distribution", &value);
        } else {
            around.printer.data(&doctor_text(host, &asked, &probe, decision, is_there));
        }
    }
    Ok(if is_well { Exit::Done } else { Exit::Partial })
}

fn settings(options: &ExtensionOptions, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let settings = around.settings(options)?;
    if json {
        for row in &settings.rows {
            around.printer.json("setting", row);
        }
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["setting", "value", "origin", "variable"]);
    for row in &settings.rows {
        table.row([row.key, &row.value, &row.origin.to_string(), row.variable]);
    }
    around.printer.data(&table.render(around.printer.settings().width));
    Ok(Exit::Done)
}
