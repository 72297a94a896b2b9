//! All tests of base interpreters that need no network, as one program.
#![cfg(unix)]

mod sharing;
mod sources;
mod support;
