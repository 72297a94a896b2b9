//! What is made before any pod starts: deltas and images, of runtimes that are never started. Nothing here needs a network or a
//! program; what does is in `tests/real`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

#[cfg(target_os = "linux")]
mod delta;
mod image;
#[cfg(target_os = "linux")]
mod support;
