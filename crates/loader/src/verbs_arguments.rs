//! The arguments of the commands on what is installed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use cli::TransferOptions;
use vocab::RuntimeRequest;

use crate::source_options::{SOURCE_OPTIONS, SourceOptions};

/// Where runtimes are.
#[derive(Args, Clone, Debug)]
pub struct HomeOption {
    /// Where runtimes are installed; defaults to PYDIST_RUNTIMES, else to the user's data folder.
    #[arg(long, value_name = "DIR")]
    pub runtimes: Option<PathBuf>,
}

/// What `pydist list` takes.
#[derive(Args, Debug)]
#[command(mut_group(SOURCE_OPTIONS, |group| group.requires("available")))]
pub struct ListArguments {
    #[command(flatten)]
    pub home: HomeOption,
    /// Show instead the newest build of each version that the source offers, and which are installed.
    #[arg(long)]
    pub available: bool,
    #[command(flatten)]
    pub source: SourceOptions,
}

/// What `pydist which` takes.
#[derive(Args, Debug)]
pub struct WhichArguments {
    /// Such as 3.12, 3.12-atls, 3.12.10 or latest; defaults to what `.python-version` asks for, else to the default.
    pub version: Option<RuntimeRequest>,
    #[command(flatten)]
    pub home: HomeOption,
}

/// What `pydist run` takes.
#[derive(Args, Debug)]
pub struct RunArguments {
    /// Such as 3.12, 3.12-atls, 3.12.10 or latest; defaults to what `.python-version` asks for, else to the default.
    pub version: Option<RuntimeRequest>,
    #[command(flatten)]
    pub home: HomeOption,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What `pydist default` takes.
#[derive(Args, Debug)]
pub struct DefaultArguments {
    /// The new default; 3.12 follows what is installed later, 3.12.10 does not.
    pub version: Option<RuntimeRequest>,
    /// Have no default any more.
    #[arg(long, conflicts_with = "version")]
    pub unset: bool,
    #[command(flatten)]
    pub home: HomeOption,
}

/// What `pydist verify` takes.
#[derive(Args, Debug)]
pub struct VerifyArguments {
    /// Versions or names of builds; defaults to everything that is installed.
    pub versions: Vec<RuntimeRequest>,
    #[command(flatten)]
    pub home: HomeOption,
}

/// What `pydist repair` takes.
#[derive(Args, Debug)]
pub struct RepairArguments {
    /// Versions or names of builds; defaults to everything that is damaged.
    pub versions: Vec<RuntimeRequest>,
    /// Where they were published; defaults to where each of them came from.
    #[arg(long, value_name = "URL|DIR")]
    pub from: Option<String>,
    /// A minisign public key, or a file with one, in addition to the key that vouched for it when it was installed.
    /// May be repeated.
    #[arg(long, value_name = "FILE|KEY")]
    pub public_key: Vec<String>,
    #[command(flatten)]
    pub home: HomeOption,
    #[command(flatten)]
    pub transfer: TransferOptions,
}

/// What `pydist remove` takes.
#[derive(Args, Debug)]
pub struct RemoveArguments {
    /// Versions, with all their builds, or names of single builds.
    #[arg(required = true)]
    pub versions: Vec<RuntimeRequest>,
    /// Remove it even if a program runs from it.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub home: HomeOption,
}

/// What `pydist prune` takes.
#[derive(Args, Debug)]
pub struct PruneArguments {
    /// Show what would be removed, and how much space that frees.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub home: HomeOption,
}
