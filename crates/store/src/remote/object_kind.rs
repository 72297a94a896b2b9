//! How the objects of a remote store are called.

use objects::ObjectKey;
use vocab::Digest;

/// Objects of all formats of the remote store have names that begin with its number.
pub(super) const ALL: &str = "v1/";

/// What an object of a remote store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// Which wheel was built for a key.
    Built,
    /// Which files a build requires.
    Requirements,
    Blobs,
    Parts,
    Bases,
}

impl ObjectKind {
    pub(super) const ALL: [Self; 5] = [Self::Built, Self::Requirements, Self::Blobs, Self::Parts, Self::Bases];

    /// As names of objects have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Requirements => "requirements",
            Self::Blobs => "blobs",
            Self::Parts => "parts",
            Self::Bases => "bases",
        }
    }
}

/// Where a remote store has the file with this digest.
pub fn blob_key(digest: &Digest) -> ObjectKey {
    key_of(ObjectKind::Blobs, digest)
}

pub(super) fn key_of(kind: ObjectKind, digest: &Digest) -> ObjectKey {
    let text = digest.to_string();
    let name = format!("{ALL}{}/{}/{text}", kind.as_str(), &text[..2]);
    name.parse().expect("letters and digits between slashes")
}
