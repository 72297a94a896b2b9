//! The `pydist` command; `cli` is its frame.

mod arguments;
mod commands;
mod extension_arguments;
mod extension_commands;
mod extension_json;
mod extension_text;
mod extension_upkeep;
mod list_available;
mod operator_commands;
mod operator_files;
mod serve;
mod source_choice;
mod source_commands;
mod source_options;
mod surroundings;
mod update_commands;
mod upkeep_commands;
mod verbs_arguments;
mod verbs_commands;

use std::process::ExitCode;

use std::sync::Arc;

use arguments::{LoaderArguments, LoaderCommand};
use cli::Process;
use surroundings::Surroundings;
use vocab::{Environment, Exit, Fault};

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &LoaderArguments, process| {
        run_command(&arguments.command, arguments.show.json, process)
    })
}

fn run_command(command: &LoaderCommand, json: bool, process: &Process) -> Result<Exit, Box<dyn Fault>> {
    let around = Surroundings {
        environment: Environment::new(process.variables.clone()),
        printer: Arc::clone(&process.printer),
        cancelled: Arc::clone(&process.cancelled),
    };
    match command {
        LoaderCommand::List(arguments) if arguments.available => {
            list_available::list_available(arguments, json, &around)
        }
        LoaderCommand::List(arguments) => verbs_commands::list(&arguments.home, json, &around),
        LoaderCommand::Which(which) => verbs_commands::which(which, json, &around),
        LoaderCommand::Default(default) => verbs_commands::default(default, json, &around),
        LoaderCommand::Run(run) => {
            process.leave_interrupts();
            process.end_as(verbs_commands::run(run, &around)?)
        }
        LoaderCommand::Verify(verify) => upkeep_commands::verify(verify, json, &around),
        LoaderCommand::Repair(repair) => upkeep_commands::repair(repair, json, &around),
        LoaderCommand::Remove(remove) => upkeep_commands::remove(remove, json, &around),
        LoaderCommand::Prune(prune) => upkeep_commands::prune(prune, json, &around),
        LoaderCommand::Extension(command) => extension_commands::run(command, json, &around),
        LoaderCommand::Update(update) => {
            let variable = |name: &str| process.variable(name);
            update_commands::run(update, json, &variable, &process.printer, &process.cancelled)
        }
        LoaderCommand::Source(source) => {
            source_commands::run(source, json, &|name| process.variable(name), &process.printer)
        }
        LoaderCommand::Get(get) => {
            commands::run(get, json, &|name| process.variable(name), &process.printer, &process.cancelled)
        }
    }
}
