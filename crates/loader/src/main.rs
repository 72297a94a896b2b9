//! The `pydist` command; `cli` is its frame.

mod arguments;
mod commands;

use std::process::ExitCode;

use arguments::LoaderArguments;

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &LoaderArguments, process| {
        commands::run(arguments, &|name| process.variable(name), &process.printer, &process.cancelled)
    })
}
