//! The base interpreter: the relocatable CPython that a runtime stands on.
//!
//! [`choose`] asks the configured sources which of them has the release, without downloading anything big;
//! [`provide`] gets it, makes it relocatable and free of the building machine's paths, and keeps it in the store
//! under its identity. Four sources: `python-build-standalone` (releases pinned in a table, or a mirror), `archive`
//! (a pinned file of the configuration), `go-module` (trimmed trees inside a Go module) and `system` (a CPython of
//! this machine, copied and made portable).
//!
//! What a finished tree looks like: the interpreter and the scripts in `bin/`, the standard library in the place
//! that [`TreeLayout`](vocab::TreeLayout) names, pip as the only distribution, no bytecode, no static
//! libraries, and no absolute path of the building machine ([`absolute_paths_left`]).

mod archive_source;
mod build_settings;
mod certificates;
mod choose;
mod content;
mod disk;
mod elf;
mod error;
mod file_table;
mod go_module;
mod go_tree;
mod go_zip;
pub mod host_python;
mod known;
mod libraries;
mod mach_o;
mod mirror;
mod normalise;
mod paths_in_text;
mod paths_left;
mod pip;
mod probe;
mod programs;
mod provide;
mod records;
mod request;
mod scripts;
mod standalone;
mod system;
mod system_copy;
mod system_files;
mod trial;
mod unpack;
mod upstream_libraries;
pub mod version_check;
mod windows;

pub use choose::choose;
pub use error::{BaseError, BaseErrorKind};
pub use file_table::FileTable;
pub use go_module::GoModules;
pub use known::{KnownBase, known};
pub use paths_left::absolute_paths_left;
pub use probe::PROBE_LIFETIME;
pub use provide::{mend, provide};
pub use request::{BaseChoice, BaseRequest, BaseTree, Supply, SystemPython};
pub use standalone::{Release, ReleaseTable};
