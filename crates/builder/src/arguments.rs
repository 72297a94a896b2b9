//! The command line, and nothing but its shape.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use cli::{CommandLine, ShowOptions, parse_duration, parse_size};
use vocab::ArtifactFormat;

use crate::survey_arguments::{CheckArguments, DiffArguments, MatrixArguments, OutdatedArguments};

/// Build portable Python runtimes from this repository's configuration.
#[derive(Debug, Parser)]
#[command(
    name = "builder",
    version,
    max_term_width = 100,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 build failure, 2 usage or configuration, 3 a check of the finished runtime \
                  failed, 4 a digest or archive cannot be trusted, 5 all that can be made on this machine was made and \
                  the rest is named."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub build: BuildArguments,
    #[command(flatten)]
    pub global: GlobalArguments,
}

impl CommandLine for Arguments {
    fn show(&self) -> &ShowOptions {
        &self.global.show
    }

    /// Options such as `--json` may stand before a subcommand or behind it; those of a build belong behind it, since
    /// before it they would have no effect.
    fn checked(self) -> Result<Self, clap::Error> {
        if self.command.is_some() && self.build != BuildArguments::default() {
            let text = "versions and options of a build stand behind the subcommand: `builder plan 3.12.10 --locked`";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(self)
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a build would do, and stop before any package is downloaded.
    Plan(BuildArguments),
    /// Resolve anew and write lock.json.
    Lock(BuildArguments),
    /// Check configurations, locks, whitelists, npm packages, workspace and catalogue without building.
    Check(CheckArguments),
    /// Print the CI jobs that are needed, in the form that a CI system reads.
    Matrix(MatrixArguments),
    /// Ask the indexes what could be newer.
    #[command(after_help = "Exit codes: 0 the locks are as new as the configuration allows, 3 `builder lock` would \
                            change one. Newer releases beyond exact pins, and of Python, are information.")]
    Outdated(OutdatedArguments),
    /// Compare two versions, locks, manifests or artifacts.
    Diff(DiffArguments),
    /// Begin a new version or variant: folder, configuration, package.json, workspace lists and catalogue. What is there
    /// already stays as it is.
    New {
        /// `X.Y.Z` or `X.Y.Z-variant`.
        version: String,
        /// Copy this version's configuration, files and roots, but nothing that was built, no lock and no name.
        #[arg(long, value_name = "VERSION")]
        from: Option<String>,
    },
    /// Remove what builds made: pydist/, logs/ and the artifacts in dist/.
    Clean {
        /// Version strings, or `all`; all when none is given.
        #[arg(value_name = "VERSION")]
        versions: Vec<String>,
        /// The store, too: downloads, unpacked wheels, base interpreters, built wheels.
        #[arg(long)]
        store: bool,
    },
    /// Look after the store: what is in it, whether it is sound, what may go.
    #[command(subcommand)]
    Store(StoreCommand),
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Show how much of what lies in the store, and since when it was not used.
    Info,
    /// Read everything and compare it with its digests; what is damaged is removed, and the exit code is 3.
    Verify {
        /// Only say what is damaged.
        #[arg(long)]
        keep: bool,
    },
    /// Remove what was not used for longest; never what a running builder uses.
    #[command(group(clap::ArgGroup::new("criteria").required(true).multiple(true)))]
    Prune {
        /// Down to this size: 500M, 20G, 1.5T.
        #[arg(long, value_name = "SIZE", group = "criteria", value_parser = parse_size)]
        max_size: Option<u64>,
        /// What was not used for this long: 12h, 30d, 4w.
        #[arg(long, value_name = "TIME", group = "criteria", value_parser = parse_duration)]
        older_than: Option<Duration>,
        /// Only say what would go.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildArguments {
    /// Version strings such as 3.12.10 or 3.12.10-atls, or `all`.
    #[arg(value_name = "VERSION", required = true)]
    pub versions: Vec<String>,
    /// Platforms to build for. `all` is those that `roots` in the version's package.json name, or all five without that
    /// file. Defaults to this machine's platform.
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub platform: Vec<String>,
    /// Show the plan and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Build exactly what lock.json says, or fail.
    #[arg(long)]
    pub locked: bool,
    /// Use no network: everything must be in the store.
    #[arg(long)]
    pub offline: bool,
    /// Refuse another patch release of Python than the one asked for (implied by --locked and by CI=true).
    #[arg(long)]
    pub exact: bool,
    /// Take the nearest patch release where the one asked for cannot be had, also with --locked or CI=true.
    #[arg(long, conflicts_with = "exact")]
    pub allow_stand_in: bool,
    /// Turn warnings into errors, except those that --exact and --fail-on-missing decide about.
    #[arg(long)]
    pub strict: bool,
    /// Leave out what cannot be had, with a warning, instead of failing. Also accepts a lock that lacks packages.
    #[arg(long, conflicts_with = "fail_on_missing")]
    pub allow_missing: bool,
    /// Fail when any package would be left out, even where the configuration says `strictMissing: false`.
    #[arg(long)]
    pub fail_on_missing: bool,
    /// Run no code of any source distribution, repository or folder, not even to read its metadata.
    #[arg(long)]
    pub no_build: bool,
    /// Run the import check for other platforms, too: Linux in qemu-user, Windows in wine (see scripts/emulators).
    #[arg(long)]
    pub emulate: bool,
    /// Treat a missing or invalid shared-config.json as empty.
    #[arg(long)]
    pub lenient_config: bool,
    /// Folder for artifacts and manifests; `dist` in the repository when not given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Formats of the artifact: tar.zst, tar.gz, tar, zip. Several with commas between them; tar.zst when not given.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = artifact_format)]
    pub format: Vec<ArtifactFormat>,
    /// Compression level of the artifact, 1 to 22 for tar.zst, to 9 for tar.gz and zip.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=22))]
    pub level: Option<i32>,
    /// Base URL or folder with python-build-standalone's releases [env: PYDIST_PYTHON_MIRROR].
    #[arg(long, value_name = "URL|DIR")]
    pub python_mirror: Option<String>,
    /// A store that machines share: a folder or `s3://bucket/prefix[?endpoint=…&region=…&profile=…]`
    /// [env: PYDIST_REMOTE_STORE].
    #[arg(long, value_name = "URL|DIR")]
    pub remote_store: Option<String>,
    /// Take from the remote store and give it nothing [env: PYDIST_REMOTE_STORE_READ_ONLY=true].
    #[arg(long)]
    pub remote_store_read_only: bool,
}

fn artifact_format(text: &str) -> Result<ArtifactFormat, String> {
    let known = ArtifactFormat::ALL.into_iter().find(|format| format.extension() == text);
    known.ok_or_else(|| "the formats are tar.zst, tar.gz, tar and zip".to_owned())
}

#[derive(Args, Debug, Clone)]
pub struct GlobalArguments {
    /// The repository; found upwards from the working directory when not given.
    #[arg(long, value_name = "DIR", global = true)]
    pub repository: Option<PathBuf>,
    /// The store [env: PYDIST_STORE]; the user's cache folder when not given.
    #[arg(long, value_name = "DIR", global = true)]
    pub store_dir: Option<PathBuf>,
    /// How many things to do at once; the number of processors when not given.
    #[arg(long, short, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Give up a server that sends less than this per second, measured over a minute; 0 never gives up.
    #[arg(long, value_name = "SIZE", global = true, default_value = "1K", value_parser = parse_size)]
    pub min_rate: u64,
    /// The largest file to download where neither the lock nor the index tells a size.
    #[arg(long, value_name = "SIZE", global = true, default_value = "10G", value_parser = parse_size)]
    pub max_download: u64,
    #[command(flatten)]
    pub show: ShowOptions,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn versions_and_subcommands_do_not_mix_up() {
        let parse = |words: &[&str]| {
            Arguments::try_parse_from(std::iter::once(&"builder").chain(words)).and_then(Arguments::checked)
        };
        assert_eq!(parse(&["3.12.10", "3.10.11"]).unwrap().build.versions, ["3.12.10", "3.10.11"]);
        let Some(Command::Plan(plan)) = parse(&["plan", "all", "--json"]).unwrap().command else {
            panic!("not a plan")
        };
        assert_eq!(plan.versions, ["all"]);
        let before = parse(&["--json", "-j", "3", "clean", "3.12.10"]).unwrap();
        assert!(before.global.show.json && before.global.jobs == Some(3));
        for mixed in [&["--locked", "plan", "3.12.10"][..], &["plan"], &[]] {
            assert!(parse(mixed).is_err(), "for {mixed:?}");
        }
        assert!(parse(&["3.12.10", "--exact", "--allow-stand-in"]).is_err());
        for (prune, accepted) in [
            (&["store", "prune", "--max-size", "20G", "--older-than", "30d"][..], true),
            (&["store", "prune", "--dry-run", "--older-than", "4w"], true),
            (&["store", "prune"], false),
            (&["store", "prune", "--max-size", "much"], false),
        ] {
            assert_eq!(parse(prune).is_ok(), accepted, "for {prune:?}");
        }
    }
}
