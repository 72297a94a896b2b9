//! How long the bytes of an answer may take. A silent server exceeds [`crate::WebLimits::stall`]; one that sends a byte
//! now and then exceeds these.

use std::fmt;
use std::time::{Duration, Instant};

/// The lowest accepted rate of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// In bytes per second; 0: no limit.
    pub lowest: u64,
    /// The time over which it is measured.
    pub window: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { lowest: 1000, window: Duration::from_secs(60) }
    }
}

/// When everything must have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub at: Instant,
    /// The limit as requested, for messages.
    pub limit: Duration,
}

impl Deadline {
    /// `None` for a time that this machine's clock cannot represent, which is as good as no limit.
    pub fn after(limit: Duration) -> Option<Self> {
        Instant::now().checked_add(limit).map(|at| Self { at, limit })
    }

    /// Zero when it has passed.
    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// A limit that ended an answer; the source of an [`std::io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverLimit {
    /// In bytes per second.
    TooSlow { rate: u64, pace: Pace },
    /// Not everything arrived before the [`Deadline`].
    Late { limit: Duration },
}

impl fmt::Display for OverLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow { rate, pace } => write!(
                formatter,
                "the server sent {rate} B/s over {} s, and at least {} B/s are asked for",
                pace.window.as_secs(),
                pace.lowest
            ),
            Self::Late { limit } => write!(formatter, "it did not finish within {} s", limit.as_secs_f32()),
        }
    }
}

impl std::error::Error for OverLimit {}

/// Measures one window after another. Pure: times are passed in. [`crate::AnswerBody`] has one; code that reads an
/// answer's bytes in another way makes its own.
#[derive(Clone, Copy, Debug)]
pub struct PaceMeter {
    pace: Pace,
    bytes: u64,
    waited: Duration,
}

impl PaceMeter {
    /// Starts the first window; a `pace` of 0 is never too slow.
    pub fn new(pace: Pace) -> Self {
        Self { pace, bytes: 0, waited: Duration::ZERO }
    }

    /// `bytes` arrived after waiting for `waited`; time spent on other work does not count.
    pub fn advance(&mut self, bytes: u64, waited: Duration) -> Result<(), OverLimit> {
        self.bytes += bytes;
        self.waited += waited;
        if self.pace.lowest == 0 || self.waited < self.pace.window {
            return Ok(());
        }
        let rate = self.bytes as f64 / self.waited.as_secs_f64().max(f64::MIN_POSITIVE);
        if rate < self.pace.lowest as f64 {
            return Err(OverLimit::TooSlow { rate: rate as u64, pace: self.pace });
        }
        (self.bytes, self.waited) = (0, Duration::ZERO);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_11_a_server_is_too_slow_by_its_rate_over_a_window() {
        let pace = Pace { lowest: 1000, window: Duration::from_secs(60) };
        type Case<'a> = (&'a str, Pace, &'a [(u64, u64)], Option<u64>);
        let cases: [Case<'_>; 7] = [
            // (what, pace, bytes and seconds waited for them, the rate that is too low)
            ("one byte a second", pace, &[(1, 1); 60], Some(1)),
            ("one byte a second, not yet a window", pace, &[(1, 1); 59], None),
            ("just enough", pace, &[(1000, 1); 200], None),
            ("a burst after a silence", pace, &[(1, 59), (100_000, 1)], None),
            ("fast, then slow", pace, &[(10_000_000, 60), (999, 1), (0, 59)], Some(16)),
            ("one silence longer than a window", pace, &[(1, 600)], Some(0)),
            ("no limit", Pace { lowest: 0, ..pace }, &[(1, 3600); 10], None),
        ];
        for (what, pace, pieces, expected) in cases {
            let mut meter = PaceMeter::new(pace);
            let ended =
                pieces.iter().find_map(|(bytes, seconds)| meter.advance(*bytes, Duration::from_secs(*seconds)).err());
            let rate = ended.map(|over| match over {
                OverLimit::TooSlow { rate, .. } => rate,
                OverLimit::Late { .. } => panic!("{what}"),
            });
            assert_eq!(rate, expected, "{what}");
        }
    }
}
