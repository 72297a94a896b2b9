//! AIStore for tests: a server that answers as a test says, one that keeps objects in memory, a real cluster where there is a
//! program for one, and a relay before it.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

#[cfg(unix)]
mod cluster;
mod memory;
mod relay;
mod server;

#[cfg(unix)]
pub use cluster::{Cluster, aisnode_with_etl};
pub use memory::AIStoreMemory;
pub use relay::Relay;
pub use server::{AIStoreMishap, AIStoreReply, AIStoreRequest, FakeAIStore, error, redirect, reply};
