//! All tests of the publisher that need no programs of others, as one program.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod destinations;
mod platforma;
mod publishing;
mod support;
mod upkeep;
