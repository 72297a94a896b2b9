//! Tables, with the pandas and pyarrow that the index has. Downloads them once.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod arrow_tables;
#[expect(dead_code, reason = "the other program uses the rest")]
#[path = "../suite/support.rs"]
mod support;
mod tables;
mod virtual_env;
