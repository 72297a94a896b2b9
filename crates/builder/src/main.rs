//! The `builder` command: arguments and environment in, events and results out, an exit code.

mod arguments;
mod commands;
mod store_commands;
mod survey_arguments;
mod survey_commands;
mod survey_tables;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use builder::context::Environment;
use cli::{Flags, Printer, Terminal};
use vocab::{Exit, Fault};

use arguments::{Arguments, ColorChoice};

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(message) => {
            let exit = if message.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed pipe is no reason to fail.
            let _ = message.print();
            return ExitCode::from(exit.code());
        }
    };
    let environment = Environment::new(std::env::vars_os());
    let terminal = Terminal {
        stderr: std::io::stderr().is_terminal(),
        width: environment.text("COLUMNS").and_then(|columns| columns.parse().ok()),
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
    let settings = cli::settings(&|name| environment.text(name).map(str::to_owned), terminal, &flags);
    let printer = Arc::new(Printer::new(settings));

    // The first interrupt lets running work end cleanly, the second ends at once.
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let handler = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // Asked twice; nothing is left half-written by it.
            std::process::exit(130);
        }
    });
    if let Err(error) = handler {
        printer.tell(vocab::Event::Note { text: format!("interrupts are not caught: {error}") });
    }

    let result = commands::run(&arguments, &environment, &printer, &cancelled);
    let exit = match result {
        Ok(exit) => exit,
        Err(fault) => report(&printer, fault.as_ref()),
    };
    printer.close();
    ExitCode::from(exit.code())
}

/// Shows a fault and gives its exit code.
fn report(printer: &Printer, fault: &dyn Fault) -> Exit {
    printer.fault(fault);
    fault.exit()
}
