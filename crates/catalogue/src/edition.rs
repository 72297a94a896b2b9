//! The catalogue for readers that have a key: dated, counted, and signed as one object.
//!
//! Goals of the format: text and signature are one object, because two cannot be replaced in one step; what is signed
//! is included byte for byte, so that no canonical JSON needs to be agreed on; the stock minisign program can verify
//! it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Catalogue, Moment};

/// The number in `format` of both; any other is refused.
pub const EDITION_FORMAT: u32 = 1;

/// What is signed: a catalogue, its number among all that were signed, and how long it is valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    pub format: u32,
    /// Greater than that of every earlier edition at this destination.
    pub counter: u64,
    /// When it was signed, by the publisher's clock.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub signed: Moment,
    /// Readers refuse it from this moment on.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub expires: Moment,
    pub catalogue: Catalogue,
}

/// `catalogue.signed.json`. Its content must not be used before the signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedCatalogue {
    pub format: u32,
    /// In minisign's one-line form. Names the signer; whether to trust that key is the reader's decision.
    pub public_key: String,
    /// The minisign signature file over the bytes of `edition`.
    pub signature: String,
    /// An [`Edition`] as text.
    pub edition: String,
}

impl Edition {
    /// The edition to sign after `former`. Counters follow the clock where possible: if the former edition was lost,
    /// the next one is still greater than what readers have seen. `None` if the counter or the time is out of range.
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

    /// Whether readers refuse it at this time.
    pub fn has_expired(&self, now: Moment) -> bool {
        now >= self.expires
    }

    /// Whether half of its validity is over, so that it should be signed again.
    pub fn is_due(&self, now: Moment) -> bool {
        let (from, to) = (self.signed.unix_seconds(), self.expires.unix_seconds());
        now.unix_seconds() >= from.midpoint(to)
    }
}

impl SignedCatalogue {
    /// `public_key` in minisign's one-line form, `signature` as minisign's file, `edition` exactly as it was signed.
    pub fn new(public_key: String, signature: String, edition: String) -> Self {
        Self { format: EDITION_FORMAT, public_key, signature, edition }
    }
}
