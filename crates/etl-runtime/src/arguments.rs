//! The command line, and nothing but its shape.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use cli::{CommandLine, ShowOptions};

/// Serve AIStore ETL classes on a prebuilt Python runtime.
///
/// Without a command it does what `etl-runtime run` does.
#[derive(Debug, Parser)]
#[command(
    name = "etl-runtime",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 served until SIGTERM, 1 the class, a package, the port or the network failed, 2 a \
                  setting or an argument is wrong."
)]
pub struct EtlArguments {
    #[command(subcommand)]
    pub command: Option<EtlCommand>,
    #[command(flatten)]
    pub run: RunArguments,
    #[command(flatten)]
    pub global: GlobalArguments,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum EtlCommand {
    /// Install what the class needs, then serve it. Reads ETL_CLASS_PAYLOAD, PACKAGES and the other variables of a pod.
    #[command(after_help = "Examples:
  etl-runtime run
  etl-runtime run --dry-run
  etl-runtime run --python runtime/bin/python3 --port 9000")]
    Run {
        #[command(flatten)]
        run: RunArguments,
    },
    /// Write `pydist_etl.py`, the Python module that registers a class with this runtime's image.
    #[command(after_help = "Examples:
  etl-runtime module --to .")]
    Module {
        /// An existing folder that Python imports from.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
}

/// Options of serving a class.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArguments {
    /// Show what would be installed and started, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Where to serve; defaults to ETL_PORT, else to port 8000.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The runtime's interpreter; defaults to ETL_PYTHON, else to `python3` beside this program, else on PATH.
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
    /// Where packages are installed and the server's files are written; defaults to ETL_WORK, else to a folder of this
    /// user below that for temporary files.
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
}

/// Options of every subcommand.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    #[command(flatten)]
    pub show: ShowOptions,
}

impl CommandLine for EtlArguments {
    fn show(&self) -> &ShowOptions {
        &self.global.show
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_ends_its_help_with_examples_that_parse() {
        assert_eq!(cli::faulty_examples::<EtlArguments>(), [""; 0]);
    }

    #[test]
    fn the_command_line_is_well_formed() {
        EtlArguments::command().debug_assert();
    }
}
