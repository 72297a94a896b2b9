//! The client against real programs: AIStore's server and its Python SDK. Neither comes with this repository; where one
//! is missing, its tests print why they were left out. docs/aistore.md says how they are found.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod buckets;
mod objects;
mod pressure;
mod s3;
mod scratch;
mod sdk;
