//! Notices about a published entry: that it is retracted, restored, or in another channel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Channel, EntryId, Moment};

/// The number in `format` of each; any other is refused.
pub const NOTICE_FORMAT: u32 = 1;

/// The entry leaves the catalogue. Its artifact remains available by digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retraction {
    pub format: u32,
    #[schemars(with = "crate::schema::Id")]
    pub entry: EntryId,
    /// When it was decided, by the publisher's clock.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub at: Moment,
    /// Why, in one sentence; shown to readers.
    pub reason: String,
}

impl Retraction {
    /// `at` is the time of the decision, from the caller's clock.
    pub fn new(entry: EntryId, at: Moment, reason: String) -> Self {
        Self { format: NOTICE_FORMAT, entry, at, reason }
    }

    /// Whether no later restoration revokes it. If both have the same second the retraction counts, as the safer of the
    /// two.
    pub fn stands<'a>(&self, restorations: impl IntoIterator<Item = &'a Restoration>) -> bool {
        !restorations.into_iter().any(|it| it.entry == self.entry && it.at > self.at)
    }
}

/// The entry is offered again: retractions of it that are not later are revoked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    pub format: u32,
    #[schemars(with = "crate::schema::Id")]
    pub entry: EntryId,
    /// When it was decided, by the publisher's clock.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub at: Moment,
}

impl Restoration {
    /// `at` is the time of the decision, from the caller's clock.
    pub fn new(entry: EntryId, at: Moment) -> Self {
        Self { format: NOTICE_FORMAT, entry, at }
    }
}

/// The entry is in this channel from now on, whichever it was published to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    pub format: u32,
    #[schemars(with = "crate::schema::Id")]
    pub entry: EntryId,
    /// When it was decided, by the publisher's clock.
    #[schemars(with = "crate::schema::Rfc3339")]
    pub at: Moment,
    pub channel: Channel,
}

impl Promotion {
    /// `at` is the time of the decision, from the caller's clock.
    pub fn new(entry: EntryId, at: Moment, channel: Channel) -> Self {
        Self { format: NOTICE_FORMAT, entry, at, channel }
    }
}
