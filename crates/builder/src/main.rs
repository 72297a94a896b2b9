//! The `builder` command; `cli` is its frame.

mod arguments;
mod asked_platforms;
mod build_log;
mod commands;
mod download_arguments;
mod endings;
mod export_commands;
mod remote_store;
mod remote_store_commands;
mod run_tables;
mod session;
mod store_commands;
mod survey_arguments;
mod survey_commands;
mod survey_tables;

use std::process::ExitCode;

use vocab::Environment;

use arguments::BuilderArguments;

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &BuilderArguments, process| {
        let environment = Environment::new(process.variables.clone());
        commands::run(arguments, &environment, &process.printer, &process.cancelled)
    })
}
