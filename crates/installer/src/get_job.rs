//! What is asked for, and reading single files below its place.

use std::path::Path;

use catalogue::{Channel, Moment, StoredObject, object_keys};
use fetch::{FetchSettings, FetchWatch, ReuseMode, fetch_small, is_bucket, is_remote, without_secrets};
use vocab::{Digest, PlatformKey, RuntimeRequest, TreePath};

use crate::{GetError, GetErrorKind, Home, PublicKey};

/// What to install, from where, and what may be trusted.
#[derive(Debug)]
pub struct GetRequest {
    /// The newest that is offered of these.
    pub asked: RuntimeRequest,
    pub platform: PlatformKey,
    /// The lowest acceptable channel.
    pub channel: Channel,
    /// The destination that it was published to: `http`, `https`, `file` or a path; it contains `catalogue.json`.
    pub from: String,
    pub home: Home,
    /// With at least one, everything that none of them signed is refused.
    pub public_keys: Vec<PublicKey>,
    /// Do not use a network.
    pub offline: bool,
    /// Compare the digest of every installed file.
    pub verify: bool,
    /// Install again, reusing the undamaged parts of what is installed.
    pub reinstall: bool,
    /// Accept an older build, or one that was known as retracted.
    pub allow_older: bool,
    /// What becomes of files that an installed build has already.
    pub reuse: ReuseMode,
    /// The current time, for expiry.
    pub now: Moment,
}

impl GetRequest {
    /// The error, with what was asked for.
    pub(crate) fn failed(&self, kind: GetErrorKind) -> GetError {
        let (asked, platform, from) = (self.asked.clone(), self.platform, without_secrets(&self.from));
        GetError { asked, platform, from, kind: Box::new(kind) }
    }
}

/// One [`crate::get()`]: what is asked for, and how its files are read.
pub(crate) struct GetJob<'a> {
    pub request: &'a GetRequest,
    pub settings: &'a FetchSettings,
    pub watch: FetchWatch<'a>,
    /// The build is installed and damaged; what was added to it stays.
    pub repairs: bool,
}

impl GetJob<'_> {
    /// A folder can be read with or without a network.
    pub(crate) fn needs_network_and_has_none(&self) -> bool {
        self.request.offline && is_remote(&self.request.from)
    }

    pub(crate) fn object(&self, what: &'static str, object: &StoredObject) -> Result<Vec<u8>, GetErrorKind> {
        compared(what, self.small(&object.key)?, &object.sha256)
    }

    pub(crate) fn small(&self, key: &TreePath) -> Result<Vec<u8>, GetErrorKind> {
        Ok(fetch_small(&self.place(key), self.settings, self.watch)?)
    }

    /// Location of an object below the destination.
    pub(crate) fn place(&self, key: &TreePath) -> String {
        let from = &self.request.from;
        // A drive letter is one character, a URL's scheme is longer.
        if is_bucket(from) {
            // Its names are not escaped.
            let (base, query) = from.split_at(from.find('?').unwrap_or(from.len()));
            format!("{}/{key}{query}", base.trim_end_matches('/'))
        } else if from.contains("://") {
            object_keys::url(from, key)
        } else {
            key.below(Path::new(from)).display().to_string()
        }
    }
}

/// The bytes, if they have the digest.
pub(crate) fn compared(what: &'static str, bytes: Vec<u8>, expected: &Digest) -> Result<Vec<u8>, GetErrorKind> {
    let actual = Digest::of(&bytes);
    if actual != *expected {
        return Err(GetErrorKind::Digest { what, expected: *expected, actual });
    }
    Ok(bytes)
}
