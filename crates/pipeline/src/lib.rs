//! From a checked configuration to a relocatable runtime: choose the base interpreter, resolve, fetch, build what
//! has no wheel, install, copy, check, pack.
//!
//! Reading order: [`plan`] decides everything before the first download and can be printed; [`build`] acts.
//! What acts gets a [`Context`](store::Context): the store, the downloader, where events go, and the limits to keep.

mod artifacts;
pub mod assemble;
pub mod build;
pub mod build_key;
pub mod clean;
pub mod consistency;
pub mod copy_files;
mod disk_space;
mod for_target;
pub mod gather;
pub mod options;
mod overlay;
pub mod parts;
pub mod plan;
pub mod plan_matrix;
pub mod prefix_folder;
pub mod prepare;
pub mod steps;
pub mod summary;
pub mod test_run;
#[cfg(test)]
mod testing;
pub mod upkeep;
pub mod verify;
pub mod warnings;
