//! Settings that all publishers to one destination share, so that the last one to write the index writes the same.
//!
//! Goals of the format: it is small, a person can write it, and a publisher that does not understand it writes nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number in `format`; any other is refused.
pub const SETTINGS_FORMAT: u32 = 1;

/// Long enough for a destination with rare publications, short enough that an old copy is detected.
pub const VALID_DAYS: u32 = 90;

/// Settings of the index at a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexSettings {
    pub format: u32,
    /// The URL under which readers reach the destination's prefix, without a trailing `/`. uv's lists need it and are
    /// not written without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Heading of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many days a signed catalogue is valid; 90 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub valid_days: Option<u32>,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self { format: SETTINGS_FORMAT, public_url: None, title: None, valid_days: None }
    }
}
