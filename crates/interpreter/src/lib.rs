//! The base interpreter: the relocatable CPython that a runtime is built on.
//!
//! A version, a platform and an ordered list of sources go in; a finished tree in the store comes out. There are two
//! steps. [`choose`] asks the configured sources which of them has the release, without downloading anything big;
//! [`provide`] fetches it, makes it relocatable, removes the building machine's paths, and keeps it in the store under
//! its identity. The sources are `python-build-standalone` (releases pinned in a table, or a mirror), `archive` (a
//! pinned file of the configuration), `go-module` (trimmed trees inside a Go module) and `system` (a CPython of this
//! machine, copied and made portable).
//!
//! What holds for every finished tree, whatever its source: the interpreter and the scripts are in `bin/`, the
//! standard library is where [`TreeLayout`](vocab::TreeLayout) says, pip is the only distribution, and there is no
//! bytecode, no static library and no absolute path of the building machine ([`absolute_paths_left`]). Two trees with
//! the same identity have the same bytes.
//!
//! What the pinned tables alone can answer needs neither disk nor network:
//!
//! ```
//! use config_merger::PythonSettings;
//! use interpreter::{KnownBase, known};
//! use vocab::PlatformKey;
//!
//! let settings = PythonSettings::default();
//! let base = known("3.12.10".parse()?, PlatformKey::LinuxX64, &settings);
//! assert!(matches!(base, KnownBase::Anywhere { .. }));
//! // A digest is pinned for every platform, so any machine can provide all of them.
//! assert!(matches!(known("3.12.10".parse()?, PlatformKey::WindowsX64, &settings), KnownBase::Anywhere { .. }));
//! # Ok::<(), vocab::VersionStringError>(())
//! ```

mod archive_source;
mod base_identity;
mod build_settings;
mod certificates;
mod choose;
mod content;
mod disk;
mod elf;
mod error;
mod file_table;
mod go_module;
mod go_modules;
mod go_tree;
mod go_zip;
pub mod host_python;
mod kept_python;
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
mod release_table;
mod request;
mod scripts;
mod shared_tree;
mod source_answer;
mod standalone;
mod system;
mod system_copy;
mod system_files;
mod trial;
mod unpack;
mod upstream_libraries;
mod uv_list;
pub mod version_check;
mod windows;

pub use base_identity::BASE_FORMAT;
pub use choose::choose;
pub use error::{BaseError, BaseErrorKind};
pub use file_table::FileTable;
pub use go_modules::GoModules;
pub use kept_python::{KeptPython, kept_python};
pub use known::{KnownBase, known};
pub use paths_left::absolute_paths_left;
pub use probe::PROBE_LIFETIME;
pub use provide::{mend, provide};
pub use release_table::{PinnedAsset, ReleaseTable};
pub use request::{BaseChoice, BaseRequest, BaseSupply, BaseTree, SystemPython};
pub use shared_tree::{PackedTree, check_shared, offer, pack_checked};
