//! Reasons against a release, found before anything is sent.

use std::io;
use std::path::PathBuf;

use objects::{ObjectKeyError, PlaceAddressErrorKind};
use vocab::{Exit, Fault, PlatformKey, PythonVersion, VersionString};

/// Why a package cannot be released. Nothing has been sent, except for `Write`.
#[derive(Debug, thiserror::Error)]
pub enum PlatformaError {
    #[error("there is no `{}`, which would say where {version} belongs", package.display())]
    NoPackage { package: PathBuf, version: VersionString },
    #[error("`{}` has no {what}", package.display())]
    Lacks { package: PathBuf, what: &'static str },
    #[error("`{}` is of Python {of}, `{}` says {says}", artifact.display(), package.display())]
    Version { artifact: PathBuf, of: PythonVersion, package: PathBuf, says: PythonVersion },
    #[error("`{}` is of another build than `{}`", root.display(), artifact.display())]
    OtherBuild { root: PathBuf, artifact: PathBuf },
    #[error("`{}` lacks `{file}`, which `{}` has", root.display(), artifact.display())]
    RootLacks { root: PathBuf, file: String, artifact: PathBuf },
    #[error("`{}` has `{file}`, which `{}` lacks", root.display(), artifact.display())]
    RootHasMore { root: PathBuf, file: String, artifact: PathBuf },
    #[error("{first} and {second} are both the npm package `{name}` of version {npm_version}")]
    SameName { first: VersionString, second: VersionString, name: String, npm_version: String },
    #[error("{variable} is not an address for readers, `https://host/path/`, without user and password")]
    DownloadUrl { variable: String },
    #[error("cannot read `{}`: {source}", path.display())]
    Repository { path: PathBuf, source: io::Error },
    #[error("`{}` is for {platform}, which is not among the `roots` of `{}`", artifact.display(), package.display())]
    Platform { artifact: PathBuf, platform: PlatformKey, package: PathBuf },
    #[error("`{}` and `{}` are both {version} for {platform}", first.display(), second.display())]
    Twice { first: PathBuf, second: PathBuf, version: VersionString, platform: PlatformKey },
    #[error("{version} has no artifact for {}", list(missing))]
    Incomplete { version: VersionString, missing: Vec<PlatformKey> },
    #[error("`{}` is a zip, of which no tgz is made", artifact.display())]
    Zip { artifact: PathBuf },
    #[error("where the archives of the registry `{registry}` go is not known: {variable} is not set")]
    NoVariable { registry: String, variable: String },
    /// `given` is the option or variable that holds the address.
    #[error("{given}: {kind}")]
    Address { given: String, kind: PlaceAddressErrorKind },
    #[error("the archive of {version} has no usable name: {source}")]
    Name { version: VersionString, source: ObjectKeyError },
    #[error("published already: {}", keys.join(", "))]
    Exists { keys: Vec<String> },
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

fn list(platforms: &[PlatformKey]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Fault for PlatformaError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoPackage { .. }
            | Self::Lacks { .. }
            | Self::Version { .. }
            | Self::Platform { .. }
            | Self::SameName { .. }
            | Self::Name { .. } => "E_PLATFORMA_PACKAGE",
            Self::Repository { .. } => "E_PUBLISH_READ",
            Self::Twice { .. }
            | Self::Incomplete { .. }
            | Self::Zip { .. }
            | Self::OtherBuild { .. }
            | Self::RootLacks { .. }
            | Self::RootHasMore { .. } => "E_PLATFORMA_ARTIFACTS",
            Self::NoVariable { .. } => "E_PLATFORMA_REGISTRY",
            Self::Address { .. } | Self::DownloadUrl { .. } => "E_STORE_ADDRESS",
            Self::Exists { .. } => "E_PUBLISH_EXISTS",
            Self::Write { .. } => "E_WRITE",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } | Self::Write { .. } | Self::Repository { .. } => Exit::Build,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPackage { .. } => {
                "name the repository with --repository, or write one as `builder new` does".to_owned()
            }
            Self::SameName { .. } => "give each version a package of its own; `builder check` shows where".to_owned(),
            Self::DownloadUrl { variable } => format!("correct or unset {variable}"),
            Self::RootHasMore { .. } => "remove what was added; only signing may change the tree".to_owned(),
            Self::OtherBuild { .. } | Self::RootLacks { .. } => "build it again on this machine, then sign and publish".to_owned(),
            Self::Lacks { .. } => "`builder check` tells what packages need".to_owned(),
            Self::Version { .. } => "correct `python-version` there, or name the artifacts of that version".to_owned(),
            Self::Platform { .. } => "add the platform to `roots`, or name the other artifacts".to_owned(),
            Self::Twice { .. } => "name one of them".to_owned(),
            Self::Incomplete { .. } => {
                "build and name the others, or publish these alone with --partial: the descriptor then follows with the \
                 last platform"
                    .to_owned()
            }
            Self::Zip { .. } => "build it with `--format tar.zst` or `--format tar.gz`".to_owned(),
            Self::NoVariable { variable, .. } => {
                format!("set {variable} to `s3://bucket/prefix?region=NAME`, `s3e://host/bucket/prefix` or a folder")
            }
            Self::Address { kind: PlaceAddressErrorKind::Credentials, .. } => {
                "give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or in a profile".to_owned()
            }
            Self::Address { .. } => {
                "write `s3://bucket/prefix?region=NAME`, `s3e://host/bucket/prefix` or a folder".to_owned()
            }
            Self::Exists { .. } => "leave out --fail-existing to keep them, or replace them with --force".to_owned(),
            Self::Name { .. } => "correct `name` and `version` in its package.json".to_owned(),
            Self::Write { .. } | Self::Repository { .. } => return None,
        })
    }
}
