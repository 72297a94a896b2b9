//! The npm packages of a repository: `package.json` of each version, of `catalogue/` and of the root, and the lists of
//! workspace members in `pnpm-workspace.yaml` and `workspaces`.
//!
//! The one idea: people write these files, so each value that is read keeps its place ([`PlacedValue`]) for messages
//! that point at it, and an edit changes nothing but the line that it adds. Files are read and never written: edits
//! return the new text.
//!
//! ```
//! use npm_packages::PackageJson;
//! use vocab::{PlatformKey, SourceFile};
//!
//! let text = r#"{ "name": "@scope/runenv-python-3.12.10", "version": "1.0.0",
//!     "block-software": { "entrypoints": { "main": { "environment": { "artifact": {
//!         "type": "environment", "runtime": "python", "registry": "scope", "python-version": "3.12.10",
//!         "roots": { "linux-x64": "./pydist/linux-x64" }, "binDir": "bin" } } } } } }"#;
//! let package = PackageJson::parse(&SourceFile::new("python-3.12.10/package.json", text))?;
//! let environment = package.environment().expect("there is one");
//! assert_eq!((environment.id.as_str(), environment.registry.value.as_str()), ("main", "scope"));
//! assert_eq!(environment.registry.place.line, 3);
//! assert_eq!(package.platforms(), [PlatformKey::LinuxX64]);
//! # Ok::<(), npm_packages::PackageFaults>(())
//! ```

mod agreement;
mod environment;
mod fault;
mod json_edit;
mod npm_name;
mod package;
mod package_manager;
mod package_reader;
mod pnpm_workspace;
mod repository_packages;
mod version_package;
mod web_page;
mod workspace_list;

pub use agreement::{Agreement, Disagreement, StoppedWork, disagreements};
pub use environment::RunEnvironment;
pub use fault::{PackageFault, PackageFaultKind, PackageFaults};
pub use json_edit::{add_item, add_member, indentation};
pub use npm_name::{is_npm_name, is_npm_version};
pub use package::{CATALOGUE, EntryPoint, EntryPointKind, PACKAGE_FILE, PackageJson, package_of_reference};
pub use package_manager::PackageManager;
pub use package_reader::PlacedValue;
pub use pnpm_workspace::{PNPM_WORKSPACE, PnpmWorkspace, add_to_pnpm_workspace, read_pnpm_workspace};
pub use repository_packages::RepositoryPackages;
pub use version_package::{PackageOffer, platforms_of, read_version_package, root_of};
pub use workspace_list::WorkspaceList;
