//! The command line, and nothing but its shape.

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use cli::{CommandLine, ShowOptions, TransferOptions};
use fetch::ReuseMode;
use vocab::RuntimeRequest;

use crate::extension_arguments::ExtensionCommand;
use crate::source_options::SourceOptions;
use crate::verbs_arguments::{
    DefaultArguments, ListArguments, PruneArguments, RemoveArguments, RepairArguments, RunArguments, VerifyArguments,
    WhichArguments,
};

/// Install and update portable Python runtimes on this machine, and give extensions theirs.
#[derive(Debug, Parser)]
#[command(
    name = "pydist",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 a file, the network or the disk failed, 2 usage or nothing suitable, 4 a digest, \
                  signature or archive cannot be trusted, 5 some extensions are not available, \
                  130 interrupted."
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
  pydist get 3.12
  pydist get latest-atls --channel candidate
  pydist get 3.12.10 --from https://runtimes.example.com
  pydist get 3.12.10 --from 'ais://runtimes/python?endpoint=http://ais.example.com:8080'
  pydist get 3.12.10-atls --from published --to runtimes --public-key pydist.pub
  pydist get 3.12.10 --from s3://bucket/runtimes --link-mode copy")]
    Get(GetArguments),
    /// Show what is installed: every build, its size, where it came from, and whether it is damaged; or what a source offers.
    ///
    /// Files that builds share count once in the total. Sizes and times are compared with the record; `pydist verify`
    /// reads every file.
    #[command(after_help = "Examples:
  pydist list
  pydist list --runtimes /opt/runtimes --json
  pydist list --available
  pydist list --available --from https://runtimes.example.com --channel candidate")]
    List(ListArguments),
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
    /// Bring installed runtimes to the newest build of the same version, from where they came.
    ///
    /// Only what changed is fetched; unchanged files are shared with the previous build, which stays installed.
    #[command(after_help = "Examples:
  pydist update
  pydist update 3.12 --dry-run")]
    Update(UpdateArguments),
    /// Show or change the remembered source of runtimes and its public keys.
    ///
    /// A source that is remembered with keys is never used without them, however it is named.
    #[command(after_help = "Examples:
  pydist source
  pydist source set https://runtimes.example.com --public-key pydist.pub
  pydist source remove https://runtimes.example.com")]
    Source(SourceArguments),
    /// Python extensions in zips, and the Python distribution that each runs on.
    ///
    /// Settings, names and folders are those of the Python Extension Loader of AI Studio and AI Hub.
    #[command(subcommand)]
    Extension(ExtensionCommand),
}

/// What `pydist get` takes.
#[derive(Args, Debug)]
pub struct GetArguments {
    /// 3.12.10, 3.12 for its newest release, latest; with a variant as in 3.12-atls.
    pub version: RuntimeRequest,
    #[command(flatten)]
    pub source: SourceOptions,
    /// Where to install runtimes; defaults to PYDIST_RUNTIMES, else to the user's data folder.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Compare the digest of every installed file, not only size and time.
    #[arg(long)]
    pub verify: bool,
    /// Reinstall, fetching only damaged parts. Anything added to the runtime is lost.
    #[arg(long, conflicts_with = "offline")]
    pub reinstall: bool,
    /// Allow a build that is older than the current one, or one that was retracted.
    #[arg(long)]
    pub allow_older: bool,
    /// auto: files that an installed build has already are shared with it where possible; copy: each runtime has its
    /// own files.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub link_mode: LinkMode,
    #[command(flatten)]
    pub transfer: TransferOptions,
}

/// What `pydist update` takes.
#[derive(Args, Debug)]
pub struct UpdateArguments {
    /// Which ones, such as 3.12 or 3.12.10-atls; all installed runtimes by default.
    pub versions: Vec<RuntimeRequest>,
    /// Where runtimes are installed; defaults to the user's data folder.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Show what would change and how many bytes would be fetched; change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// auto: files that an installed build has already are shared with it where possible; copy: each runtime has its
    /// own files.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub link_mode: LinkMode,
    #[command(flatten)]
    pub transfer: TransferOptions,
}

/// What `pydist source` takes; without a command it shows what is remembered.
#[derive(Args, Debug)]
pub struct SourceArguments {
    #[command(subcommand)]
    pub command: Option<SourceCommand>,
}

/// Changes of what is remembered.
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Remember a source, and use it where none is named.
    ///
    /// Known keys of the source stay unless others are given.
    #[command(after_help = "Examples:
  pydist source set https://runtimes.example.com --public-key pydist.pub
  pydist source set s3://bucket/runtimes --unsigned")]
    Set {
        /// The URL or folder with catalogue.json, or a place in a bucket or a cluster.
        #[arg(value_name = "URL|DIR")]
        from: String,
        /// A minisign public key, or a file with one; anything it did not sign is refused. May be repeated to accept
        /// several.
        #[arg(long, value_name = "FILE|KEY", conflicts_with = "unsigned")]
        public_key: Vec<String>,
        /// Forget the keys of this source, and believe what is served there.
        #[arg(long)]
        unsigned: bool,
    },
    /// Forget a source and its keys.
    #[command(after_help = "Examples:
  pydist source remove https://runtimes.example.com")]
    Remove {
        /// As `pydist source` shows it.
        #[arg(value_name = "URL|DIR")]
        from: String,
    },
}

/// What becomes of files that an installed build has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinkMode {
    Auto,
    Copy,
}

impl LinkMode {
    pub fn reuse(self) -> ReuseMode {
        match self {
            Self::Auto => ReuseMode::Shared,
            Self::Copy => ReuseMode::Own,
        }
    }
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
