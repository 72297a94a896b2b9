//! How long programs that fetch something wait for a server.

use std::time::Duration;

use clap::Args;

use crate::{parse_duration, parse_size};

/// The limits of a program that downloads. Flattened into its arguments, so the comments of the fields are help texts.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct TransferOptions {
    /// Give up a server that sends less than this per second, measured over a minute; 0 never gives up.
    #[arg(long, value_name = "SIZE", default_value = "1K", value_parser = parse_size)]
    pub min_rate: u64,
    /// Give up if the transfer takes longer than this, such as 90s or 30m; no limit by default.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_time: Option<Duration>,
}
