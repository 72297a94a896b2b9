//! The command line, and nothing but its shape.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use cli::{CommandLine, ShowOptions, TransferOptions};
use vocab::Digest;

/// List, verify, extract, compare and fetch artifacts.
#[derive(Debug, Parser)]
#[command(
    name = "archive",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 a file, the network or the disk failed, 2 usage, 4 a digest or archive cannot \
                  be trusted."
)]
pub struct ArchiveArguments {
    #[command(subcommand)]
    pub command: ArchiveCommand,
    #[command(flatten)]
    pub global: GlobalArguments,
}

/// What to do with artifacts or other archives.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// Show what is in an artifact: kind, mode, size and path of each entry.
    ///
    /// Names are shown as they are, unchecked; `archive verify` checks them.
    #[command(after_help = "Examples:
  archive list pydist-atls-3.12.10-linux-x86_64.tar.zst
  archive list pydist-atls-3.12.10-linux-x86_64.tar.zst --parts")]
    List {
        /// tar.zst, tar.gz, tar or zip, recognised by its first bytes.
        file: PathBuf,
        /// Show the parts instead, from the manifest beside it.
        #[arg(long)]
        parts: bool,
    },
    /// Compare an artifact with its manifest: size and SHA-256 of the whole and of each part.
    ///
    /// Without a manifest, decodes everything and checks it by the rules of extraction; writes nothing.
    #[command(after_help = "Examples:
  archive verify pydist-atls-3.12.10-linux-x86_64.tar.zst")]
    Verify {
        file: PathBuf,
        /// Defaults to `<FILE>.json` if it exists.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
    },
    /// Extract an artifact or any other archive; entries that could write outside DIR are refused.
    #[command(after_help = "Examples:
  archive extract pydist-atls-3.12.10-linux-x86_64.tar.zst --to runtime")]
    Extract {
        file: PathBuf,
        /// A new or empty folder; it appears once everything is extracted.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Strip the single top-level folder.
        #[arg(long)]
        strip_top: bool,
        /// Extract only if the archive has this digest.
        #[arg(long, value_name = "DIGEST")]
        sha256: Option<Digest>,
        /// Write copies instead of symbolic links, as always on Windows.
        #[arg(long)]
        copy_links: bool,
    },
    /// Show what differs between two runtimes, and how many bytes an update from A to B fetches.
    #[command(after_help = "Examples:
  archive diff before.tar.zst after.tar.zst
  archive diff before.tar.zst.json after.tar.zst.json --json")]
    Diff {
        /// An artifact with its manifest beside it, or a manifest.
        a: PathBuf,
        b: PathBuf,
        /// Also compare file by file; this reads both artifacts.
        #[arg(long)]
        files: bool,
    },
    /// Fetch an artifact, transferring only missing parts.
    ///
    /// The server only needs to support byte ranges; without them everything is fetched. The manifest lies beside
    /// the artifact, under its name and `.json`. In an AIStore cluster it is `ais://bucket/name?endpoint=http://host:port`;
    /// AIS_ENDPOINT stands in for the endpoint, AIS_AUTHN_TOKEN gives a token.
    #[command(after_help = "Examples:
  archive fetch https://runtimes.example.com/a.tar.zst
  archive fetch https://runtimes.example.com/a.tar.zst --from runtime --to runtime-new
  archive fetch 'ais://runtimes/a.tar.zst?endpoint=http://ais.example.com:8080'")]
    Fetch {
        /// The artifact: an http, https, ais or file URL, or a path.
        #[arg(value_name = "URL|FILE")]
        place: String,
        /// An older artifact with its manifest beside it, or, with --to, an installed prefix; may be repeated.
        #[arg(long, value_name = "OLD")]
        from: Vec<PathBuf>,
        /// Where to write the artifact; defaults to its own name in this folder, unless --to is given.
        #[arg(long, value_name = "FILE", conflicts_with = "to")]
        out: Option<PathBuf>,
        /// Extract to this new or empty folder instead of keeping the artifact.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// SHA-256 of the artifact; anything else is refused.
        #[arg(long, value_name = "DIGEST")]
        sha256: Option<Digest>,
        /// SHA-256 of the manifest, which lists all other digests; anything else is refused.
        #[arg(long, value_name = "DIGEST")]
        manifest_sha256: Option<Digest>,
        #[command(flatten)]
        transfer: TransferOptions,
    },
}

/// Options of every subcommand.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    /// How many threads to use; defaults to the number of processors.
    #[arg(long, short, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub show: ShowOptions,
}

impl CommandLine for ArchiveArguments {
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
        assert_eq!(cli::faulty_examples::<ArchiveArguments>(), [""; 0]);
    }

    #[test]
    fn the_command_line_is_well_formed() {
        ArchiveArguments::command().debug_assert();
    }
}
