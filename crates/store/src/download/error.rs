//! Reasons why a file could not be fetched.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use vocab::{Digest, Fault};

use super::credentials_error::{CredentialsError, HOW_TO_GIVE_CREDENTIALS};
use super::{FetchRequest, without_secrets};
use crate::StoreError;

/// Why a file could not be fetched, from where, and after how many attempts.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot fetch `{file_name}` from `{place}`{}", after(*attempts))]
#[fault(transparent = kind)]
pub struct DownloadError {
    pub file_name: String,
    /// The URL without user, password and query.
    pub place: Box<str>,
    /// How often it was tried over the network; 0 when it was not.
    pub attempts: u32,
    #[source]
    pub kind: DownloadErrorKind,
}

impl DownloadError {
    pub(super) fn new(request: &FetchRequest, attempts: u32, kind: DownloadErrorKind) -> Self {
        Self { file_name: request.file_name.clone(), place: without_secrets(&request.url).into(), attempts, kind }
    }

    /// An error about a text that has no file name; its URL serves as one.
    pub(super) fn unnamed(url: &str, attempts: u32, kind: DownloadErrorKind) -> Self {
        let place = without_secrets(url);
        let file_name = place.trim_end_matches('/').rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        Self { file_name, place: place.into(), attempts, kind }
    }
}

fn after(attempts: u32) -> String {
    match attempts {
        0 => String::new(),
        1 => " after 1 attempt".into(),
        many => format!(" after {many} attempts"),
    }
}

/// What ended the download. `reason` is for people and holds no credentials.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_DOWNLOAD", Build)]
pub enum DownloadErrorKind {
    #[error("the build is offline and the store does not have it")]
    #[fault("E_OFFLINE", hint("run once without `--offline`"))]
    Offline,
    /// The last attempt's reason.
    #[error("{reason}")]
    #[fault(hint_with = Self::hint_of_connection)]
    Unreachable { reason: String },
    #[error("the server answered {status}")]
    #[fault(hint_with = Self::hint_of_status)]
    Status { status: u16 },
    #[error("its SHA-256 is {actual}, expected {expected}")]
    #[fault(
        "E_DIGEST",
        Trust,
        hint("the file was changed on the way or at its source; do not use it before you know why it differs")
    )]
    DigestMismatch { expected: Digest, actual: Digest },
    #[error("it has {actual} bytes, expected {expected}")]
    #[fault(
        "E_DIGEST",
        Trust,
        hint("the file was changed on the way or at its source; do not use it before you know why it differs")
    )]
    SizeMismatch { expected: u64, actual: u64 },
    #[error("it has more than {limit} bytes")]
    #[fault("E_DOWNLOAD_LARGE", hint("find out what it is; `--max-download` allows larger files of unknown size"))]
    TooLarge { limit: u64 },
    /// `reason` names the rate.
    #[error("{reason}")]
    #[fault(
        "E_DOWNLOAD_SLOW",
        hint(
            "run it again, or lower the limit: `--min-rate 100` gives up below 100 B/s, `--min-rate 0` never. What \
             has arrived is kept"
        )
    )]
    TooSlow { reason: String },
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it was not complete within {} s", limit.as_secs())]
    #[fault(
        "E_DOWNLOAD_TIMEOUT",
        hint("raise `build.timeout` in the configuration; 0 is no limit. What has arrived is kept")
    )]
    TimedOut { limit: Duration },
    #[error("the build was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
    #[error("the URL cannot be used: {reason}")]
    Url { reason: String },
    #[error("`{}` cannot be read", path.display())]
    Local { path: PathBuf, source: io::Error },
    #[error(transparent)]
    #[fault(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DownloadError {
    /// The server has no such file (any more): the index may know another place.
    pub fn is_gone(&self) -> bool {
        matches!(self.kind, DownloadErrorKind::Status { status: 403 | 404 | 410 })
    }
}

impl DownloadErrorKind {
    fn hint_of_connection(&self) -> Option<String> {
        let Self::Unreachable { reason } = self else { return None };
        let usual = "check the network and the proxy variables, then run it again; what has arrived is kept";
        Some(web::tls_advice(reason).unwrap_or(usual).to_owned())
    }

    fn hint_of_status(&self) -> Option<String> {
        let Self::Status { status } = self else { return None };
        let hint = match status {
            401 | 403 => HOW_TO_GIVE_CREDENTIALS,
            407 => "give the proxy's user and password in its variable: `http://user:password@host:port`",
            404 | 410 => "the file is gone; refresh the lock with `builder lock`",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
