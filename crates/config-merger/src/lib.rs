//! `shared-config.json` and `python-<version string>/config.json` in, one checked [`Config`] out, or every fault
//! of both files at once, each with its place.
//!
//! ```
//! use config_merger::{LoadOptions, Repository, RepositoryError};
//!
//! let repository = Repository::at("no/such/folder");
//! assert!(matches!(repository.version("3.12"), Err(RepositoryError::Malformed { .. })));
//! let faults = config_merger::load(&repository, &"3.12.10".parse()?, &LoadOptions::default()).unwrap_err();
//! assert_eq!(faults.findings[0].text, "the file is missing in `no/such/folder`");
//! # Ok::<(), vocab::VersionStringError>(())
//! ```
//!
//! [`load`] reads the two files and nothing else; it asks neither the network nor the environment.

mod load;
mod repository;

mod layer;
mod marker_text;
mod read_layer;
mod read_oldest_system;
mod read_patch;
mod read_python;
mod reader;
mod requirement_text;

mod complete;
mod conflicts;
mod merge;
mod overrides;
mod patch;

mod applies;
mod base_source;
mod config;
mod copy_target;
mod marker_environment;
mod policy;
mod requirement;

mod finding;
mod places;
mod render;
mod report;

mod schema;

pub use applies::Applies;
pub use base_source::{ArchiveSource, BaseSource, PythonSettings};
pub use config::{
    BuildSettings, BuildWheel, Config, Dependants, Layout, Packages, PlatformPackages, Reasons, Registries, Resolution,
    Runners, Scope,
};
pub use copy_target::{CopyFile, CopyTarget, CopyTargetError};
pub use finding::{Faults, Finding, FindingCode, Warning};
pub use load::{LoadOptions, Loaded, load};
pub use marker_environment::marker_environment;
pub use policy::Policy;
pub use repository::{Repository, RepositoryError};
pub use requirement::{PathKind, Requirement, RequirementSource};
pub use requirement_text::requirement_of_metadata;
pub use schema::{SchemaKind, schema};
pub use vocab::Place;
