//! AIStore for tests: a server that answers as a test says, and one that keeps objects in memory.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod memory;
mod server;

pub use memory::Memory;
pub use server::{Fake, Mishap, Reply, Request, error, redirect, reply};
