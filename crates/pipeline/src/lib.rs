//! From a checked configuration to a relocatable runtime.
//!
//! A version of the repository, platforms and [`BuildOptions`](options::BuildOptions) go in; for each platform a
//! prefix, an artifact and its manifest come out. The steps are: choose the base interpreter, resolve, fetch, build
//! what has no wheel, install, copy, check, pack. [`plan`] holds everything that is decided before the first download
//! and can be printed; [`build`] acts. What acts gets a [`Context`](store::Context): the store, the downloader, where
//! events go, and the limits to keep.
//!
//! What holds: equal build keys ([`build_key`]) mean equal artifacts; a former prefix or artifact stays until the new
//! one is complete; a fault of one platform does not stop the others; and everything that is left out has a row with
//! its reason in the plan and the manifest.
//!
//! ```
//! use pipeline::plan::PlanAction;
//!
//! // Every action either installs the distribution or leaves it out with a reason.
//! assert!(PlanAction::Wheel.installs());
//! assert!(!PlanAction::NeedsNativeRunner.installs());
//! ```

mod added;
mod artifacts;
pub mod asked_once;
pub mod assemble;
pub mod build;
pub mod build_key;
pub mod build_product;
mod build_record;
pub mod clean;
pub mod consistency;
pub mod copy_files;
mod disk_space;
mod for_target;
pub mod gather;
mod known_paths;
mod local_file;
pub mod options;
mod output_folders;
mod overlay;
pub mod parts;
pub mod plan;
pub mod plan_matrix;
pub mod prefix_folder;
pub mod prepare;
pub mod settled;
mod shared_uv;
pub mod steps;
pub mod summary;
pub mod test_run;
mod up_to_date;
pub mod verify;
pub mod warnings;
