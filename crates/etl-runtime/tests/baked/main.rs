//! What is made before any pod starts: deltas and images. The tests of `bake` ask an index on loopback through the real uv.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod bake;
mod delta;
mod image;
mod support;
