//! What a finished prefix must satisfy before it is packed.
//!
//! [`native_files`] reads every binary, for any platform, without running it; [`imports`] runs the prefix's own
//! interpreter and imports every native module; [`paths`] looks for paths of the building machine. The rules and
//! their reasons are in `docs/checks.md`. Nothing here changes the prefix.

mod exceptions;
pub mod imports;
pub mod names;
pub mod native_files;
pub mod paths;
pub mod whitelist;

pub use exceptions::{Exception, Exceptions};
pub use imports::{CheckedDistribution, ImportCheck, ImportReport, check_imports};
pub use native_files::{Ceilings, NativePolicy, NativeReport, check_native_files};

pub use paths::leaked_paths;
pub use whitelist::Whitelist;
