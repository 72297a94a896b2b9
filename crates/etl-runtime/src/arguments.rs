//! The command line, and nothing but its shape.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use cli::{CommandLine, ImageOptions, ShowOptions};

/// Serve AIStore ETL classes on a prebuilt Python runtime.
///
/// Without a command it does what `etl-runtime run` does.
#[derive(Debug, Parser)]
#[command(
    name = "etl-runtime",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 served until SIGTERM, 1 the class, a package, the port or the network failed, 2 a \
                  setting or an argument is wrong, 4 a file is not what its digest says.

Examples:
  etl-runtime --dry-run
  etl-runtime bake --packages numpy --to deltas"
)]
pub struct EtlArguments {
    #[command(subcommand)]
    pub command: Option<EtlCommand>,
    #[command(flatten)]
    pub run: RunArguments,
    #[command(flatten)]
    pub show: ShowOptions,
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
    /// Put the wheels that a runtime lacks for packages, and their byte code, into a folder, bucket or cluster, so that pods need
    /// no index. Prints the variables to set.
    #[command(after_help = "Examples:
  etl-runtime bake --packages numpy,pillow --to deltas --python runtime/bin/python3
  etl-runtime bake --packages 'numpy>=2,<3' --to s3://bucket/etl --without-byte-code")]
    Bake {
        /// As PACKAGES has it: requirements between commas.
        #[arg(long, value_name = "LIST")]
        packages: String,
        /// A folder, `s3://bucket/prefix` or `ais://bucket/prefix`.
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// The interpreter of a runtime like those in the pods; defaults to ETL_PYTHON, else to `python3` beside this program,
        /// else on PATH.
        #[arg(long, value_name = "FILE")]
        python: Option<PathBuf>,
        /// Leave modules uncompiled: less to fetch, and each new pod compiles them at its start.
        #[arg(long)]
        without_byte_code: bool,
    },
    /// Write an OCI image layout that serves ETL classes, without Docker.
    #[command(after_help = "Examples:
  etl-runtime image --python 3.12 --runtime dist --base debian --to image
  etl-runtime image --runtime dist/pydist-etl-3.12.10-linux-x86_64.tar.zst --packages numpy --base debian --to image")]
    Image(ImageArguments),
    /// Write `pydist_etl.py`, the Python module that registers a class with this runtime's image.
    #[command(after_help = "Examples:
  etl-runtime module --to .")]
    Module {
        /// An existing folder that Python imports from.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
}

/// What an image is made of.
#[derive(Args, Clone, Debug)]
pub struct ImageArguments {
    /// The runtime's artifact, with its manifest beside it, or a folder with one for Linux.
    #[arg(long, value_name = "PATH")]
    pub runtime: PathBuf,
    /// The minor version that the runtime must have, and the image's name; defaults to the runtime's.
    #[arg(long, value_name = "VERSION")]
    pub python: Option<String>,
    /// Requirements between commas, installed into the image.
    #[arg(long, value_name = "LIST", default_value = "")]
    pub packages: String,
    /// The `etl-runtime` of the image's platform; defaults to this program.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Who runs it; defaults to the base's user, mostly root. That user must be able to read the targets' mounts.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    #[command(flatten)]
    pub image: ImageOptions,
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

impl CommandLine for EtlArguments {
    fn show(&self) -> &ShowOptions {
        &self.show
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
