//! The `builder` command; `cli` is its frame.

mod arguments;
mod asked_platforms;
mod build_log;
mod commands;
mod download_arguments;
mod endings;
mod export_commands;
mod job_arguments;
mod job_bake_commands;
mod job_commands;
mod remote_store;
mod remote_store_commands;
mod run_tables;
mod session;
mod store_commands;
mod survey_arguments;
mod survey_commands;
mod survey_tables;

use std::process::ExitCode;

use store::download::uv_connection::with_absolute_paths;
use vocab::Environment;

use arguments::BuilderArguments;

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &BuilderArguments, process| {
        let folder = std::env::current_dir().unwrap_or_default();
        let environment = with_absolute_paths(&Environment::new(process.variables.clone()), &folder);
        commands::run(arguments, &environment, &process.printer, &process.cancelled)
    })
}
