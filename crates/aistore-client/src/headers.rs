//! The headers that are AIStore's own.

use web::HeaderMap;

pub(crate) const CHECKSUM_KIND: &str = "ais-checksum-type";
pub(crate) const CHECKSUM_VALUE: &str = "ais-checksum-value";
pub(crate) const ACCESSED: &str = "ais-atime";
pub(crate) const VERSION: &str = "ais-version";
pub(crate) const CUSTOM: &str = "ais-custom-md";
pub(crate) const PRESENT: &str = "ais-present";
pub(crate) const LOCATION: &str = "ais-location";
pub(crate) const COPIES: &str = "ais-mirror-copies";
pub(crate) const APPEND_HANDLE: &str = "ais-append-handle";
pub(crate) const BUCKET_PROPERTIES: &str = "ais-bucket-props";
pub(crate) const NODE_UPTIME: &str = "ais-node-uptime";
pub(crate) const CLUSTER_UPTIME: &str = "ais-cluster-uptime";
/// Why a HEAD failed: what the body says elsewhere.
pub(crate) const ERROR: &str = "hdr-error";

/// `None` also where it is not text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `None` also where it is not a number.
pub(crate) fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    text(headers, name)?.trim().parse().ok()
}
