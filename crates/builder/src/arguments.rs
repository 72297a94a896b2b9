//! The command line, and nothing but its shape.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use cli::{CommandLine, ShowOptions, parse_duration, parse_size};
use vocab::ArtifactFormat;

use crate::download_arguments::DownloadArguments;
use crate::job_arguments::JobCommand;
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
                  failed, 4 a digest or archive cannot be trusted, 5 partial: some packages or platforms need another \
                  machine (listed).

Examples:
  builder 3.12.10
  builder 3.12.10 3.12.10-atls --platform all --locked
  builder all --offline --format tar.zst,zip"
)]
pub struct BuilderArguments {
    #[command(subcommand)]
    pub command: Option<BuilderCommand>,
    #[command(flatten)]
    pub build: BuildArguments,
    #[command(flatten)]
    pub global: GlobalArguments,
}

impl CommandLine for BuilderArguments {
    fn show(&self) -> &ShowOptions {
        &self.global.show
    }

    /// An option that only builds have gets that as its reason, rather than the parser's guess that it is a value.
    fn explained(error: clap::Error) -> clap::Error {
        let option = match (error.kind(), error.get(ContextKind::InvalidArg)) {
            (ErrorKind::UnknownArgument, Some(ContextValue::String(text))) => text.as_str(),
            _ => return error,
        };
        let name = option.trim_start_matches('-').split(['=', ' ']).next().unwrap_or_default();
        if !Self::command().get_arguments().any(|argument| argument.get_long() == Some(name)) {
            return error;
        }
        let text = format!(
            "`--{name}` is an option of builds, and this command builds nothing\n\n  tip: leave it out, or build: \
             `builder VERSION --{name}`"
        );
        Self::command().error(ErrorKind::UnknownArgument, text)
    }

    /// Options such as `--json` may stand before a subcommand or behind it; those of a build belong behind it, since
    /// before it they would have no effect.
    fn checked(self) -> Result<Self, clap::Error> {
        if self.command.is_some() && self.build != BuildArguments::default() {
            let text = "versions and options of a build belong after the subcommand: `builder plan 3.12.10 --locked`";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        let words = self.build.selection.versions.iter().filter(|_| self.command.is_none());
        if let Some(error) = Self::turned_round(&self.build.selection.versions).filter(|_| self.command.is_none()) {
            return Err(error);
        }
        words.filter(|word| !is_version(word)).find_map(|word| Self::mistyped_command(word)).map_or(Ok(self), Err)
    }
}

impl BuilderArguments {
    /// For `builder 3.12.10 plan`: the same words in their order.
    fn turned_round(words: &[String]) -> Option<clap::Error> {
        let place = words.iter().position(|word| Self::command().find_subcommand(word).is_some())?;
        let mut in_order = words.to_vec();
        let command = in_order.remove(place);
        let text = format!(
            "`{command}` stands behind `{}`\n\n  tip: a command comes first: `builder {command} {}`",
            words[..place].join(" "),
            in_order.join(" ")
        );
        Some(Self::command().error(ErrorKind::InvalidSubcommand, text))
    }

    /// `None` for a word that is like no command: as a version it gets an error that names those that there are.
    fn mistyped_command(word: &str) -> Option<clap::Error> {
        let tip = if ["build", "make"].contains(&word) {
            "a build needs no command: `builder 3.12.10`".to_owned()
        } else {
            format!("did you mean `builder {}`?", cli::similar_command(&Self::command(), word)?)
        };
        let text = format!("`{word}` is neither a command nor a version string\n\n  tip: {tip}");
        Some(Self::command().error(ErrorKind::InvalidSubcommand, text))
    }
}

fn is_version(word: &str) -> bool {
    word == "all" || word.contains(|character: char| character.is_ascii_digit())
}

/// What to do; without one of them the versions are built.
#[derive(Debug, Subcommand)]
pub enum BuilderCommand {
    /// Show what a build would do, and stop before any package is downloaded.
    #[command(after_help = "Examples:
  builder plan 3.12.10
  builder plan all --platform all
  builder plan 3.12.10 --locked --offline --json")]
    Plan(PlanArguments),
    /// Resolve again and write lock.json.
    #[command(after_help = "Examples:
  builder lock 3.12.10
  builder lock all --platform all")]
    Lock(LockArguments),
    /// Check configurations, locks, whitelists, npm packages, workspace and catalogue without building.
    #[command(after_help = "Examples:
  builder check
  builder check 3.12.10 --online --strict
  builder check --published dist")]
    Check(CheckArguments),
    /// Print the CI jobs that are needed, in the form that a CI system reads.
    #[command(after_help = "Examples:
  builder matrix --format github
  builder matrix 3.12.10 --format gitlab --platform linux-x64,linux-aarch64
  builder matrix --format kubernetes --runner linux-x64=rust:1-bookworm --published catalogue.json")]
    Matrix(MatrixArguments),
    /// Ask the indexes for newer versions.
    #[command(after_help = "Exit codes: 0 the locks are as new as the configuration allows, 3 `builder lock` would \
                            change one. Newer releases beyond exact pins, and of Python, are information.

Examples:
  builder outdated
  builder outdated 3.12.10 --platform linux-x64")]
    Outdated(OutdatedArguments),
    /// Compare two versions, locks, manifests or artifacts.
    #[command(after_help = "Examples:
  builder diff 3.12.10 3.12.10-atls
  builder diff before/lock.json python-3.12.10/lock.json --markdown")]
    Diff(DiffArguments),
    /// Start a new version or variant: folder, configuration, package.json, workspace lists and catalogue. Existing files
    /// are not changed.
    #[command(after_help = "Examples:
  builder new 3.13.5
  builder new 3.12.10-custom --from 3.12.10")]
    New {
        /// `X.Y.Z` or `X.Y.Z-variant`.
        version: String,
        /// Copy this version's configuration, files and roots, but nothing that was built, no lock and no name.
        #[arg(long, value_name = "VERSION")]
        from: Option<String>,
    },
    /// Remove what builds made: pydist/, logs/ and the artifacts in dist/.
    #[command(after_help = "Examples:
  builder clean 3.12.10
  builder clean all --store")]
    Clean {
        /// Version strings, or `all` (the default).
        #[arg(value_name = "VERSION")]
        versions: Vec<String>,
        /// Also remove the store: downloads, unpacked wheels, base interpreters, built wheels.
        #[arg(long)]
        store: bool,
    },
    /// Put everything that a locked build without a network needs into a folder.
    #[command(after_help = "The folder is read with `builder VERSION --locked --offline --from DIR`.

Exit codes: 5 the folder serves not all that was asked for (listed).

Examples:
  builder export 3.12.10 --to /media/stick
  builder export 3.12.10 3.10.11 --platform all --for-host linux-x64,windows-x64 --to /media/stick
  builder export 3.12.10 --platform all --list")]
    Export(ExportArguments),
    /// Inspect, verify and prune the store, and look after a remote store.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Check a Klio or Beam job before it is submitted, and stage what its workers install.
    #[command(subcommand)]
    Job(JobCommand),
}

/// What to do with the store; all but `remote` look at this machine's alone.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Show what is in the store: size and last use, by kind.
    #[command(after_help = "Examples:
  builder store info
  builder store info --json")]
    Info,
    /// Compare everything with its digests; anything damaged is removed, and the exit code is 3.
    ///
    /// In a remote store, damaged objects are only reported unless `--repair` is given.
    #[command(after_help = "Examples:
  builder store verify
  builder store verify --keep
  builder store verify --remote-store s3://bucket/store --repair")]
    Verify {
        /// Only report what is damaged.
        #[arg(long, conflicts_with = "remote_store")]
        keep: bool,
        /// Verify this remote store instead of the local one.
        #[arg(long, value_name = "URL|DIR")]
        remote_store: Option<String>,
        /// Replace damaged objects of the remote store with what the local store has, and remove the others.
        #[arg(long, requires = "remote_store")]
        repair: bool,
    },
    /// Give a remote store everything that the local store has and it lacks.
    #[command(after_help = "Examples:
  builder store push --remote-store s3://bucket/store
  builder store push --remote-store s3://bucket/store --for-host linux-x64,windows-x64
  builder store push --remote-store /mnt/shared/store --offline --json")]
    Push {
        /// The remote store: a folder, `s3://bucket/prefix[?endpoint=…&region=…&profile=…]` or
        /// `ais://bucket/prefix[?endpoint=…]` [env: PYDIST_REMOTE_STORE].
        #[arg(long, value_name = "URL|DIR")]
        remote_store: Option<String>,
        /// Machines that will build from it: uv is fetched for those that neither store has it for. Defaults to this
        /// machine's platform.
        #[arg(long, value_name = "KEY", value_delimiter = ',')]
        for_host: Vec<String>,
        /// Fetch no uv: give only what the local store has.
        #[arg(long)]
        offline: bool,
    },
    /// Remove least recently used entries; never those in use. In a remote store: objects written long ago.
    #[command(
        group(clap::ArgGroup::new("criteria").required(true).multiple(true)),
        after_help = "Examples:
  builder store prune --older-than 30d
  builder store prune --max-size 20G --dry-run
  builder store prune --remote-store s3://bucket/store --older-than 90d --dry-run"
    )]
    Prune {
        /// Prune this remote store instead of the local one, by `--older-than`: there, the time since an object was
        /// written counts.
        #[arg(long, value_name = "URL|DIR", conflicts_with = "max_size")]
        remote_store: Option<String>,
        /// Remove until the store has at most this size: 500M, 20G, 1.5T.
        #[arg(long, value_name = "SIZE", group = "criteria", value_parser = parse_size)]
        max_size: Option<u64>,
        /// Remove what has not been used for this long: 12h, 30d, 4w.
        #[arg(long, value_name = "TIME", group = "criteria", value_parser = parse_duration)]
        older_than: Option<Duration>,
        /// Only report what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What is built.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectionArguments {
    /// Version strings such as 3.12.10 or 3.12.10-atls, or `all`.
    #[arg(value_name = "VERSION", required = true)]
    pub versions: Vec<String>,
    /// Platforms to build for. `all` is those that `roots` in the version's package.json name, or all five without that
    /// file. Defaults to this machine's platform.
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub platform: Vec<String>,
}

/// Options of a build: what of `plan` and `lock` decides the rows, and what only a build can use.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildArguments {
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Show the plan and stop, as `builder plan` does.
    #[arg(long)]
    pub dry_run: bool,
    /// Build exactly what lock.json says, or fail.
    #[arg(long)]
    pub locked: bool,
    /// Also run the import check for other platforms: Linux in qemu-user, Windows in wine (see scripts/emulators).
    #[arg(long)]
    pub emulate: bool,
    /// Folder for artifacts and manifests [default: dist in the repository].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Formats of the artifact, separated by commas: tar.zst, tar.gz, tar, zip [default: tar.zst].
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = artifact_format)]
    pub format: Vec<ArtifactFormat>,
    /// Compression level of the artifact, 1 to 22 for tar.zst, to 9 for tar.gz and zip.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=22))]
    pub level: Option<i32>,
    #[command(flatten)]
    pub sources: SourceArguments,
}

/// Options of `plan`: a build's that decide rows; it makes nothing.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanArguments {
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Plan exactly what lock.json says, or fail.
    #[arg(long)]
    pub locked: bool,
    #[command(flatten)]
    pub sources: SourceArguments,
}

/// Options of `lock`, which asks the indexes anew and so cannot be held to a lock.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct LockArguments {
    #[command(flatten)]
    pub selection: SelectionArguments,
    #[command(flatten)]
    pub sources: SourceArguments,
}

/// Options of `export`: what a locked build takes, for machines without a network.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportArguments {
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Machines that will build from the folder. Defaults to this machine's platform.
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub for_host: Vec<String>,
    /// The folder. What is sound there stays, what is damaged is replaced.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    pub to: Option<PathBuf>,
    /// Only print what a mirror of the indexes must hold: names, versions and digests.
    #[arg(long, conflicts_with = "to")]
    pub list: bool,
    #[command(flatten)]
    pub sources: SourceArguments,
}

/// What may be taken, and from where.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
#[command(next_help_heading = "What may be taken, and from where")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct SourceArguments {
    /// Use no network: everything must be in the store, or in a remote store that is a folder.
    #[arg(long)]
    pub offline: bool,
    /// Refuse another patch release of Python than the one asked for (implied by --locked and by CI=true).
    #[arg(long)]
    pub exact: bool,
    /// Use the nearest patch release if the one asked for is not available, even with --locked or CI=true.
    #[arg(long, conflicts_with = "exact")]
    pub allow_stand_in: bool,
    /// Turn warnings into errors, except those that --exact and --fail-on-missing control.
    #[arg(long)]
    pub strict: bool,
    /// Leave out what is not available, with a warning, instead of failing. Also accepts a lock that lacks packages.
    #[arg(long, conflicts_with = "fail_on_missing")]
    pub allow_missing: bool,
    /// Fail if any package would be left out, even if the configuration says `strictMissing: false`.
    #[arg(long)]
    pub fail_on_missing: bool,
    /// Run no code of any source distribution, repository or folder, not even to read its metadata.
    #[arg(long)]
    pub no_build: bool,
    /// Treat a missing or invalid shared-config.json as empty.
    #[arg(long)]
    pub lenient_config: bool,
    /// Base URL or folder with python-build-standalone's releases [env: PYDIST_PYTHON_MIRROR].
    #[arg(long, value_name = "URL|DIR")]
    pub python_mirror: Option<String>,
    /// A store that machines share: a folder, `s3://bucket/prefix[?endpoint=…&region=…&profile=…]` or
    /// `ais://bucket/prefix[?endpoint=…]` [env: PYDIST_REMOTE_STORE].
    #[arg(long, value_name = "URL|DIR")]
    pub remote_store: Option<String>,
    /// A folder that `builder export` made; must hold everything that is needed [env: PYDIST_FROM].
    #[arg(long, value_name = "DIR", conflicts_with = "remote_store")]
    pub from: Option<PathBuf>,
    /// Only read from the remote store [env: PYDIST_REMOTE_STORE_READ_ONLY=true].
    #[arg(long)]
    pub remote_store_read_only: bool,
    /// With --offline, use the remote store even if it is a bucket or a cluster, such as one on this machine or in the
    /// same network [env: PYDIST_REMOTE_STORE_OFFLINE=true].
    #[arg(long)]
    pub remote_store_offline: bool,
    #[command(flatten)]
    pub downloads: DownloadArguments,
}

impl From<&PlanArguments> for BuildArguments {
    fn from(plan: &PlanArguments) -> Self {
        let PlanArguments { selection, locked, sources } = plan.clone();
        Self { selection, locked, sources, dry_run: true, ..Self::default() }
    }
}

/// An export takes what a locked build takes.
impl From<&ExportArguments> for BuildArguments {
    fn from(export: &ExportArguments) -> Self {
        let ExportArguments { selection, sources, .. } = export.clone();
        Self { selection, sources, locked: true, ..Self::default() }
    }
}

/// `builder lock` is a plan that writes what it has resolved.
impl From<&LockArguments> for BuildArguments {
    fn from(lock: &LockArguments) -> Self {
        let LockArguments { selection, sources } = lock.clone();
        Self { selection, sources, dry_run: true, ..Self::default() }
    }
}

fn artifact_format(text: &str) -> Result<ArtifactFormat, String> {
    let known = ArtifactFormat::ALL.into_iter().find(|format| format.extension() == text);
    known.ok_or_else(|| "the formats are tar.zst, tar.gz, tar and zip".to_owned())
}

/// Options that stand before or behind the name of any command.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    /// The repository; defaults to the nearest one above the working directory.
    #[arg(long, value_name = "DIR", global = true)]
    pub repository: Option<PathBuf>,
    /// The store; defaults to the user's cache folder [env: PYDIST_STORE].
    #[arg(long, value_name = "DIR", global = true)]
    pub store_dir: Option<PathBuf>,
    /// How many things to do at once; defaults to the number of processors.
    #[arg(long, short, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub show: ShowOptions,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        BuilderArguments::command().debug_assert();
    }

    #[test]
    fn every_command_ends_its_help_with_examples_that_parse() {
        assert_eq!(cli::faulty_examples::<BuilderArguments>(), [""; 0]);
    }

    #[test]
    fn what_is_no_command_gets_a_tip() {
        for (word, tip) in [
            ("build", "a build needs no command: `builder 3.12.10`"),
            ("plna", "did you mean `builder plan`?"),
            ("prune", "did you mean `builder store prune`?"),
        ] {
            let error = BuilderArguments::try_parse_from(["builder", word, "3.12.10"])
                .and_then(BuilderArguments::checked)
                .unwrap_err();
            assert!(error.to_string().contains(tip), "{error}");
        }
        let unlike = BuilderArguments::try_parse_from(["builder", "frobnicate"]).and_then(BuilderArguments::checked);
        assert!(unlike.is_ok(), "told with the versions that there are");
    }

    #[test]
    fn a_command_behind_its_versions_gets_the_right_order() {
        for (words, tip) in [
            (&["3.14.6", "plan"][..], "a command comes first: `builder plan 3.14.6`"),
            (&["3.14.6", "lock", "3.12.10"], "`builder lock 3.14.6 3.12.10`"),
            (&["all", "plan", "--platform", "all"], "`builder plan all`"),
        ] {
            let words = std::iter::once(&"builder").chain(words);
            let error = BuilderArguments::try_parse_from(words).and_then(BuilderArguments::checked).unwrap_err();
            assert!(error.to_string().contains(tip), "{error}");
        }
    }

    #[test]
    fn an_option_of_builds_is_refused_by_plan_with_the_reason() {
        for words in [
            &["plan", "3.12.10", "--out", "x"][..],
            &["lock", "3.12.10", "--format=zip"],
            &["plan", "all", "--emulate"],
        ] {
            let error = BuilderArguments::try_parse_from(std::iter::once(&"builder").chain(words)).unwrap_err();
            let text = BuilderArguments::explained(error).to_string();
            assert!(text.contains("is an option of builds") && !text.contains("-- --"), "{text}");
        }
        let unknown = BuilderArguments::try_parse_from(["builder", "plan", "3.12.10", "--nonsense"]).unwrap_err();
        assert!(!BuilderArguments::explained(unknown).to_string().contains("option of builds"));
    }

    #[test]
    fn the_limits_that_help_names_are_those_of_downloads() {
        let settings = store::download::DownloadSettings::of(&vocab::Environment::default());
        let command = BuilderArguments::command();
        for (name, limit) in [("min_rate", settings.pace.lowest), ("max_download", settings.largest)] {
            let argument = command.get_arguments().find(|argument| argument.get_id() == name).unwrap();
            let help = argument.get_help().unwrap().to_string();
            let text = help.split_once("[default: ").and_then(|(_, rest)| rest.split(']').next()).unwrap();
            assert_eq!(parse_size(text).unwrap(), limit, "{help}");
        }
    }

    #[test]
    fn versions_and_subcommands_do_not_mix_up() {
        let parse = |words: &[&str]| {
            BuilderArguments::try_parse_from(std::iter::once(&"builder").chain(words))
                .and_then(BuilderArguments::checked)
        };
        assert_eq!(parse(&["3.12.10", "3.10.11"]).unwrap().build.selection.versions, ["3.12.10", "3.10.11"]);
        let Some(BuilderCommand::Plan(plan)) = parse(&["plan", "all", "--json"]).unwrap().command else {
            panic!("not a plan")
        };
        assert_eq!(plan.selection.versions, ["all"]);
        let before = parse(&["--json", "-j", "3", "clean", "3.12.10"]).unwrap();
        assert!(before.global.show.json && before.global.jobs == Some(3));
        let without_effect =
            [&["lock", "3.12.10", "--locked"][..], &["plan", "all", "--out", "x"], &["plan", "all", "--emulate"]];
        for mixed in [&["--locked", "plan", "3.12.10"][..], &["plan"], &[]].into_iter().chain(without_effect) {
            assert!(parse(mixed).is_err(), "for {mixed:?}");
        }
        assert!(parse(&["3.12.10", "--exact", "--allow-stand-in"]).is_err());
        for (words, accepted) in [
            (&["store", "prune", "--max-size", "20G", "--older-than", "30d"][..], true),
            (&["store", "prune", "--dry-run", "--older-than", "4w"], true),
            (&["store", "prune"], false),
            (&["store", "prune", "--max-size", "much"], false),
            (&["store", "prune", "--remote-store", "x", "--older-than", "90d"], true),
            (&["store", "prune", "--remote-store", "x", "--max-size", "20G"], false),
            (&["store", "prune", "--remote-store", "x"], false),
            (&["store", "verify", "--remote-store", "x", "--repair"], true),
            (&["store", "verify", "--remote-store", "x", "--keep"], false),
            (&["store", "verify", "--repair"], false),
            (&["store", "push"], true),
        ] {
            assert_eq!(parse(words).is_ok(), accepted, "for {words:?}");
        }
    }
}
