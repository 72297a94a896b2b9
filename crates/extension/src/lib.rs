//! Python extensions in zips, and which Python distribution each of them needs.
//!
//! The one idea: first all facts are collected, then one pure function decides. [`LoaderSettings`] come from three
//! origins, [`decide`] is the table of the Python Extension Loader, and the names that are looked for ([`archive_names`])
//! are made, never taken apart. `docs/loader.md` has the table, the settings and the names.
//!
//! ```
//! use extension::{DistributionMode, Facts, decide};
//!
//! let facts = Facts { disabled: true, archive: true, folder: true, ..Facts::default() };
//! let decision = decide(facts);
//! assert_eq!((decision.row, decision.outcome), (9, Ok(DistributionMode::Archive)));
//! ```
//!
//! Files are read here, and none is written.

mod archive_names;
mod build_input;
mod build_parameters;
mod check_parameters;
mod decide;
mod default_paths;
mod dependencies;
mod descriptor;
mod environment_id;
mod extension_error;
mod extension_set;
mod folder_names;
mod log_lines;
mod parameter_limits;
mod probe;
mod read_descriptor;
mod read_extension;
mod scan;
pub mod setting_keys;
mod setting_sources;
mod settings;
mod vendor_format;

pub use archive_names::{ARCHIVE_FORMATS, ArchiveName, Machine, archive_names};
pub use build_input::{BuildInput, BuildInputError, DescribedFunction};
pub use build_parameters::ParameterInputError;
pub use check_parameters::{ParameterFaults, check_parameters, parameter_of_text};
pub use decide::{Decision, DistributionLack, DistributionMode, Facts, decide, row_text};
pub use default_paths::{DefaultPaths, Profile, default_paths, vendor_extensions};
pub use dependencies::{DistributionNeed, distribution_needs, distribution_of, settle_conflicts};
pub use descriptor::{Condition, Descriptor, ExtensionDependency, ExtensionHead, Operator, Parameter, Port};
pub use environment_id::{DistributionId, EnvironmentId, EnvironmentIdError};
pub use extension_error::{ExtensionError, ExtensionErrorKind};
pub use extension_set::{ActiveExtension, ExtensionSet, SignatureStatus};
pub use folder_names::FolderNames;
pub use log_lines::{FAILED_TO_LOAD, lines_of_settings, looking_for_extensions};
pub use parameter_limits::{ParameterLimits, Pattern};
pub use probe::{
    DistributionClash, FoundArchive, InstalledLook, Look, Probe, ProbeInput, ProbeWarning, ZipFacts, clashes, probe,
};
pub use read_descriptor::{DescriptorError, read_descriptor};
pub use read_extension::{Extension, ExtensionWarning, read_extension};
pub use scan::{ScanRules, scan_extensions};
pub use setting_sources::{SettingOrigin, SettingSources, SettingWarning, SettingsFileError};
pub use settings::{
    AllowedExtension, DebugMode, LoaderSettings, ServerSetting, Setting, SettingError, SettingRow, TableForm,
    UserFolders, VerifyDepth,
};
pub use vendor_format::{DESCRIPTOR, ENV_FILES, ParameterType, SIGNATURE_SUFFIX};
