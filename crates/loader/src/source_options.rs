//! The options of commands that read a catalogue.

use catalogue::Channel;
use clap::Args;
use vocab::PlatformKey;

/// The group of [`SourceOptions`] on a command line.
pub const SOURCE_OPTIONS: &str = "SourceOptions";

/// Where runtimes were published, and what of it counts.
#[derive(Args, Clone, Debug)]
pub struct SourceOptions {
    /// Where runtimes were published: the URL or folder with catalogue.json, a bucket `s3://bucket/prefix`, or a place in an
    /// AIStore cluster, `ais://bucket/prefix?endpoint=http://host:port`. Defaults to PYDIST_FROM, then to the source that
    /// `pydist source set` remembered.
    #[arg(long, value_name = "URL|DIR")]
    pub from: Option<String>,
    /// candidate: all builds; stable: those that were promoted.
    #[arg(long, default_value = "stable")]
    pub channel: Channel,
    /// Defaults to this machine's platform.
    #[arg(long, value_name = "KEY")]
    pub platform: Option<PlatformKey>,
    /// A minisign public key, or a file with one; anything it did not sign is refused. May be repeated to accept several.
    /// Not needed for a source that is remembered with keys.
    #[arg(long, value_name = "FILE|KEY")]
    pub public_key: Vec<String>,
    /// Use no network: only what is installed, and the catalogue that was read last.
    #[arg(long)]
    pub offline: bool,
}
