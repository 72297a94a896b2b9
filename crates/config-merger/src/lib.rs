//! `shared-config.json` and `python-<version string>/config.json` in, one checked [`Config`] out, or every fault of
//! both files at once, each with its place.
//!
//! The one idea: two files are read into two normalised layers in which every key is optional, RFC 7396 merges them,
//! and only the merged document becomes the complete [`Config`], with defaults filled in and the rules across keys
//! checked. Reading never stops at the first fault: [`ConfigFaults`] lists them all, with line, column and a hint.
//! Equal configurations have equal canonical text, so the digest of it ([`LoadedConfig::digest`]) tells whether
//! anything changed.
//!
//! ```
//! use config_merger::{LoadOptions, Repository};
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::create_dir(folder.path().join("python-3.12.10"))?;
//! std::fs::write(folder.path().join("shared-config.json"), r#"{"packages": {"dependencies": ["numpy==2.2.6"]}}"#)?;
//! std::fs::write(folder.path().join("python-3.12.10/config.json"), r#"{"packages": {"skip": {"numpy": 1}}}"#)?;
//!
//! let repository = Repository::at(folder.path());
//! let version = repository.version("3.12.10")?;
//! let faults = config_merger::load(&repository, &version, &LoadOptions::default()).unwrap_err();
//! let place = faults.findings[0].place.as_ref().expect("a file is at fault");
//! assert_eq!((place.file.as_ref(), place.pointer.as_str()), ("python-3.12.10/config.json", "/packages/skip/numpy"));
//!
//! std::fs::write(folder.path().join("python-3.12.10/config.json"), "{}")?;
//! let loaded = config_merger::load(&repository, &version, &LoadOptions::default())?;
//! assert_eq!(loaded.config.packages.dependencies[0].text, "numpy==2.2.6");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`load`] reads the two files and nothing else; it uses neither the network nor the environment.

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

mod complaint;
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

pub use applies::MarkerAnswer;
pub use base_source::{ArchiveSource, BaseSource, PinnedRelease, PythonSettings};
pub use config::{
    BuildSettings, BuildWheel, Config, Dependants, Layout, Packages, PlatformPackages, Registries, Resolution,
    RuleReasons, Runners, Scope,
};
pub use copy_target::{CopyFile, CopyTarget, CopyTargetError};
pub use finding::{ConfigFaults, ConfigFinding, ConfigWarning, FindingCode};
pub use load::{LoadOptions, LoadedConfig, load};
pub use marker_environment::marker_environment;
pub use policy::SourcePolicy;
pub use repository::{Repository, RepositoryError};
pub use requirement::{PathKind, Requirement, RequirementSource};
pub use requirement_text::requirement_of_metadata;
pub use schema::{SchemaKind, schema};
pub use vocab::TextPlace;
