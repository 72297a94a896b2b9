//! The properties of a bucket, as the server writes them.

use serde_json::{Map, Value};

use crate::ChecksumKind;

/// Everything that the server says; there is more of it than is named here, and it grows from version to version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BucketProperties(pub Map<String, Value>);

impl BucketProperties {
    /// By its path, such as `versioning.enabled`.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let mut components = path.split('.');
        let mut value = self.0.get(components.next()?)?;
        for component in components {
            value = value.get(component)?;
        }
        Some(value)
    }

    /// `None` when the bucket has no checksums, or of a kind that is not known here.
    pub fn checksum(&self) -> Option<ChecksumKind> {
        self.get("checksum.type")?.as_str()?.parse().ok()
    }

    /// Whether objects get another version when they are replaced; false where the server does not say.
    pub fn is_versioned(&self) -> bool {
        self.get("versioning.enabled").and_then(Value::as_bool).unwrap_or(false)
    }
}
