//! Base interpreters for real, from every source, as one program.
#![cfg(target_os = "linux")]

#[cfg(target_arch = "x86_64")]
mod go_module;
#[cfg(target_arch = "x86_64")]
mod mirror;
#[path = "../suite/support.rs"]
mod support;
mod system;
