//! What the headers of an answer say about an object.

use web::{HeaderMap, header};

use crate::checksum::Checksum;
use crate::custom_metadata::{self, CustomMetadata};
use crate::headers::{ACCESSED, COPIES, LOCATION, PRESENT, VERSION, number, text};

/// What is known about an object. What was not asked for is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectProperties {
    /// In bytes.
    pub size: Option<u64>,
    pub checksum: Option<Checksum>,
    pub version: Option<String>,
    /// In nanoseconds since 1970.
    pub accessed: Option<u64>,
    pub custom: CustomMetadata,
    /// Whether the cluster has it, and not only the cloud.
    pub is_present: Option<bool>,
    /// Target and mountpath.
    pub location: Option<String>,
    pub copies: Option<u64>,
    pub last_modified: Option<String>,
    /// Opaque; an MD5 only where the bucket's checksums are.
    pub etag: Option<String>,
}

impl ObjectProperties {
    pub(crate) fn of_headers(headers: &HeaderMap) -> Self {
        let owned = |name| text(headers, name).map(str::to_owned);
        Self {
            size: number(headers, header::CONTENT_LENGTH.as_str()),
            checksum: Checksum::of_headers(headers),
            version: owned(VERSION),
            accessed: number(headers, ACCESSED),
            custom: custom_metadata::of_headers(headers),
            is_present: number(headers, PRESENT),
            location: owned(LOCATION),
            copies: number(headers, COPIES),
            last_modified: owned(header::LAST_MODIFIED.as_str()),
            etag: owned(header::ETAG.as_str()).map(|tag| tag.trim_matches('"').to_owned()),
        }
    }
}
