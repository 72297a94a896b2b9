//! The manifest: what a runtime is made of, written beside its artifact as `<artifact>.json`.
//!
//! Goals of the format: every byte of the runtime has a row that says where it came from; whatever was left out
//! has one too; the same inputs give the same bytes (no times, no paths of the building machine); rows are sorted,
//! so two manifests can be compared line by line.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{ArtifactFormat, Digest, DistributionName, PlatformKey, PythonVersion, TreePath, VersionString};

/// The name of the manifest at the top of every prefix.
pub const INNER_MANIFEST: &str = "pydist.json";

/// The number in `format`. Formats 1, whose parts had no `identity`, 2, which knew no `needs-native-runner` and whose
/// distributions had no `native`, 3, which had no `warnings`, and 4, in which all distributions were resolved together
/// and no source was shipped, can be read as well; any other is refused.
pub const MANIFEST_FORMAT: u32 = 5;

/// The whole manifest. [`MANIFEST_FORMAT`] says which formats can be read; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// At most [`MANIFEST_FORMAT`]; a manifest keeps the number it was written with.
    pub format: u32,
    /// The version string that was asked for.
    pub runtime: VersionString,
    pub platform: PlatformKey,
    pub base: BaseRecord,
    /// The configuration was replaced by an empty one because it could not be read (`--lenient-config`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
    /// Digest of everything that determines the runtime's content. Equal keys mean equal bytes.
    pub build_key: Digest,
    /// Digest of the merged configuration without `build`, which does not shape the runtime.
    pub config: Digest,
    /// Digest of the lock rows that were built.
    pub lock: Digest,
    /// Everything installed, by name; in a wheelhouse of requirements that were resolved each for itself, by name and
    /// version.
    pub distributions: Vec<Distribution>,
    /// Every rule that acted and everything that was left out, by distribution name.
    pub rules: Vec<RuleRecord>,
    /// Everything that `copyFiles` put into the prefix.
    pub copied_files: Vec<CopiedFile>,
    /// Paths that two distributions both install with different content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clashes: Vec<FileClash>,
    /// Result of the checks of the finished prefix.
    pub native: NativeSummary,
    /// What was installed together for the checks, if each requirement was resolved alone. In the order of the
    /// requirements' names. Empty in formats before 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<CheckedEnvironment>,
    /// Warnings of the build that concern the runtime. Sorted. Empty in formats before 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<BuildWarning>,
    pub tools: BuildTools,
    /// Sum of all regular files, in bytes.
    pub installed_size: u64,
    /// How many regular files the prefix has.
    pub files: u64,
    /// Absent until the prefix has been packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
}

/// The interpreter under the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseRecord {
    /// `python-build-standalone`, `archive`, `go-module` or `system`.
    pub source: String,
    /// The version that the configuration asks for.
    pub requested: PythonVersion,
    /// The version that was found.
    pub actual: PythonVersion,
    /// True when `actual` is another patch release than `requested`; publishing refuses such a runtime.
    pub stand_in: bool,
    /// What the interpreter was made from: a release file's name, a module version. Never a path of the building
    /// machine.
    pub origin: String,
    /// Digest of the archive, the module or the finished tree, whichever the source defines.
    pub digest: Digest,
    /// Parts of a full CPython that this one lacks: `headers`, `ensurepip`.
    pub absent: Vec<String>,
}

/// One installed distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    pub name: DistributionName,
    /// As its metadata spells it (PEP 440).
    pub version: String,
    /// The wheel's file name; that of the source where this is shipped.
    pub file: String,
    /// Digest of that file.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    pub origin: WheelOrigin,
    /// Named in the configuration, rather than required by another distribution.
    pub requested: bool,
    /// The requirements that bring it, where each was resolved for itself. Empty in formats before 5.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub brought_by: BTreeSet<DistributionName>,
    /// The SPDX expression or licence text line of its metadata. Absent when the metadata has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The highest glibc (`2.17`) or macOS (`11.0`) version its native files need. Absent for pure Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// What the check found in its native files. Absent for pure Python, and in formats 1 and 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<NativeFiles>,
}

impl Distribution {
    /// Whether it has native files. A wheel for one platform counts even if its files were not examined: manifests before
    /// format 3 do not list native files for Windows, and those of wheelhouses once listed none at all.
    pub fn is_native(&self) -> bool {
        self.native.is_some() || self.needs.is_some() || !self.file.ends_with("-any.whl")
    }
}

/// The native files of one distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NativeFiles {
    /// ELF, Mach-O and PE files in the prefix.
    /// The highest versions that any of them needs, as in [`NativeSummary::needs`]. Empty when nothing could be
    /// determined.
    pub files: u64,
    /// The highest versions that any of them needs, as in [`NativeSummary::needs`]. Empty when nothing could be determined.
    pub needs: BTreeMap<String, String>,
}

/// Ends the reason of a skip that kept nothing out that was asked for.
pub const IF_REQUIRED: &str = "(should anything require it)";

/// Where a wheel came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum WheelOrigin {
    /// Downloaded as it is.
    Wheel,
    /// Compiled here from a source distribution.
    Sdist { file: String, sha256: Digest },
    /// Compiled here from a repository at `commit` (40 hexadecimal digits).
    Git { repository: String, commit: String },
    /// A file or folder of the repository; `sha256` is that of the file or of the folder's content.
    Path { path: TreePath, sha256: Digest },
    /// Comes with the base interpreter.
    Base,
}

/// What a rule did to a distribution. New variants raise [`MANIFEST_FORMAT`], since readers refuse unknown ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleOutcome {
    /// A `skip` rule.
    Skipped,
    /// A marker is false on this platform.
    NotApplicable,
    /// A `forceSource` rule or `forceNoBinaryList`.
    Forced,
    /// A `buildWheel` rule.
    BuiltWheel,
    /// No wheel, so it was built from source.
    FromSource,
    /// An `overrides` entry replaced its version.
    Overridden,
    /// `noDeps`.
    WithoutDependencies,
    /// No wheel, and the policy allows no source.
    LeftOut,
    /// Its index could not be reached or does not have it.
    Missing,
    /// It has to be compiled on its own platform, and this runtime was built on another one.
    NeedsNativeRunner,
    /// Its source is in the wheelhouse, to be built where it is used.
    ShippedSource,
}

/// One rule that acted, or one distribution that was left out. `reason` is the user's own text where the rule has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRecord {
    pub name: DistributionName,
    pub outcome: RuleOutcome,
    pub reason: String,
}

/// One file that `copyFiles` put into the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopiedFile {
    /// Below the prefix.
    pub path: TreePath,
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    /// It replaced a file that the interpreter or a distribution had put there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overwrote: bool,
}

/// A path that two distributions both install with different content. Equal content is not a clash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileClash {
    pub path: TreePath,
    /// The distribution whose file is in the prefix.
    pub kept: DistributionName,
    /// The distribution whose file was not written.
    pub dropped: DistributionName,
}

/// One requirement of a wheelhouse with its dependencies, installed alone and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedEnvironment {
    pub requirement: DistributionName,
    /// File names of the distributions in it.
    pub files: Vec<String>,
    /// Native modules that were imported.
    pub imported: u64,
    /// Imports that failed where the whitelist allows it.
    pub allowed: u64,
}

/// A warning, as it was shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildWarning {
    /// `W_FILE_CLASH`
    pub code: String,
    /// A package or platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The message, without its code and place.
    pub text: String,
}

/// What the checks of the finished prefix found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NativeSummary {
    /// ELF, Mach-O and PE files that were checked.
    pub files: u64,
    /// Native modules that were imported.
    pub imported: u64,
    /// Imports that failed where the whitelist allows it.
    pub allowed: u64,
    /// Absent when the imports ran on the platform itself, and when none ran (`imported` and `allowed` are 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emulated: Option<EmulatedImports>,
    /// The highest symbol versions or system version needed: `glibc` → `2.17`, `glibcxx` → `3.4.29`, `macos` → `11.0`,
    /// `windows` → `6.1`; and libraries that the system must provide as well: `libz.so.1` → `any`.
    pub needs: BTreeMap<String, String>,
    /// Problems that did not fail the build, mostly in files that no import loaded. Sorted. Empty in formats before 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<NativeWarning>,
}

/// One finding about a native file or a module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NativeWarning {
    /// Absent for the base interpreter and copied files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<DistributionName>,
    /// A path below the prefix, or a module's name.
    pub subject: String,
    /// The finding itself: `needs libtbb.so.12, which is neither in the runtime nor provided by the system`.
    pub text: String,
}

/// Imports that ran in an emulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmulatedImports {
    /// Name and version: `qemu-aarch64 7.2.22`, `wine 8.0`.
    pub by: String,
    /// How many of the allowed failures are due to what the emulator lacks.
    pub gaps: u64,
}

/// The programs that shaped the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildTools {
    /// The builder's own version.
    pub builder: String,
    /// The resolver's version.
    pub uv: String,
}

/// The packed file that this manifest describes. Never in the manifest inside the prefix, which is packed with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its plain file name, beside the manifest.
    pub file: String,
    pub format: ArtifactFormat,
    /// The compressor's level. Absent in manifests of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
    /// Digest of the whole file.
    pub sha256: Digest,
    /// Size of the packed file, in bytes.
    pub size: u64,
    /// Sizes of the parts add up to `size`, less what the container itself adds.
    pub parts: Vec<Part>,
}

/// An independently compressed run of archive entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name, which says what it holds: see [`PartKind`](crate::PartKind).
    pub content: String,
    /// Position of its first byte in the artifact.
    pub offset: u64,
    /// Compressed, in bytes.
    pub size: u64,
    /// In bytes.
    pub uncompressed_size: u64,
    /// Digest of the compressed bytes.
    pub sha256: Digest,
    /// Digest of the entries and all of their content, the same in every format and at every level;
    /// `docs/formats/artifact.md` says how it is computed. Absent when the packer had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
}
