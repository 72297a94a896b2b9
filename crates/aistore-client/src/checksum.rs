//! The checksums that AIStore keeps of objects.

use std::fmt;

use web::HeaderMap;

use crate::headers::{CHECKSUM_KIND, CHECKSUM_VALUE, text};

/// How a checksum is computed. A bucket has one kind for all of its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChecksumKind {
    /// XXH64 with seed 0; what buckets have unless they were created with another.
    #[default]
    Xxhash2,
    Md5,
    Crc32c,
    Sha256,
    Sha512,
}

impl ChecksumKind {
    /// As AIStore writes it in headers and properties.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xxhash2 => "xxhash2",
            Self::Md5 => "md5",
            Self::Crc32c => "crc32c",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for ChecksumKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The checksum of one object's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checksum {
    pub kind: ChecksumKind,
    /// Lower-case hexadecimal digits.
    pub value: String,
}

impl Checksum {
    /// What an answer says. `None` when it says nothing, or a kind that is not known here.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let kind = text(headers, CHECKSUM_KIND)?.parse().ok()?;
        Some(Self { kind, value: text(headers, CHECKSUM_VALUE)?.to_owned() })
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind, self.value)
    }
}
