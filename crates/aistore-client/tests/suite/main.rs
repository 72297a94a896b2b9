//! All tests of the client that need no server but a fake one, as one program. The numbers are explained in
//! docs/test-numbers.md.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod fake;

mod buckets;
mod content;
mod former;
mod jobs;
mod listing;
mod names;
mod redirects;
mod refusals;
