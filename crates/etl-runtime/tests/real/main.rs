//! The program with the real SDK, from the index that uv uses. Where uv or a Python is missing, its tests print why they
//! were left out.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod classes;
mod cluster;
mod contract;
mod hop;
mod packages;
mod registering;
mod running;
mod support;
