//! The `pydist` command: arguments and environment in, events and results out, an exit code.

mod arguments;
mod commands;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser as _;
use cli::{Flags, Printer, Terminal};
use vocab::Exit;

use arguments::{Arguments, ColorChoice};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            let exit = if message.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed pipe is no reason to fail.
            let _ = message.print();
            return ExitCode::from(exit.code());
        }
    };
    let variables: BTreeMap<_, _> = std::env::vars_os().collect();
    let environment = |name: &str| variables.get(std::ffi::OsStr::new(name))?.to_str().map(str::to_owned);
    let terminal = Terminal {
        stderr: std::io::stderr().is_terminal(),
        width: environment("COLUMNS").and_then(|columns| columns.parse().ok()),
    };
    let flags = Flags {
        json: arguments.global.json,
        quiet: arguments.global.quiet,
        verbose: arguments.global.verbose,
        color: match arguments.global.color {
            ColorChoice::Auto => cli::ColorChoice::Auto,
            ColorChoice::Always => cli::ColorChoice::Always,
            ColorChoice::Never => cli::ColorChoice::Never,
        },
    };
    let printer = Printer::new(cli::settings(&environment, terminal, &flags));

    // The first interrupt lets running work end cleanly, the second ends at once.
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let handler = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // Asked twice; only a hidden staging file is left by it.
            std::process::exit(130);
        }
    });
    if let Err(error) = handler {
        printer.tell(vocab::Event::Note { text: format!("interrupts are not caught: {error}") });
    }

    let exit = commands::run(&arguments, &environment, &printer, &cancelled).unwrap_or_else(|fault| {
        printer.fault(fault.as_ref());
        fault.exit()
    });
    printer.close();
    ExitCode::from(exit.code())
}
