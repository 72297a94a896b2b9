//! All tests of fetching, as one program.

mod cluster;
mod fetch;
