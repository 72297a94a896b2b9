//! What can be said of a prefix without running anything in it: what a finished prefix must satisfy before it is packed.
//!
//! [`native_files`] reads every binary, for any platform; [`paths`] looks for paths of the building machine; [`names`]
//! for names that a file system cannot hold. [`whitelist`] says which faults are accepted, here and by the import check.
//! The rules and their reasons are in `docs/checks.md`. Nothing here changes the prefix.

mod exceptions;
mod module_name;
pub mod names;
pub mod native_files;
pub mod paths;
pub mod system_libraries;
pub mod whitelist;

pub use exceptions::{Exception, Exceptions};
pub use module_name::{is_identifier, is_test_helper, module_name_of};
pub use native_files::{Ceilings, NativePolicy, NativeReport, check_native_files};
pub use paths::leaked_paths;
pub use whitelist::Whitelist;
