//! All tests of archives, as one program, but for two that need a process of their own: `memory` and `interrupt`.

mod command_line;
mod common;
mod fetch;
mod hostile;
mod hostile_zip;
mod listing;
mod manifest;
#[cfg(unix)]
mod packing;
#[cfg(unix)]
mod roundtrip;
mod runtime;
#[cfg(unix)]
mod zip;
