//! The decision, the settings and the names, against tables of their own.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod decision;
mod error_texts;
mod fixtures;
mod names;
mod probing;
mod reading;
mod scanning;
mod settings;
mod zips;
