//! Reasons against a release, found before anything is sent.

use std::io;
use std::path::PathBuf;

use objects::{ADDRESS_FORMS, ObjectKeyError, PlaceAddressError};
use vocab::{Fault, PlatformKey, PythonVersion, VersionString};

use super::{FileDifference, MissingPlatforms};

/// Why a package cannot be released. Nothing has been sent, except for `Write`.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum PlatformaError {
    #[error("`{}` is missing; it says where {version} belongs", package.display())]
    #[fault("E_PLATFORMA_PACKAGE", hint("name the repository with --repository, or write one as `builder new` does"))]
    NoPackage { package: PathBuf, version: VersionString },
    #[error("`{}` has Python {of}, but `{}` says {says}", artifact.display(), package.display())]
    #[fault("E_PLATFORMA_PACKAGE", hint("correct `python-version` there, or name the artifacts of that version"))]
    Version { artifact: PathBuf, of: PythonVersion, package: PathBuf, says: PythonVersion },
    #[error("`{}` and `{}` are from different builds", root.display(), artifact.display())]
    #[fault("E_PLATFORMA_ARTIFACTS", hint("build it again on this machine, then sign and publish"))]
    OtherBuild { root: PathBuf, artifact: PathBuf },
    #[error("`{}` lacks `{file}`, which `{}` has", root.display(), artifact.display())]
    #[fault("E_PLATFORMA_ARTIFACTS", hint("build it again on this machine, then sign and publish"))]
    RootLacks { root: PathBuf, file: String, artifact: PathBuf },
    #[error("`{}` has `{file}`, which `{}` lacks", root.display(), artifact.display())]
    #[fault("E_PLATFORMA_ARTIFACTS", hint("remove what was added; only signing may change the tree"))]
    RootHasMore { root: PathBuf, file: String, artifact: PathBuf },
    #[error("{variable} is not an address for readers, `https://host/path/`, without user and password")]
    #[fault("E_STORE_ADDRESS", hint("correct or unset {variable}"))]
    DownloadUrl { variable: String },
    #[error("cannot read `{}`: {source}", path.display())]
    #[fault("E_PUBLISH_READ", Build)]
    Repository { path: PathBuf, source: io::Error },
    #[error("`{}` is for {platform}, which is not among the `roots` of `{}`", artifact.display(), package.display())]
    #[fault("E_PLATFORMA_PACKAGE", hint("add the platform to `roots`, or name the other artifacts"))]
    Platform { artifact: PathBuf, platform: PlatformKey, package: PathBuf },
    #[error("`{}` and `{}` are both {version} for {platform}", first.display(), second.display())]
    #[fault("E_PLATFORMA_ARTIFACTS", hint("name only one of them"))]
    Twice { first: PathBuf, second: PathBuf, version: VersionString, platform: PlatformKey },
    /// Neither the command nor a file is wrong: a build is still to come (K3).
    #[error("{version} has no artifact for {}{}", list(&missing.platforms), told(&missing.differing))]
    #[fault(
        "E_PLATFORMA_ARTIFACTS",
        Build,
        hint(
            "build and name the others, or publish these alone with --partial: the descriptor then follows with \
             the last platform"
        )
    )]
    Incomplete { version: VersionString, missing: MissingPlatforms },
    #[error("`{}` is a zip, which cannot be repacked as tgz", artifact.display())]
    #[fault("E_PLATFORMA_ARTIFACTS", hint("build it with `--format tar.zst` or `--format tar.gz`"))]
    Zip { artifact: PathBuf },
    #[error("cannot determine where the archives of the registry `{registry}` go: {variable} is not set")]
    #[fault("E_PLATFORMA_REGISTRY", hint("set {variable} to {ADDRESS_FORMS}"))]
    NoVariable { registry: String, variable: String },
    #[error(transparent)]
    #[fault(transparent)]
    Address(#[from] PlaceAddressError),
    #[error("the archive of {version} has no usable name: {source}")]
    #[fault("E_PLATFORMA_PACKAGE", hint("correct `name` and `version` in its package.json"))]
    Name { version: VersionString, source: ObjectKeyError },
    #[error("published already: {}", keys.join(", "))]
    #[fault("E_PUBLISH_EXISTS", Build, hint("leave out --fail-existing to keep them, or replace them with --force"))]
    Exists { keys: Vec<String> },
    #[error("cannot write `{}`: {source}", path.display())]
    #[fault("E_WRITE", Build)]
    Write { path: PathBuf, source: io::Error },
}

/// Reports what earlier runs left where it could be taken for enough.
fn told(differing: &[FileDifference]) -> String {
    differing.iter().map(|difference| format!(", and {difference}")).collect()
}

fn list(platforms: &[PlatformKey]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
