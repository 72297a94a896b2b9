//! All tests of fetching, as one program.

mod cluster;
#[path = "../../../archive/tests/suite/common.rs"]
mod common;
mod fetch;
mod runtime;
