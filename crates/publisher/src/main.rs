//! The `publisher` command; `cli` is its frame.

mod arguments;
mod command_error;
mod commands;
mod signing_key;

use std::process::ExitCode;

use arguments::PublisherArguments;

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &PublisherArguments, process| {
        let variable = |name: &str| process.variable(name);
        commands::run(arguments, &variable, &process.printer, &process.cancelled, process.interactive)
    })
}
