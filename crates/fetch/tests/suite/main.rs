//! All tests of fetching, as one program.

mod cluster;
mod fetch;
mod resume;
#[cfg(unix)]
mod share;
