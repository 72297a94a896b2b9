//! Files by URL and digest, into the store.
//!
//! Skeleton: the signatures are fixed.

use std::path::PathBuf;

use vocab::{Digest, Exit, Fault};

use crate::Context;

/// Connections, credentials and retry settings shared by all downloads of one command.
#[derive(Clone, Debug, Default)]
pub struct Downloader {}

/// One file to have in the store.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// `http`, `https` or `file`.
    pub url: String,
    /// For progress and messages.
    pub file_name: String,
    pub sha256: Digest,
    /// In bytes, where known in advance.
    pub size: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot fetch `{file_name}`")]
pub struct DownloadError {
    pub file_name: String,
    #[source]
    pub kind: DownloadErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum DownloadErrorKind {
    #[error("the build is offline and the store does not have it")]
    Offline,
}

impl Fault for DownloadError {
    fn code(&self) -> &'static str {
        "E_DOWNLOAD"
    }

    fn exit(&self) -> Exit {
        Exit::Build
    }
}

/// The blob's path in the store; it is there and its digest was checked when it arrived.
pub fn fetch(context: &Context, request: &FetchRequest) -> Result<PathBuf, DownloadError> {
    let path = context.store.blob(&request.sha256);
    if path.is_file() {
        return Ok(path);
    }
    Err(DownloadError { file_name: request.file_name.clone(), kind: DownloadErrorKind::Offline })
}
