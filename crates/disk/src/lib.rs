//! How files and folders come to be on a disk, on all systems: a finished file takes its place in one step, what is installed
//! has the same modes everywhere, and a tree of read-only files can be removed.
//!
//! ```
//! use std::io::Write as _;
//!
//! let folder = tempfile::tempdir()?;
//! let target = folder.path().join("lock.json");
//! let mut file = disk::FileBeside::beside(&target, ".lock-")?;
//! file.write_all(b"{}")?;
//! assert!(!target.exists(), "nobody sees half of it");
//! file.replace(&target)?;
//! assert_eq!(std::fs::read(&target)?, b"{}");
//! # Ok::<(), std::io::Error>(())
//! ```

mod in_place;
mod mode;
mod names;
mod remove_tree;

pub use in_place::{FileBeside, RANDOM_CHARACTERS, has_passing_name, hold, rename, sweep, sweep_idle, take_abandoned};
pub use mode::{
    make_folder, make_folders, make_masked_folder, make_shared_folders, set_file_mode, set_mode, share_file,
};
pub use names::names_of;
pub use remove_tree::remove_tree;
