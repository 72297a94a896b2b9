//! The program with the real SDK, from the index that uv uses. Its last lines say which Pythons
//! `scripts/test` did not find; their tests are left out.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod ahead;
mod baking;
mod built;
mod classes;
mod cluster;
mod contract;
mod hop;
mod packages;
mod places;
mod pod;
mod pythons;
mod registering;
mod running;
mod support;
