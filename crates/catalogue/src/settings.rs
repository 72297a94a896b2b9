//! What all publishers to one destination have in common, so that whoever writes the index last writes the same.
//!
//! Goals of the format: it is small, a person may write it, and a publisher that does not understand it writes nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number in `format`; any other is refused.
pub const SETTINGS_FORMAT: u32 = 1;

/// Long enough for a destination that nobody publishes to for a while, short enough that an old copy is found out.
pub const VALID_DAYS: u32 = 90;

/// Of the index at a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexSettings {
    pub format: u32,
    /// How readers reach the destination's prefix, without `/` at the end. uv's lists need it and are not written
    /// without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many days a signed catalogue is believed; 90 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub valid_days: Option<u32>,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self { format: SETTINGS_FORMAT, public_url: None, title: None, valid_days: None }
    }
}
