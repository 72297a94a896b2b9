//! The words that every crate here shares.
//!
//! The one idea: text with rules is parsed once, where it enters, and is a type from then on. A [`PlatformKey`], a
//! [`VersionString`], a [`DistributionName`], a [`TreePath`] or a [`Digest`] that exists is valid, so no later code
//! checks it again or needs to know its spelling. [`FromStr`](std::str::FromStr) reads each of them and `Display`
//! writes the one spelling back; both sides of the JSON formats go through the same two.
//!
//! ```
//! use vocab::{ArtifactFormat, ArtifactName, PlatformKey, TreePath, VersionString};
//!
//! let version: VersionString = "3.12.10-atls".parse()?;
//! let name = ArtifactName::new(&version, version.python(), PlatformKey::LinuxX64, ArtifactFormat::TarZst);
//! assert_eq!(name.to_string(), "pydist-atls-3.12.10-linux-x86_64.tar.zst");
//!
//! assert!("../outside".parse::<TreePath>().is_err());
//! # Ok::<(), vocab::VersionStringError>(())
//! ```
//!
//! Besides words there is what all crates agree on: [`Work`] carries the circumstances of a command (environment,
//! limits, cancellation, listener) to whatever acts; an [`Event`] reports progress; a [`Fault`] is an error with a
//! code, an exit code and a hint; the [`Manifest`] lists what a runtime is made of; [`json`] reads documents whose
//! values know their line and column, and [`typed_json`] says in words what of a document does not fit its type.
//!
//! Nothing here touches a clock or the process's environment, and a disk only to read files that people write
//! ([`SourceFile::read`], [`open_regular`]).

// For what `Fault` derives here.
extern crate self as vocab;

mod artifact_name;
mod causes;
mod ceiling;
mod content_digests;
mod digest;
mod distribution_name;
mod event;
mod fault;
mod file_name;
pub mod foreign_text;
pub mod json;
mod json_syntax;
mod manifest;
mod part_kind;
mod platform_key;
pub mod quoted;
pub mod record_format;
mod regular_file;
mod runtime_request;
mod side_by_side;
mod source_file;
mod system_version;
mod text_place;
mod tree_layout;
mod tree_path;
pub mod typed_json;
mod unencrypted;
mod version_string;
mod windows_names;
mod work;
mod written_digests;

pub use artifact_name::{
    ArtifactFormat, ArtifactName, ArtifactNameError, MANIFEST_SUFFIX, manifest_beside, manifest_name,
};
pub use causes::with_causes;
pub use ceiling::{default_ceiling, is_too_new};
pub use content_digests::{Blake3, ContentDigests, ContentHasher, DigestBuffer, DigestKinds};
pub use digest::{Digest, DigestError, DigestReader, DigestWriter};
pub use distribution_name::{DistributionName, DistributionNameError};
pub use event::{Event, PlatformEvent, Tell, TransferId};
pub use fault::{Exit, Fault};
pub use fault_derive::Fault;
pub use file_name::{FileName, FileNameError};
pub use manifest::{
    Artifact, BaseRecord, BuildTools, BuildWarning, CheckedEnvironment, CopiedFile, Distribution, EmulatedImports,
    FileClash, IF_REQUIRED, INNER_MANIFEST, MANIFEST_FORMAT, Manifest, NativeFiles, NativeSummary, NativeWarning, Part,
    RuleOutcome, RuleRecord, WheelOrigin,
};
pub use part_kind::PartKind;
pub use platform_key::{Arch, Os, PlatformKey, PlatformKeyError};
pub use regular_file::{open_regular, read_regular, read_regular_text};
pub use runtime_request::{RuntimeRequest, RuntimeRequestError};
pub use side_by_side::{few_at_once, side_by_side};
pub use source_file::{MAX_SOURCE_BYTES, SourceFault, SourceFaultKind, SourceFile};
pub use system_version::{SystemVersion, SystemVersionError};
pub use text_place::TextPlace;
pub use tree_layout::{ModuleFolder, TreeLayout};
pub use tree_path::{TreePath, TreePathError};
pub use unencrypted::unencrypted_host;
pub use version_string::{PythonVersion, VersionString, VersionStringError};
pub use windows_names::refused_by_windows;
pub use work::{Environment, EpochError, FlagError, Listener, Work, yes_or_no};
pub use written_digests::WrittenDigests;
