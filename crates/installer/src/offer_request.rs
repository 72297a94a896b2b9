//! Whose offer counts, and reading single files below its place.

use std::path::Path;

use catalogue::{Channel, Moment, StoredObject, object_keys};
use fetch::{FetchSettings, FetchWatch, fetch_small, is_bucket, is_remote, server_of};
use vocab::{Digest, Event, PlatformKey, TreePath, unencrypted_host};

use crate::{GetErrorKind, Home, PublicKey};

/// Where a catalogue is read, what of it counts, and what may be trusted.
#[derive(Debug)]
pub struct OfferRequest {
    pub platform: PlatformKey,
    /// The lowest acceptable channel.
    pub channel: Channel,
    /// The destination that it was published to: `http`, `https`, `file` or a path; it contains `catalogue.json`.
    pub from: String,
    /// Keeps the catalogue that was read last, and says what is installed.
    pub home: Home,
    /// With at least one, everything that none of them signed is refused.
    pub public_keys: Vec<PublicKey>,
    /// Do not use a network.
    pub offline: bool,
    /// The current time, for expiry.
    pub now: Moment,
}

/// Reads what an [`OfferRequest`] is about.
#[derive(Clone, Copy)]
pub(crate) struct OfferReader<'a> {
    pub request: &'a OfferRequest,
    pub settings: &'a FetchSettings,
    pub watch: FetchWatch<'a>,
}

impl OfferReader<'_> {
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

    /// With a key it does not matter how the bytes arrive.
    pub(crate) fn warn_of_plain_http(&self) {
        let OfferRequest { from, public_keys, offline, .. } = self.request;
        let server = server_of(from, self.settings);
        let host = server.as_deref().and_then(unencrypted_host);
        let Some(host) = host.filter(|_| public_keys.is_empty() && !offline) else { return };
        (self.watch.tell)(Event::Warning {
            code: "W_GET_PLAIN_HTTP",
            text: format!(
                "what comes from `{host}` over plain http can be changed on the way, and nothing verifies it"
            ),
            place: None,
            hint: Some("use https, or give the publisher's key with --public-key".to_owned()),
        });
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
