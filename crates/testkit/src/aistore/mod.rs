//! AIStore for tests: a server that answers as a test says, and one that keeps objects in memory.

mod memory;
mod server;

pub use memory::Memory;
pub use server::{Fake, Mishap, Reply, Request, error, redirect, reply};
