//! What each subcommand does, over the library.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cli::{Printer, Process};
use etl_runtime::{Facts, Plan, RuntimeFacts, Settings, install, launch, plan};
use serde_json::json;
use store::download::Downloader;
use store::{Context, Store, StoreError};
use vocab::{Environment, Exit, Fault, Os, Work};

use crate::arguments::{EtlArguments, EtlCommand, RunArguments};

type EtlOutcome = Result<Exit, Box<dyn Fault>>;

/// What the process was started with.
pub struct Surroundings {
    printer: Arc<Printer>,
    environment: Environment,
    cancelled: Arc<AtomicBool>,
    /// This program's own file.
    program: Option<PathBuf>,
    /// The current one.
    folder: PathBuf,
}

impl Surroundings {
    /// As the frame of programs found them.
    pub fn of(process: &Process) -> Self {
        Self {
            printer: Arc::clone(&process.printer),
            environment: Environment::new(process.variables.clone()),
            cancelled: Arc::clone(&process.cancelled),
            program: std::env::current_exe().ok(),
            folder: std::env::current_dir().unwrap_or_default(),
        }
    }

    fn work(&self) -> Work {
        let printer = Arc::clone(&self.printer);
        Work {
            environment: self.environment.clone(),
            offline: false,
            cancelled: Arc::clone(&self.cancelled),
            listener: Arc::new(move |event| printer.tell(event)),
            ..Work::quiet()
        }
    }

    /// The store holds the installer, if that has to be set up. Where the user's own cannot be written, as in a
    /// container, it is below `folder`.
    fn context(&self, work: &Work, folder: &Path) -> Result<Context, StoreError> {
        let own = folder.join("store");
        let root = store::choose_root(None, &self.environment, Os::Linux).unwrap_or_else(|| own.clone());
        let store = Store::open(root).or_else(|_| Store::open(own))?;
        let downloader = Downloader::default();
        Ok(Context { store, downloader, remote: None, default_index: None, work: work.clone() })
    }
}

/// Runs one command.
pub fn run(arguments: &EtlArguments, surroundings: &Surroundings) -> EtlOutcome {
    match &arguments.command {
        None => serve(&arguments.run, surroundings, arguments.global.show.json),
        Some(EtlCommand::Run { run }) => serve(run, surroundings, arguments.global.show.json),
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
    let facts = Facts::gather(
        &surroundings.environment,
        arguments.python.as_deref(),
        surroundings.program.as_deref(),
        arguments.work.as_deref(),
        &surroundings.folder,
    )?;
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
    perform(&plan, &facts.runtime, &facts.work, surroundings)
}

/// Installs, then becomes the server.
fn perform(plan: &Plan, runtime: &RuntimeFacts, folder: &Path, surroundings: &Surroundings) -> EtlOutcome {
    let work = surroundings.work();
    if let Some(step) = &plan.os_packages {
        install::os_packages(step, &work, &surroundings.folder)?;
    }
    if plan.overlay.as_deref().is_some_and(|overlay| !overlay.is_dir()) {
        install::packages(plan, runtime, &surroundings.context(&work, folder)?)?;
    }
    if work.is_cancelled() {
        return Ok(Exit::Interrupted);
    }
    surroundings.printer.close();
    match launch::launch(plan, folder, &work)? {}
}
