//! All tests of running programs, as one program.

mod everywhere;
#[cfg(unix)]
mod run;
mod support;
