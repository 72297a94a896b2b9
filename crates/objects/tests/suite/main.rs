//! All tests of places that need no programs of others, as one program.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod folder;
mod signed_bucket;
