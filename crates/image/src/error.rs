//! Why an image was not written.

use std::io;
use std::path::PathBuf;

use archive::{ExtractError, ExtractErrorKind, PackError};
use vocab::{Digest, Fault, PlatformKey};

/// Nothing was written; what was at `target` is still there.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot write the image `{}`", target.display())]
#[fault(transparent = kind)]
pub struct ImageError {
    pub target: PathBuf,
    #[source]
    pub kind: Box<ImageErrorKind>,
}

/// What stands in the way.
#[derive(Debug, thiserror::Error, Fault)]
pub enum ImageErrorKind {
    #[error("`{}` already exists", path.display())]
    #[fault("E_IMAGE_EXISTS", Usage, hint("remove it, or name another folder"))]
    Exists { path: PathBuf },
    #[error("images are for Linux, and the runtime is for {platform}")]
    #[fault("E_IMAGE_PLATFORM", Usage, hint("build it with `--platform linux-x64` or `linux-aarch64`"))]
    Platform { platform: PlatformKey },
    #[error("the runtime is for {runtime}, the image for {image}")]
    #[fault("E_IMAGE_PLATFORM", Usage, hint("take a runtime for {image}"))]
    OtherPlatform { runtime: PlatformKey, image: PlatformKey },
    /// A zip, or a manifest that says nothing about an artifact.
    #[error("`{}` cannot become layers: {reason}", path.display())]
    #[fault("E_IMAGE_ARTIFACT", Usage, hint("build it with `--format tar.zst`"))]
    Artifact { path: PathBuf, reason: &'static str },
    #[error("the base `{}` cannot be used: {reason}", path.display())]
    #[fault("E_IMAGE_BASE", Usage, hint("{BASE_HINT}"))]
    Base { path: PathBuf, reason: String },
    #[error("`{}` of the base is damaged: its SHA-256 is {actual}, expected {expected}", path.display())]
    #[fault("E_IMAGE_BASE_DAMAGED", Trust, hint("copy the base anew"))]
    BaseDamaged { path: PathBuf, expected: Digest, actual: Digest },
    /// In the settings, or as a name in a list of variables.
    #[error("{what} cannot be in an image: {reason}")]
    #[fault("E_IMAGE_SETTING", Usage)]
    Setting { what: String, reason: &'static str },
    #[error(transparent)]
    #[fault(transparent)]
    Part(ExtractError),
    #[error(transparent)]
    #[fault(transparent)]
    Pack(PackError),
    #[error("cannot write `{}`: {source}", path.display())]
    #[fault("E_IMAGE_WRITE", Build)]
    Write { path: PathBuf, source: io::Error },
}

const BASE_HINT: &str = "name an OCI image layout of a system with glibc, for example one that `skopeo copy docker://debian:12-slim oci:FOLDER` made";

impl ImageErrorKind {
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }

    /// The place that images are written to, by the words that archives have for it.
    pub(crate) fn of_target(kind: ExtractErrorKind, target: &std::path::Path) -> Self {
        match kind {
            ExtractErrorKind::DestinationExists { path } => Self::Exists { path },
            ExtractErrorKind::Write { path, source } => Self::Write { path, source },
            kind => Self::Part(ExtractError { archive: target.to_owned(), kind }),
        }
    }
}
