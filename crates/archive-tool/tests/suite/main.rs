//! All tests of the program, as one, but for `interrupt`, which needs a process of its own.

mod command_line;
#[path = "../../../archive/tests/suite/common.rs"]
mod common;
#[path = "../../../fetch/tests/suite/runtime.rs"]
mod runtime;
