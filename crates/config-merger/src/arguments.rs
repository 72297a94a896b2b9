//! The command line, and nothing but its shape.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use cli::{CommandLine, ShowOptions};
use config_merger::SchemaKind;

/// Merge shared-config.json and python-<VERSION>/config.json, check them, and print the result.
///
/// The result goes to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(
    name = "config-merger",
    version,
    max_term_width = 100,
    override_usage = "config-merger [OPTIONS] <VERSION>\n       config-merger --schema <KIND>",
    subcommand_negates_reqs = true,
    after_help = "Exit codes: 0 done, 1 the result cannot be written, 2 the command line or a configuration is not valid.

Examples:
  config-merger 3.12.10
  config-merger 3.12.10-atls --strict --digest
  config-merger --schema config"
)]
pub struct MergerArguments {
    /// Version string such as 3.12.10 or 3.12.10-atls.
    #[arg(value_name = "VERSION", required_unless_present = "schema")]
    pub runtime: Option<String>,

    /// Turn warnings into errors; git requirements must name a commit.
    #[arg(long)]
    pub strict: bool,

    /// Treat a missing or invalid shared-config.json as empty.
    #[arg(long)]
    pub lenient_config: bool,

    /// The repository; defaults to the nearest one above the working directory.
    #[arg(long, value_name = "DIR")]
    pub repository: Option<PathBuf>,

    /// Print the SHA-256 of the merged configuration instead.
    #[arg(long)]
    pub digest: bool,

    /// Print the JSON Schema of a kind of file instead.
    #[arg(long, value_name = "KIND", value_enum, conflicts_with_all = ["runtime", "digest", "strict", "lenient_config", "repository"])]
    pub schema: Option<SchemaChoice>,

    #[command(flatten)]
    pub show: ShowOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaChoice {
    Config,
    SharedConfig,
}

impl SchemaChoice {
    pub fn kind(self) -> SchemaKind {
        match self {
            Self::Config => SchemaKind::Config,
            Self::SharedConfig => SchemaKind::SharedConfig,
        }
    }
}

impl CommandLine for MergerArguments {
    fn show(&self) -> &ShowOptions {
        &self.show
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_ends_with_examples_that_parse() {
        assert_eq!(cli::faulty_examples::<MergerArguments>(), [""; 0]);
    }
}
