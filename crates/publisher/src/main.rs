//! The `publisher` command; `cli` is its frame.

mod arguments;
mod commands;
mod signing_key;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &Arguments, process| {
        let variable = |name: &str| process.variable(name);
        commands::run(arguments, &variable, &process.printer, &process.cancelled, process.interactive)
    })
}
