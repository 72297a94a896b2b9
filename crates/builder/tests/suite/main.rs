//! All tests of the builder that need neither network, uv nor Python, as one program.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod command_line;
mod desk;
mod job;
mod packages;
mod remote_store;
mod survey;
