//! Files by URL and digest, into the store.
//!
//! A file arrives in `<blob>.partial`, is digested on the way, and takes its place by rename when the digest is
//! right. What an interrupted download left there, also one of a killed process, is continued with an HTTP range;
//! its bytes are digested again first, and if the sum is wrong in the end the whole file is fetched once more. A
//! lock lets one thread of one process at a time write to a partial file; the others wait and then find the blob.
//!
//! `context.timeout` limits the whole download of one file, retries and pauses included. Beside it there are the
//! limits of [`DownloadSettings`] for connecting and for silence, which always hold.

pub mod client_certificate;
mod credentials;
mod credentials_error;
mod error;
mod exchange;
mod keepers;
mod local;
mod many;
mod partial;
mod retry;
mod settings;
mod small;
mod transfer;
pub mod uv_connection;
pub mod uv_indexes;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vocab::Digest;

use crate::Context;
use crate::remote::NearStore;
use crate::{BlobState, EntryKind, LockOutcome};

pub use credentials::HostCredentials;
pub use credentials_error::{CredentialsError, HOW_TO_GIVE_CREDENTIALS};
pub use error::{DownloadError, DownloadErrorKind};
pub use many::{bring_all, fetch_all, fetch_each};
pub use settings::{DownloadSettings, Downloader};
pub use small::{UnreachableServer, fetch_bytes, head_status, probe};
pub use uv_indexes::{Authenticate, UserIndex, UvSettingsError, check_settings};
pub use web::{
    Credentials, Pace, Proxies, Secret, TlsTrust, UnverifiedHost, system_bundle, system_has_authorities, tls_advice,
    without_credentials, without_secrets,
};

/// One file to have in the store.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// `http`, `https` or `file`, or a plain path. User and password in it are used and never shown.
    pub url: String,
    /// Shown in progress and messages.
    pub file_name: String,
    pub sha256: Digest,
    /// In bytes, where known in advance.
    pub size: Option<u64>,
    /// In bytes; limit of a file whose size is not known. `None`: that of the settings.
    pub largest: Option<u64>,
}

impl FetchRequest {
    /// What the file may not exceed if its size is not known.
    fn largest(&self, context: &Context) -> u64 {
        self.largest.unwrap_or(context.downloader.settings().largest)
    }
}

/// The blob's path in the store; it is there and its digest was checked when it arrived.
pub fn fetch(context: &Context, request: &FetchRequest) -> Result<PathBuf, DownloadError> {
    fetch_unless(context, request, &AtomicBool::new(false))
}

/// What a running download checks to know whether to go on.
struct DownloadWatch<'a> {
    context: &'a Context,
    /// Another download of the same call failed.
    stopped: &'a AtomicBool,
    /// The limit that was exceeded.
    deadline: Option<(Instant, Duration)>,
    /// What does not count: programs were asked for credentials.
    paused: Cell<Duration>,
}

impl<'a> DownloadWatch<'a> {
    fn start(context: &'a Context, stopped: &'a AtomicBool) -> Self {
        Self::within(context, stopped, context.timeout)
    }

    fn within(context: &'a Context, stopped: &'a AtomicBool, limit: Option<Duration>) -> Self {
        let deadline = limit.map(|limit| (Instant::now() + limit, limit));
        Self { context, stopped, deadline, paused: Cell::default() }
    }

    fn pause(&self, time: Duration) {
        self.paused.set(self.paused.get() + time);
    }

    fn check(&self) -> Result<(), DownloadErrorKind> {
        if self.context.is_cancelled() || self.stopped.load(Ordering::Relaxed) {
            return Err(DownloadErrorKind::Cancelled);
        }
        match self.deadline {
            Some((deadline, limit)) if Instant::now() >= deadline + self.paused.get() => {
                Err(DownloadErrorKind::TimedOut { limit })
            }
            _ => Ok(()),
        }
    }
}

fn fetch_unless(context: &Context, request: &FetchRequest, stopped: &AtomicBool) -> Result<PathBuf, DownloadError> {
    let failed = |kind| DownloadError::new(request, 0, kind);
    let watch = DownloadWatch::start(context, stopped);
    let blob = context.store.blob(&request.sha256);
    context.store.mark_used(EntryKind::Blobs, &request.sha256.to_string());
    if have(context, request).map_err(failed)? {
        return Ok(blob);
    }
    let remote = context.remote.as_deref();
    let local = local::path_of(&request.url);
    // One that is absent may be in the remote store.
    if let Some(source) = local.as_ref().filter(|source| remote.is_none() || source.exists()) {
        local::take_in(&watch, request, source).map_err(failed)?;
        if let Some(remote) = remote {
            remote.give_blob(&context.near(), &blob, &request.sha256);
        }
        return Ok(blob);
    }
    if context.offline && remote.is_none() {
        return Err(failed(DownloadErrorKind::Offline));
    }
    let give_up = || watch.check().is_err();
    let lock = context.store.lock("blob", &request.sha256, give_up).map_err(|error| failed(error.into()))?;
    let LockOutcome::Held(_lock) = lock else {
        watch.check().map_err(failed)?;
        return Err(failed(DownloadErrorKind::Cancelled));
    };
    let near = || NearStore { largest: request.largest(context), ..context.near() };
    // The former holder of the lock may have fetched it.
    if have(context, request).map_err(failed)?
        || remote.is_some_and(|remote| remote.bring_blob(&near(), &request.sha256, &request.file_name, request.size))
    {
        return Ok(blob);
    }
    if let Some(source) = local {
        // Its error names the path.
        return local::take_in(&watch, request, &source).map(|()| blob).map_err(failed);
    }
    if context.offline {
        return Err(failed(DownloadErrorKind::Offline));
    }
    transfer::transfer(&watch, request)?;
    if let Some(remote) = remote {
        remote.offer_blob(&context.near(), &blob, &request.sha256);
    }
    Ok(blob)
}

/// Whether the URL leads to a file of this machine, which no network is needed for.
pub fn is_local(url: &str) -> bool {
    local::path_of(url).is_some()
}

/// Whether the store or the remote store has a file with this digest, so that no server need be asked. Its content is
/// not looked at.
pub fn is_at_hand(context: &Context, sha256: &Digest) -> bool {
    context.store.blob(sha256).is_file()
        || context.remote.as_deref().is_some_and(|remote| remote.has_blob(&context.near(), sha256))
}

/// Fetches from the remote store alone. A fault of it is reported, and the file is still missing.
fn bring(context: &Context, sha256: &Digest, file_name: &str) {
    let Some(remote) = &context.remote else { return };
    let lock = context.store.lock("blob", sha256, || context.is_cancelled());
    if matches!(lock, Ok(LockOutcome::Held(_))) && !context.store.blob(sha256).is_file() {
        remote.bring_blob(&context.near(), sha256, file_name, None);
    }
}

/// Looks at the size only, which is where an interrupted disk shows; the digest is read when the size is wrong.
fn have(context: &Context, request: &FetchRequest) -> Result<bool, DownloadErrorKind> {
    let Ok(metadata) = std::fs::metadata(context.store.blob(&request.sha256)) else {
        return Ok(false);
    };
    if request.size.is_none_or(|size| size == metadata.len()) && metadata.len() > 0 {
        return Ok(true);
    }
    match context.store.verify_blob(&request.sha256)? {
        BlobState::Sound { .. } => Ok(true),
        BlobState::Absent => Ok(false),
        BlobState::Removed { .. } => {
            context.note(format!("`{}` was damaged in the store and is fetched again", request.file_name));
            Ok(false)
        }
    }
}
