//! The command line, and nothing but its shape.

use std::path::PathBuf;

use catalogue::Channel;
use clap::{Args, Parser, Subcommand, ValueEnum};
use cli::{CommandLine, ShowOptions};
use vocab::PlatformKey;

/// Publish runtimes to a folder or an S3 bucket, and maintain what is published.
#[derive(Debug, Parser)]
#[command(
    name = "publisher",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 the network, a server or the disk failed, 2 usage, 3 publishing was refused, \
                  4 a digest or a signature cannot be trusted."
)]
pub struct PublisherArguments {
    #[command(subcommand)]
    pub command: PublisherCommand,
    #[command(flatten)]
    pub global: GlobalArguments,
}

#[derive(Debug, Subcommand)]
pub enum PublisherCommand {
    /// Publish artifacts: their manifests, SBOMs, provenance and signatures, an entry for each, and the index.
    #[command(after_help = "Examples:
  publisher publish
  publisher publish dist/pydist-atls-3.12.10-linux-x86_64.tar.zst --to s3://bucket/runtimes
  publisher publish --to 'ais://runtimes/python?endpoint=http://ais.example.com:8080'
  publisher publish --layout platforma --to published")]
    Publish(PublishArguments),
    /// Rewrite the index from the entries: catalogue.json, the same signed, the site, and uv's lists.
    ///
    /// With a key this renews the signed catalogue, which readers with a public key refuse once it has expired.
    #[command(after_help = "Examples:
  publisher reindex --public-url https://runtimes.example.com
  publisher reindex --key pydist.key --valid-days 30")]
    Reindex {
        #[command(flatten)]
        signing: SigningArguments,
        /// Sign with this key even though another one signed before.
        #[arg(long)]
        change_key: bool,
        /// How many days a signed catalogue is valid; remembered at the destination [default: 90].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
        valid_days: Option<u32>,
        /// How readers reach the destination, `https://host/prefix`; remembered at the destination. uv's lists need it.
        #[arg(long, value_name = "URL")]
        public_url: Option<String>,
        /// Title of the site; remembered at the destination.
        #[arg(long, value_name = "TEXT")]
        title: Option<String>,
    },
    /// Show what is published.
    #[command(after_help = "Examples:
  publisher list
  publisher list --all --json")]
    List {
        /// Include retracted entries.
        #[arg(long)]
        all: bool,
    },
    /// Show all details of entries.
    #[command(after_help = "Examples:
  publisher show 3.12.10
  publisher show 3.12.10-atls --platform linux-x64")]
    Show {
        #[command(flatten)]
        which: WhichArguments,
    },
    /// Read everything that entries refer to, and verify digests, signatures and the index.
    #[command(after_help = "Examples:
  publisher verify
  publisher verify 3.12.10 --public-key pydist.pub")]
    Verify {
        /// Defaults to all entries.
        #[arg(value_name = "VERSION|ID|DIGEST")]
        wanted: Option<String>,
        #[arg(long, value_name = "KEY")]
        platform: Option<PlatformKey>,
        /// The key that must have signed: a public key, or a `.pub` file.
        #[arg(long, value_name = "KEY|FILE")]
        public_key: Option<String>,
    },
    /// Remove entries from the index. Their artifacts remain available by digest; `restore` undoes it.
    #[command(after_help = "Examples:
  publisher retract 3.12.10 --platform windows-x64 --reason CVE-2026-1234")]
    Retract {
        #[command(flatten)]
        which: WhichArguments,
        /// Why, in one sentence; shown to readers.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        signing: SigningArguments,
    },
    /// Put retracted entries back into the index, as if they had not been retracted.
    #[command(after_help = "Examples:
  publisher restore 3.12.10 --platform windows-x64")]
    Restore {
        #[command(flatten)]
        which: WhichArguments,
        #[command(flatten)]
        signing: SigningArguments,
    },
    /// Move entries to another channel.
    #[command(after_help = "Examples:
  publisher promote 3.12.10
  publisher promote 3.12.10-atls --channel candidate")]
    Promote {
        #[command(flatten)]
        which: WhichArguments,
        #[arg(long, default_value = "stable")]
        channel: Channel,
        #[command(flatten)]
        signing: SigningArguments,
    },
    /// Remove objects that no entry refers to, and what interrupted uploads left.
    #[command(after_help = "Examples:
  publisher gc --dry-run
  publisher gc --older-than-days 30")]
    Gc {
        /// Only report what would be removed.
        #[arg(long)]
        dry_run: bool,
        /// Keep anything younger; another publisher may still be using it.
        #[arg(long, value_name = "N", default_value_t = 7)]
        older_than_days: u32,
    },
    /// Create a key pair for signing: DIR/pydist.key and DIR/pydist.pub.
    ///
    /// DIR/pydist.pem is the same public key, for tools without support for minisign. The password comes from
    /// PYDIST_SIGNING_PASSWORD or, with --password, from the terminal.
    #[command(after_help = "Examples:
  publisher keygen keys --password")]
    Keygen {
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
        /// Ask for a password.
        #[arg(long)]
        password: bool,
    },
}

#[derive(Args, Debug)]
pub struct WhichArguments {
    #[arg(value_name = "VERSION|ID|DIGEST")]
    pub wanted: String,
    #[arg(long, value_name = "KEY")]
    pub platform: Option<PlatformKey>,
}

/// See [`PublishArguments::layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PublishLayout {
    Pydist,
    Platforma,
}

#[derive(Args, Debug)]
pub struct SigningArguments {
    /// A minisign secret key. Its content may also be in PYDIST_SIGNING_KEY, its password in PYDIST_SIGNING_PASSWORD.
    #[arg(long, value_name = "FILE", visible_alias = "signing-key")]
    pub key: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct PublishArguments {
    /// An artifact that `builder` wrote, with its manifest beside it; defaults to everything in dist/.
    #[arg(value_name = "ARTIFACT")]
    pub artifacts: Vec<PathBuf>,
    /// Layout of the destination: `pydist` with a catalogue, or `platforma`, where Platforma's backend finds archives by
    /// the descriptors that its packages carry.
    ///
    /// In Platforma's layout, each artifact belongs to the package of its version, `python-VERSION/package.json`, and goes to the
    /// registry named there: PL_REGISTRY_NAME_UPLOAD_URL says where that is, `s3://bucket/prefix?region=…`,
    /// `s3e://host/bucket/prefix` or a folder, unless --to is given.
    #[arg(long, value_name = "LAYOUT", default_value = "pydist")]
    pub layout: PublishLayout,
    /// In Platforma's layout: publish although some platforms of the package are missing. The run that completes them
    /// writes the descriptor.
    #[arg(long)]
    pub partial: bool,
    /// In Platforma's layout: repack the trees below `roots`, which were signed after they were built. The artifacts of the
    /// same builds still decide whether publishing is refused.
    #[arg(long)]
    pub from_roots: bool,
    /// In pydist's layout: the channel of the entries [default: candidate].
    #[arg(long, value_name = "NAME")]
    pub channel: Option<Channel>,
    /// Check everything and show what would be published.
    #[arg(long)]
    pub dry_run: bool,
    /// Replace existing entries.
    #[arg(long, conflicts_with = "fail_existing")]
    pub force: bool,
    /// Fail if an entry already exists, instead of keeping it with a warning.
    #[arg(long)]
    pub fail_existing: bool,
    #[command(flatten)]
    pub signing: SigningArguments,
    /// In pydist's layout: URI of the build machine's operator, for provenance; detected on GitHub and GitLab.
    #[arg(long, value_name = "URI")]
    pub builder_id: Option<String>,
    /// The repository with the committed lock files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repository: PathBuf,
    /// Allow another patch release of Python than the one asked for.
    #[arg(long)]
    pub allow_stand_in: bool,
    /// Allow runtimes without packages that were not available.
    #[arg(long)]
    pub allow_missing: bool,
    /// Allow runtimes without packages that the policy left out.
    #[arg(long)]
    pub allow_left_out: bool,
    /// Allow runtimes that were built from an empty configuration.
    #[arg(long)]
    pub allow_degraded: bool,
    /// Allow native modules that were never imported because the runtime was built on another platform: Windows,
    /// macOS or another processor.
    #[arg(long)]
    pub allow_unchecked: bool,
    /// Allow runtimes that were built from other rows than lock.json has.
    #[arg(long)]
    pub allow_other_lock: bool,
    /// Publish what was built from another configuration than the repository has now.
    #[arg(long)]
    pub allow_other_config: bool,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    /// A folder, `s3://bucket/prefix[?endpoint=…&region=…&profile=…]` or `ais://bucket/prefix[?endpoint=…]`
    /// [env: PYDIST_PUBLISH_TO] [default: published].
    #[arg(long, value_name = "URL|DIR", global = true)]
    pub to: Option<String>,
    #[command(flatten)]
    pub show: ShowOptions,
}

impl CommandLine for PublisherArguments {
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
        assert_eq!(cli::faulty_examples::<PublisherArguments>(), [""; 0]);
    }

    #[test]
    fn the_command_line_is_well_formed() {
        PublisherArguments::command().debug_assert();
    }
}
