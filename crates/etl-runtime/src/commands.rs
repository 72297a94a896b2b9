//! What each subcommand does, over the library.

use etl_runtime::delta::{self, DeltaPlace};
use etl_runtime::runtime_facts::RuntimeAnswer;
use etl_runtime::{Facts, Plan, Settings, install, launch, plan};
use process::Companion;
use serde_json::json;
use vocab::{Exit, Fault};

use crate::arguments::{EtlArguments, EtlCommand, RunArguments};
use crate::bake_commands::BakeRequest;
use crate::surroundings::{EtlOutcome, Surroundings};

/// Runs one command.
pub fn run(arguments: &EtlArguments, surroundings: &Surroundings) -> EtlOutcome {
    match &arguments.command {
        None => serve(&arguments.run, surroundings, arguments.show.json),
        Some(EtlCommand::Run { run }) => serve(run, surroundings, arguments.show.json),
        Some(EtlCommand::Bake { packages, to, python, without_byte_code }) => {
            let request = BakeRequest { packages, to, python: python.as_deref(), byte_code: !without_byte_code };
            crate::bake_commands::bake(&request, surroundings, arguments.show.json)
        }
        Some(EtlCommand::Image(image)) => crate::bake_commands::image(image, surroundings, arguments.show.json),
        Some(EtlCommand::Module { to }) => {
            let path = launch::write_module(&surroundings.folder.join(to), launch::CLIENT_MODULE)?;
            surroundings.printer.say(&format!("wrote `{}`", path.display()));
            Ok(Exit::Done)
        }
    }
}

fn serve(arguments: &RunArguments, surroundings: &Surroundings, as_json: bool) -> EtlOutcome {
    let mut settings = Settings::read(&surroundings.environment)?;
    if let Some(port) = arguments.port {
        settings.port = port;
    }
    let mut facts = Facts::gather(
        &surroundings.environment,
        arguments.python.as_deref(),
        surroundings.program.as_deref(),
        arguments.work.as_deref(),
        &surroundings.folder,
    )?;
    // What serves is imported while a delta, or an index, is asked.
    let ahead = plan::plan(&settings, &facts)?;
    let begun = if arguments.dry_run { None } else { launch::begin_ahead(&ahead, &facts, &surroundings.work()) };
    facts.delta = found_delta(&settings, &facts, surroundings)?;
    let plan = plan::plan(&settings, &facts)?;
    let printer = &surroundings.printer;
    if arguments.dry_run {
        if as_json {
            printer.json("plan", &json!(plan));
        } else {
            printer.data(&(plan.lines().join("\n") + "\n"));
        }
        return Ok(Exit::Done);
    }
    for step in &plan.packages {
        printer.say(&step.line());
    }
    perform(&plan, begun, &settings, &facts, surroundings)
}

/// What was baked for the packages. Nothing is asked for if the runtime has them all.
fn found_delta(
    settings: &Settings,
    facts: &Facts,
    surroundings: &Surroundings,
) -> Result<Option<delta::FoundDelta>, Box<dyn Fault>> {
    let runtime = &facts.runtime;
    let lacks =
        |requirement| matches!(runtime.answer(requirement), RuntimeAnswer::Missing | RuntimeAnswer::OtherVersion(_));
    let Some(address) = settings.delta.as_ref().filter(|_| settings.packages.iter().any(lacks)) else {
        return Ok(None);
    };
    let context = surroundings.pod_context(&facts.work)?;
    let place = DeltaPlace::open(address, "ETL_DELTA", context)?;
    let found = delta::find(&place, settings.delta_sha256, &settings.packages, runtime, context)?;
    if found.is_none() {
        context.note("ETL_DELTA: nothing was baked there for these packages, so the index is asked");
    }
    Ok(found)
}

/// Installs, then becomes the server.
fn perform(
    plan: &Plan,
    begun: Option<Companion>,
    settings: &Settings,
    facts: &Facts,
    surroundings: &Surroundings,
) -> EtlOutcome {
    let (work, runtime, folder) = (surroundings.work(), &facts.runtime, facts.work.as_path());
    if let Some(step) = &plan.os_packages {
        install::os_packages(step, &work, &surroundings.folder)?;
    }
    if let Some(overlay) = plan.overlay.as_deref().filter(|overlay| !overlay.is_dir()) {
        let context = surroundings.pod_context(folder)?;
        match (&plan.delta, &settings.delta) {
            (Some(step), Some(address)) => {
                let place = DeltaPlace::open(address, "ETL_DELTA", context)?;
                delta::install(&place, &step.files, overlay, runtime, context, surroundings.warm_store())?;
            }
            _ => install::packages(&settings.packages, overlay, runtime, context, surroundings.warm_store())?,
        }
    }
    if work.is_cancelled() {
        return Ok(Exit::Interrupted);
    }
    surroundings.printer.close();
    match launch::launch(plan, folder, begun, &work)? {}
}
