//! What a finished prefix must satisfy before it is packed, checked without running anything in it.
//!
//! A prefix and a policy go in; faults come out as plain data, with the distribution that each file belongs to.
//! [`native_files`] reads every binary, for any platform; [`paths`] looks for paths of the building machine; [`names`]
//! for names that a file system cannot hold. [`whitelist`] holds the faults that are accepted, here and by the import
//! check, and [`Exceptions`] prints new faults as entries to paste into it. The rules and their reasons are in
//! `docs/checks.md`. Nothing here changes the prefix, and the answer does not depend on the machine that gives it.
//!
//! ```
//! use static_checks::names::check_names;
//! use vocab::{PlatformKey, TreePath};
//!
//! let upper: TreePath = "share/README".parse()?;
//! let lower: TreePath = "share/readme".parse()?;
//! let paths = [(&upper, "package a"), (&lower, "package b")];
//! assert!(check_names(paths, PlatformKey::LinuxX64).is_ok());
//! // Windows and macOS have one file where Linux has two.
//! let fault = check_names(paths, PlatformKey::WindowsX64).unwrap_err();
//! assert!(fault.to_string().contains("package b"));
//! # Ok::<(), vocab::TreePathError>(())
//! ```

mod exceptions;
mod module_name;
pub mod names;
pub mod native_files;
pub mod paths;
pub mod system_libraries;
pub mod whitelist;

pub use exceptions::{DistributionException, Exceptions};
pub use module_name::{is_identifier, is_test_helper, module_name_of};
pub use native_files::{NativePolicy, NativeReport, SystemCeilings, check_native_files};
pub use paths::leaked_paths;
pub use whitelist::Whitelist;
