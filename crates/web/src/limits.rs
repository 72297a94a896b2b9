//! How long a server may take, for one request and for all.

use std::time::Duration;

use crate::{Deadline, Pace};

/// How long a server may take. The default bounds silence, but not the whole.
#[derive(Clone, Copy, Debug)]
pub struct WebLimits {
    /// Limit for finding the host, connecting and the TLS handshake.
    pub connect: Duration,
    /// The longest silence: before an answer begins, including the connection, and in the middle of it.
    pub stall: Duration,
    /// The lowest accepted rate once an answer has begun.
    pub pace: Pace,
    /// Shared by all requests.
    pub deadline: Option<Deadline>,
}

impl Default for WebLimits {
    fn default() -> Self {
        let (connect, stall) = (Duration::from_secs(10), Duration::from_secs(30));
        Self { connect, stall, pace: Pace::default(), deadline: None }
    }
}
