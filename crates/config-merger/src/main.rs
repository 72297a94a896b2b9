//! Prints the merged configuration of a runtime, or a JSON Schema of the files it is merged from.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use config_merger::{ConfigFaults, LoadOptions, LoadedConfig, Repository, SchemaKind};
use vocab::{Exit, Fault};

/// Merge shared-config.json and python-<VERSION>/config.json, check them, and print the result.
///
/// The result goes to standard output, everything else to standard error.
#[derive(Parser)]
#[command(
    name = "config-merger",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 the result cannot be written, 2 the command line or a configuration is not valid.

Examples:
  config-merger 3.12.10
  config-merger 3.12.10-atls --strict --digest
  config-merger --schema config"
)]
struct MergerArguments {
    /// Version string such as 3.12.10 or 3.12.10-atls.
    #[arg(value_name = "VERSION", required_unless_present = "schema")]
    runtime: Option<String>,

    /// Turn warnings into errors; git requirements must name a commit.
    #[arg(long)]
    strict: bool,

    /// Treat a missing or invalid shared-config.json as empty.
    #[arg(long)]
    lenient_config: bool,

    /// The repository; defaults to the nearest one above the working directory.
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,

    /// Print the SHA-256 of the merged configuration instead.
    #[arg(long)]
    digest: bool,

    /// Print the JSON Schema of a kind of file instead.
    #[arg(long, value_name = "KIND", value_enum, conflicts_with = "runtime")]
    schema: Option<SchemaChoice>,

    /// Colour the output.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    color: ColorWhen,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemaChoice {
    Config,
    SharedConfig,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorWhen {
    fn wanted(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
        }
    }
}

fn main() -> ExitCode {
    let arguments = MergerArguments::parse();
    let exit = match run(&arguments) {
        Ok(text) => written(&text),
        Err(MergerFailure::Config(faults)) => {
            complain(&faults.render(arguments.color.wanted()));
            faults.exit()
        }
        Err(MergerFailure::Usage(fault)) => {
            complain(&format!("error[{}]: {fault}\n", fault.code()));
            if let Some(hint) = fault.hint() {
                complain(&format!("  hint: {hint}\n"));
            }
            fault.exit()
        }
    };
    ExitCode::from(exit.code())
}

enum MergerFailure {
    Usage(Box<dyn Fault>),
    Config(ConfigFaults),
}

/// What is printed to standard output.
fn run(arguments: &MergerArguments) -> Result<String, MergerFailure> {
    match arguments.schema {
        Some(SchemaChoice::Config) => return Ok(config_merger::schema(SchemaKind::Config)),
        Some(SchemaChoice::SharedConfig) => return Ok(config_merger::schema(SchemaKind::SharedConfig)),
        None => {}
    }
    let usage = |error: config_merger::RepositoryError| MergerFailure::Usage(error.into());
    let repository = match &arguments.repository {
        Some(folder) => Repository::at(folder),
        None => Repository::find(".".as_ref()).map_err(usage)?,
    };
    let version = arguments.runtime.as_deref().unwrap_or_default();
    let version = repository.version(version).map_err(usage)?;
    let options = LoadOptions { strict: arguments.strict, lenient: arguments.lenient_config };
    let loaded = config_merger::load(&repository, &version, &options).map_err(MergerFailure::Config)?;
    tell(&loaded);
    Ok(if arguments.digest { format!("{}\n", loaded.digest) } else { loaded.canonical })
}

fn tell(loaded: &LoadedConfig) {
    for warning in &loaded.warnings {
        complain(&format!("warning[{}]: {warning}\n", warning.code.as_str()));
    }
    for note in &loaded.notes {
        complain(&format!("note: {note}\n"));
    }
}

fn written(text: &str) -> Exit {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Exit::Done,
        // The reader stopped reading, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            complain(&format!("error: cannot write to standard output: {error}\n"));
            Exit::Build
        }
    }
}

/// If standard error is closed, nobody can be informed.
fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
