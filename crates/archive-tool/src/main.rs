//! The `archive` command; `cli` is its frame.

mod arguments;
mod commands;

use std::process::ExitCode;

use arguments::ArchiveArguments;

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &ArchiveArguments, process| {
        commands::run(arguments, &|name| process.variable(name), &process.printer, &process.cancelled)
    })
}
