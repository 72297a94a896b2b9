//! What is said about an entry after it was published: that it is withdrawn, is offered again, or is in another channel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Channel, EntryId, Moment};

/// The number in `format` of each; any other is refused.
pub const NOTICE_FORMAT: u32 = 1;

/// The entry leaves the catalogue. Its artifact stays where it is, for who asks for it by digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retraction {
    pub format: u32,
    #[schemars(with = "crate::schema::Id")]
    pub entry: EntryId,
    #[schemars(with = "crate::schema::Rfc3339")]
    pub at: Moment,
    /// For whoever meets it: a sentence.
    pub reason: String,
}

impl Retraction {
    pub fn new(entry: EntryId, at: Moment, reason: String) -> Self {
        Self { format: NOTICE_FORMAT, entry, at, reason }
    }

    /// Whether nothing later takes it back. Of the same second the retraction counts: the safer of the two.
    pub fn stands<'a>(&self, restorations: impl IntoIterator<Item = &'a Restoration>) -> bool {
        !restorations.into_iter().any(|it| it.entry == self.entry && it.at > self.at)
    }
}

/// The entry is offered again: retractions of it that are not later do not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    pub format: u32,
    #[schemars(with = "crate::schema::Id")]
    pub entry: EntryId,
    #[schemars(with = "crate::schema::Rfc3339")]
    pub at: Moment,
}

impl Restoration {
    pub fn new(entry: EntryId, at: Moment) -> Self {
        Self { format: NOTICE_FORMAT, entry, at }
    }
}

/// The entry is in this channel from now on, whatever it was published to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    pub format: u32,
    #[schemars(with = "crate::schema::Id")]
    pub entry: EntryId,
    #[schemars(with = "crate::schema::Rfc3339")]
    pub at: Moment,
    pub channel: Channel,
}

impl Promotion {
    pub fn new(entry: EntryId, at: Moment, channel: Channel) -> Self {
        Self { format: NOTICE_FORMAT, entry, at, channel }
    }
}
