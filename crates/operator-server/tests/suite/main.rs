//! Servers on the Python of this machine: what they run, how they end, what they refuse.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod calls;
mod ends;
mod error_texts;
mod hostile_frames;
mod support;
mod values;
