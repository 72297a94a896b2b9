//! Tests of the upkeep of a store and of a remote store, as one program.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod local_store;
mod meanwhile;
mod remote_store;
