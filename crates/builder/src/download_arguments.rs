//! The options of every command that may download something.

use clap::Args;
use cli::parse_size;

/// Options of every command that may download something. What is not given is [`store::download::DownloadSettings`]' own.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct DownloadArguments {
    /// Give up a server that sends less than this per second, measured over a minute; 0 never gives up
    /// [default: 1K].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub min_rate: Option<u64>,
    /// The largest file to download if neither the lock nor the index states a size [default: 10G].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_download: Option<u64>,
}
