//! The command line, and nothing but its shape.

use std::path::PathBuf;

use catalogue::Channel;
use clap::{Args, Parser, Subcommand};
use cli::{CommandLine, ShowOptions, TransferOptions};
use vocab::{PlatformKey, VersionString};

use crate::extension_arguments::ExtensionCommand;

/// Install and update portable Python runtimes on this machine, and give extensions theirs.
#[derive(Debug, Parser)]
#[command(
    name = "pydist",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 a file, the network or the disk failed, 2 usage or nothing suitable, 4 a digest, \
                  signature or archive cannot be trusted, 5 some extensions are not available."
)]
pub struct LoaderArguments {
    #[command(subcommand)]
    pub command: LoaderCommand,
    #[command(flatten)]
    pub show: ShowOptions,
}

/// What to do with runtimes.
#[derive(Debug, Subcommand)]
pub enum LoaderCommand {
    /// Fetch a published runtime, verify it, and install it beside the previous one.
    ///
    /// It is installed as `DIR/VERSION-BUILD`; `DIR/VERSION-current` points to it. An update fetches only the parts
    /// that the previous one lacks. The last line of the output is the installed folder.
    #[command(after_help = "Examples:
  pydist get 3.12.10 --from https://runtimes.example.com
  pydist get 3.12.10 --from 'ais://runtimes/python?endpoint=http://ais.example.com:8080'
  pydist get 3.12.10-atls --from published --to runtimes --public-key pydist.pub")]
    Get(GetArguments),
    /// Python extensions in zips, and the Python distribution that each runs on.
    ///
    /// Settings, names and folders are those of the Python Extension Loader of AI Studio and AI Hub.
    #[command(subcommand)]
    Extension(ExtensionCommand),
}

/// What `pydist get` takes.
#[derive(Args, Debug)]
pub struct GetArguments {
    /// Such as 3.12.10 or 3.12.10-atls.
    pub version: VersionString,
    /// Where it was published: the URL or folder with catalogue.json, or a place in an AIStore cluster,
    /// `ais://bucket/prefix?endpoint=http://host:port`.
    #[arg(long, value_name = "URL|DIR")]
    pub from: String,
    /// Where to install runtimes; defaults to the user's data folder.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// candidate: the newest of all; stable: the newest that was promoted.
    #[arg(long, default_value = "stable")]
    pub channel: Channel,
    /// Defaults to this machine's platform.
    #[arg(long, value_name = "KEY")]
    pub platform: Option<PlatformKey>,
    /// A minisign public key, or a file with one; anything it did not sign is refused. May be repeated to accept several.
    #[arg(long, value_name = "FILE|KEY")]
    pub public_key: Vec<String>,
    /// Use no network: use what is installed, according to the catalogue that was read last.
    #[arg(long)]
    pub offline: bool,
    /// Compare the digest of every installed file, not only size and time.
    #[arg(long)]
    pub verify: bool,
    /// Reinstall, fetching only damaged parts. Anything added to the runtime is lost.
    #[arg(long, conflicts_with = "offline")]
    pub reinstall: bool,
    /// Allow a build that is older than the current one, or one that was retracted.
    #[arg(long)]
    pub allow_older: bool,
    #[command(flatten)]
    pub transfer: TransferOptions,
}

impl CommandLine for LoaderArguments {
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
        assert_eq!(cli::faulty_examples::<LoaderArguments>(), [""; 0]);
    }

    #[test]
    fn the_command_line_is_well_formed() {
        LoaderArguments::command().debug_assert();
    }
}
