//! From a checked configuration to a relocatable runtime: choose the base interpreter, resolve, fetch, build what
//! has no wheel, install, copy, check, pack.
//!
//! Reading order: [`plan`] decides everything before the first download and can be printed; [`build`] acts.
//! What acts gets a [`Context`]: the store, the downloader, where events go, and the limits to keep.

pub mod base;
pub mod checks;
pub mod context;
pub mod copy_files;
pub mod download;
pub mod plan;
pub mod prefix_folder;
pub mod process;
pub mod resolve;
pub mod source_build;
pub mod store;
#[cfg(test)]
mod testing;
pub mod tree_layout;
pub mod version_check;
pub mod wheel;

pub use context::Context;
