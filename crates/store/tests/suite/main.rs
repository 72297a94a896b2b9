//! All tests of the store and its downloads, as one program.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

#[cfg(unix)]
mod credentials;
mod download;
mod export;
mod remote;
mod shared;
