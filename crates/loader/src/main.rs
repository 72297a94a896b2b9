//! The `pydist` command; `cli` is its frame.

mod arguments;
mod commands;
mod extension_arguments;
mod extension_commands;
mod extension_json;
mod extension_text;
mod operator_commands;
mod operator_files;
mod serve;

use std::process::ExitCode;

use std::sync::Arc;

use arguments::{LoaderArguments, LoaderCommand};
use extension_commands::Surroundings;
use vocab::Environment;

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &LoaderArguments, process| match &arguments.command {
        LoaderCommand::Get(get) => {
            let is_json = arguments.show.json;
            commands::run(get, is_json, &|name| process.variable(name), &process.printer, &process.cancelled)
        }
        LoaderCommand::Extension(command) => {
            let around = Surroundings {
                environment: Environment::new(process.variables.clone()),
                printer: Arc::clone(&process.printer),
                cancelled: Arc::clone(&process.cancelled),
            };
            extension_commands::run(command, arguments.show.json, &around)
        }
    })
}
