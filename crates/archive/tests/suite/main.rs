//! All tests of archives, as one program, but for `memory`, which needs a process of its own.

mod hostile;
mod hostile_zip;
mod listing;
mod manifest;
#[cfg(unix)]
mod packing;
#[cfg(unix)]
mod roundtrip;
#[cfg(unix)]
mod zip;
