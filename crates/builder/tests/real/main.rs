//! The real builder with the real uv, interpreters and emulators, as one program.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod build_circumstances;
mod build_formats;
mod build_lock;
mod build_outcome;
mod build_policy;
mod build_sources;
mod byte_code;
mod credentials;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod emulated;
mod export;
mod fewer_programs;
mod foreign;
mod jobs;
mod kinds;
mod platforms;
mod registries;
mod shared_uv;
mod store;
mod support;
mod survey;
#[cfg(target_pointer_width = "64")]
mod uv_installs;
mod wheelhouse;
