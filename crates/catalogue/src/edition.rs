//! The catalogue for readers that have a key: dated, counted, and signed as one object.
//!
//! Goals of the format: text and signature are one object, because two cannot be replaced in one step; what is signed
//! stands there byte for byte, so that nobody has to agree on a canonical JSON; minisign's stock program can verify it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Catalogue, Moment};

/// The number in `format` of both; any other is refused.
pub const EDITION_FORMAT: u32 = 1;

/// What is signed: a catalogue, its place in the row of all that were signed, and until when it is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    pub format: u32,
    /// Greater than that of every earlier edition at this destination.
    pub counter: u64,
    #[schemars(with = "crate::schema::Rfc3339")]
    pub signed: Moment,
    /// From this moment on a reader refuses it.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub expires: Moment,
    pub catalogue: Catalogue,
}

/// `catalogue.signed.json`. Nothing in it is believed before the signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedCatalogue {
    pub format: u32,
    /// In minisign's one-line form. It says who signed; whether to believe that is up to the reader.
    pub public_key: String,
    /// Content of a minisign signature file over the bytes of `edition`.
    pub signature: String,
    /// An [`Edition`] as text.
    pub edition: String,
}

impl Edition {
    /// The one to sign after `former`. Counters follow the clock where they can: if the former edition was lost, the
    /// next one is still greater than what readers have seen. `None` when the counter or the time is out of range.
    pub fn after(former: Option<&Self>, catalogue: Catalogue, now: Moment, valid_days: u32) -> Option<Self> {
        let clock = u64::try_from(now.unix_seconds()).unwrap_or_default();
        let next = match former {
            Some(former) => former.counter.checked_add(1)?,
            None => 1,
        };
        let expires = now.unix_seconds().checked_add(i64::from(valid_days) * 24 * 60 * 60)?;
        Some(Self {
            format: EDITION_FORMAT,
            counter: next.max(clock),
            signed: now,
            expires: Moment::from_unix_seconds(expires)?,
            catalogue,
        })
    }

    pub fn has_expired(&self, now: Moment) -> bool {
        now >= self.expires
    }

    /// Half of its time is over.
    pub fn is_due(&self, now: Moment) -> bool {
        let (from, to) = (self.signed.unix_seconds(), self.expires.unix_seconds());
        now.unix_seconds() >= from.midpoint(to)
    }
}

impl SignedCatalogue {
    pub fn new(public_key: String, signature: String, edition: String) -> Self {
        Self { format: EDITION_FORMAT, public_key, signature, edition }
    }
}
