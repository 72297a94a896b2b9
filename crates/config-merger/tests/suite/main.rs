//! The crate as others use it: files in a folder in, a configuration or a text for the user out.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic as a test may")]

mod bad_input;
mod fixtures;
mod limits;
mod merging;
mod overrides_and_patch;
mod own_configs;
mod properties;
mod requirements;
mod schemas;
mod support;
