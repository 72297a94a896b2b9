//! The command line, and nothing but its shape.

use std::path::PathBuf;

use catalogue::Channel;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use cli::{CommandLine, ShowOptions, TransferOptions};
use vocab::{PlatformKey, VersionString};

use crate::extension_arguments::ExtensionCommand;
use crate::verbs_arguments::{
    DefaultArguments, HomeOption, PruneArguments, RemoveArguments, RepairArguments, RunArguments, VerifyArguments,
    WhichArguments,
};

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
    /// Show what is installed: every build, its size, where it came from, and whether it is damaged.
    ///
    /// Files that builds share count once in the total. Sizes and times are compared with the record; `pydist verify`
    /// reads every file.
    #[command(after_help = "Examples:
  pydist list
  pydist list --runtimes /opt/runtimes --json")]
    List(HomeOption),
    /// Print the path of an installed interpreter, and nothing else.
    ///
    /// Without VERSION, the nearest `.python-version` file in this folder or above decides, else `pydist default`.
    #[command(after_help = "Examples:
  pydist which 3.12
  pydist which")]
    Which(WhichArguments),
    /// Run a program with an installed runtime first on PATH.
    ///
    /// PYTHONHOME and VIRTUAL_ENV are not passed on, since they lead to another Python's files; everything else is.
    /// On Unix the program replaces this one; on Windows its exit code becomes this one's.
    #[command(after_help = "Examples:
  pydist run 3.12 -- python -V
  pydist run -- pip list")]
    Run(RunArguments),
    /// Show or set the version that is used where none is named.
    #[command(after_help = "Examples:
  pydist default 3.12
  pydist default
  pydist default --unset")]
    Default(DefaultArguments),
    /// Read every file of installed runtimes and compare it with what was installed.
    ///
    /// Names what is damaged, missing or added. Exit code 4 if anything is damaged; additions are not damage.
    #[command(after_help = "Examples:
  pydist verify
  pydist verify 3.12.10-atls --json")]
    Verify(VerifyArguments),
    /// Bring damaged runtimes back to what was installed, fetching only what is damaged.
    ///
    /// What was added to a runtime, for example by pip, stays. A build that was verified with a key is repaired only with
    /// what that key signed.
    #[command(after_help = "Examples:
  pydist repair
  pydist repair 3.12 --from https://runtimes.example.com")]
    Repair(RepairArguments),
    /// Remove versions with all their builds, or single builds.
    #[command(after_help = "Examples:
  pydist remove 3.11.9
  pydist remove 3.12.10-atls-2f9c1d0e7a44")]
    Remove(RemoveArguments),
    /// Remove builds that are no longer current.
    ///
    /// Builds that a program runs from stay, as far as the system says so, and so does what pydist did not install.
    #[command(after_help = "Examples:
  pydist prune --dry-run
  pydist prune")]
    Prune(PruneArguments),
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
    /// Where to install runtimes; defaults to PYDIST_RUNTIMES, else to the user's data folder.
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
    fn explained(error: clap::Error) -> clap::Error {
        let word = match (error.kind(), error.get(ContextKind::InvalidArg), error.get(ContextKind::Usage)) {
            (ErrorKind::UnknownArgument, Some(ContextValue::String(word)), Some(ContextValue::StyledStr(usage)))
                if usage.to_string().contains("pydist run") && !word.starts_with('-') =>
            {
                word
            }
            _ => return error,
        };
        let text = format!(
            "the program to run stands behind `--`\n\n  tip: `pydist run 3.12 -- {word}`, with the version that you mean"
        );
        Self::command().error(ErrorKind::UnknownArgument, text)
    }

    fn show(&self) -> &ShowOptions {
        &self.show
    }
}

#[cfg(test)]
mod tests {
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
