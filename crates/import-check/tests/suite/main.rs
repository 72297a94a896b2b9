//! The import check, spec 2.8, cases C1 to C6, with a real interpreter: a virtual environment of the `python3` on
//! PATH, into which small packages are written by hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod exits;
mod failures;
mod isolation;
mod memory;
mod native_modules;
mod support;
mod whitelists;
