//! What is known of a file's content, and how to tell that a file still holds it.
//!
//! SHA-256 is the digest of every format that leaves the machine. A file that is compared with what this machine itself has
//! recorded of it is read for that alone, often with a gigabyte of others, so it has a BLAKE3 too, or only that: computing it
//! takes a fourth of the time. Both are cryptographic, so one says as much as the other.

use std::fmt;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Digest;
use crate::digest::{hexadecimal, of_hexadecimal};

/// A BLAKE3 of 32 bytes; its text is 64 hexadecimal digits. For records that stay on this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blake3([u8; 32]);

impl Blake3 {
    /// Of bytes in memory; for a file use [`ContentDigests::of_reader`].
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(blake3::hash(bytes.as_ref()).into())
    }
}

impl fmt::Debug for Blake3 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Blake3({})", hexadecimal(&self.0))
    }
}

impl From<Blake3> for String {
    fn from(digest: Blake3) -> Self {
        hexadecimal(&digest.0)
    }
}

impl TryFrom<String> for Blake3 {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        of_hexadecimal(&text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a BLAKE3: expected 64 hexadecimal digits"))
    }
}

/// Which digests are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestKinds {
    Sha256,
    Blake3,
    Both,
}

/// Digests of one content, one of them at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentDigests {
    pub sha256: Option<Digest>,
    pub blake3: Option<Blake3>,
}

impl From<Digest> for ContentDigests {
    fn from(sha256: Digest) -> Self {
        Self { sha256: Some(sha256), blake3: None }
    }
}

impl ContentDigests {
    /// Of bytes in memory.
    pub fn of(bytes: &[u8], kinds: DigestKinds) -> Self {
        Self {
            sha256: (kinds != DigestKinds::Blake3).then(|| Digest::of(bytes)),
            blake3: (kinds != DigestKinds::Sha256).then(|| Blake3::of(bytes)),
        }
    }

    /// Of everything up to the end of `reader`, read piece by piece into `buffer`, which is made once for many files.
    pub fn of_reader(mut reader: impl Read, kinds: DigestKinds, buffer: &mut DigestBuffer) -> io::Result<Self> {
        let mut hasher = ContentHasher::new(kinds);
        loop {
            match reader.read(&mut buffer.0) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(count) => hasher.update(&buffer.0[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The kind that shows most quickly whether a content is this one. `None` if no digest is known.
    pub fn quickest(&self) -> Option<DigestKinds> {
        let sha256 = self.sha256.map(|_| DigestKinds::Sha256);
        self.blake3.map(|_| DigestKinds::Blake3).or(sha256)
    }

    /// Whether both are of one content. False if they have no kind of digest in common.
    pub fn agree(&self, other: &Self) -> bool {
        match (self.blake3, other.blake3) {
            (Some(one), Some(other)) => one == other,
            _ => self.sha256.is_some() && self.sha256 == other.sha256,
        }
    }
}

/// What a file is read into while its digests are computed. Large enough for a processor's widest registers, small enough for
/// its own cache.
pub struct DigestBuffer(Box<[u8]>);

impl Default for DigestBuffer {
    fn default() -> Self {
        Self(vec![0; 64 << 10].into())
    }
}

/// Computes digests of content that comes in pieces.
pub struct ContentHasher {
    sha256: Option<Sha256>,
    blake3: Option<Box<blake3::Hasher>>,
    size: u64,
}

impl ContentHasher {
    pub fn new(kinds: DigestKinds) -> Self {
        Self {
            sha256: (kinds != DigestKinds::Blake3).then(Sha256::new),
            blake3: (kinds != DigestKinds::Sha256).then(Box::default),
            size: 0,
        }
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(state) = &mut self.sha256 {
            state.update(bytes);
        }
        if let Some(state) = &mut self.blake3 {
            state.update(bytes);
        }
        self.size += bytes.len() as u64;
    }

    /// How many bytes it was given.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Of all bytes that it was given.
    pub fn finish(self) -> ContentDigests {
        ContentDigests {
            sha256: self.sha256.map(|state| Digest::from_bytes(state.finalize().into())),
            blake3: self.blake3.map(|state| Blake3(state.finalize().into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the authors' test vectors: the bytes 0, 1 … 250, 0, 1 and so on.
    const OF_1025_BYTES: &str = "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444";
    const KINDS: [DigestKinds; 3] = [DigestKinds::Sha256, DigestKinds::Blake3, DigestKinds::Both];

    #[test]
    fn readers_hashers_and_bytes_agree_with_the_published_vector() {
        let bytes: Vec<u8> = (0..1025).map(|index| (index % 251) as u8).collect();
        let expected = Blake3::try_from(OF_1025_BYTES.to_owned()).unwrap();
        assert_eq!(Blake3::of(&bytes), expected);
        let both = ContentDigests { sha256: Some(Digest::of(&bytes)), blake3: Some(expected) };
        assert_eq!(ContentDigests::of(&bytes, DigestKinds::Both), both);
        for kinds in KINDS {
            let whole = ContentDigests::of(&bytes, kinds);
            assert_eq!(ContentDigests::of_reader(&bytes[..], kinds, &mut DigestBuffer::default()).unwrap(), whole);
            let mut hasher = ContentHasher::new(kinds);
            bytes.chunks(100).for_each(|piece| hasher.update(piece));
            assert_eq!((hasher.size(), hasher.finish()), (1025, whole));
            assert!(whole.agree(&both) && both.agree(&whole));
        }
        assert_eq!(String::from(expected), OF_1025_BYTES);
    }

    #[test]
    fn only_digests_of_one_kind_tell_that_two_contents_are_one() {
        let of = |text: &str, kinds| ContentDigests::of(text.as_bytes(), kinds);
        for kinds in KINDS {
            assert!(!of("one", kinds).agree(&of("two", kinds)));
        }
        assert!(!of("one", DigestKinds::Sha256).agree(&of("one", DigestKinds::Blake3)));
        assert!(!ContentDigests::default().agree(&ContentDigests::default()), "of neither anything is known");
        let quickest = KINDS.map(|kinds| of("one", kinds).quickest());
        assert_eq!(quickest, [DigestKinds::Sha256, DigestKinds::Blake3, DigestKinds::Blake3].map(Some));
        assert_eq!(ContentDigests::default().quickest(), None);
    }

    #[test]
    fn another_text_is_no_digest() {
        for text in ["", &OF_1025_BYTES[1..], &OF_1025_BYTES.replace('d', "g")] {
            assert!(Blake3::try_from(text.to_owned()).is_err(), "for {text:?}");
        }
    }
}
