//! The `etl-runtime` command; `cli` is its frame.

mod arguments;
mod bake_commands;
mod commands;
mod surroundings;

use std::process::ExitCode;

use arguments::EtlArguments;

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &EtlArguments, process| {
        commands::run(arguments, &surroundings::Surroundings::of(process))
    })
}
