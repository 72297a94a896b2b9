//! Base interpreters for real, from every source, as one program.
#![cfg(target_os = "linux")]

#[cfg(target_arch = "x86_64")]
mod go_module;
#[cfg(target_arch = "x86_64")]
mod mirror;
#[path = "../suite/support.rs"]
mod support;
mod system;

#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;

/// What these tests know of the Go module: each release is verified once for all of them, as one command does for its platforms.
#[cfg(target_arch = "x86_64")]
static GO_MODULES: LazyLock<interpreter::GoModules> = LazyLock::new(Default::default);

/// For trees that are only read.
#[cfg(target_arch = "x86_64")]
static SHARED_STORE: LazyLock<support::Bench> = LazyLock::new(|| support::Bench::new(&support::folder("go-shared")));
