//! Tests of single steps of the way to an artifact, as one program. Whole builds stand with the builder.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod copy_files;
