//! `shared-config.json` and `python-<version string>/config.json` in, one checked [`Config`] out, or every fault
//! of both files at once, each with its place.

mod base_source;
mod config;
mod copy_file;
mod finding;
mod policy;
mod requirement;

pub use base_source::{ArchiveSource, BaseSource, PythonSettings};
pub use config::{
    BuildSettings, BuildWheel, Config, Layout, Packages, PlatformPackages, Reasons, Registries, Resolution,
};
pub use copy_file::{CopyFile, CopyTarget, CopyTargetError};
pub use finding::{Faults, Finding, FindingCode, Place, Warning};
pub use policy::Policy;
pub use requirement::{PathKind, Requirement, RequirementSource};
