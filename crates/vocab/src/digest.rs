//! SHA-256: the digest of whatever leaves the machine, or comes from elsewhere. See [`ContentDigests`](crate::ContentDigests)
//! for the other one.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256; its text is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of bytes in memory; for a file use [`of_reader`](Self::of_reader).
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// Digest of everything up to the end of `reader`, and the number of bytes read.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        /// Fits the processor's innermost cache, where hashing finds it again. `io::copy` takes a quarter of it at a time.
        const PIECE: usize = 32 << 10;
        let (mut state, mut size, mut buffer) = (Sha256::new(), 0, [0; PIECE]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok((Self(state.finalize().into()), size)),
                Ok(count) => {
                    state.update(&buffer[..count]);
                    size += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes 32 bytes that already are a SHA-256, such as those in a `RECORD`; nothing is hashed.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, for formats that do not write hexadecimal digits.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve digits, for people to read.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hexadecimal(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

/// The text is not 64 hexadecimal digits. Upper case digits are accepted when reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a SHA-256: expected 64 hexadecimal digits")]
pub struct DigestError {
    pub text: String,
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        of_hexadecimal(text).map(Self).ok_or_else(|| DigestError { text: text.to_owned() })
    }
}

/// 64 lower-case digits.
pub(crate) fn hexadecimal(bytes: &[u8; 32]) -> String {
    // Records have tens of thousands of them; formatting each byte takes ten times as long.
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// `None` if the text is not 64 hexadecimal digits.
pub(crate) fn of_hexadecimal(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            *byte = *byte << 4 | char::from(*digit).to_digit(16)? as u8;
        }
    }
    Some(bytes)
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Hands bytes on to `inner` and digests what `inner` accepted.
pub struct DigestWriter<W> {
    inner: W,
    state: Sha256,
    size: u64,
}

impl<W: Write> DigestWriter<W> {
    /// Nothing has been hashed yet; bytes that `inner` received before do not count.
    pub fn new(inner: W) -> Self {
        Self { inner, state: Sha256::new(), size: 0 }
    }

    /// Bytes accepted so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digest of all bytes that `inner` accepted. Does not flush: call `flush` first where errors matter.
    pub fn finish(self) -> (W, Digest) {
        (self.inner, Digest(self.state.finalize().into()))
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let accepted = self.inner.write(bytes)?;
        self.state.update(&bytes[..accepted]);
        self.size += accepted as u64;
        Ok(accepted)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Digests what is read through it.
pub struct DigestReader<R> {
    inner: R,
    state: Sha256,
    size: u64,
}

impl<R: Read> DigestReader<R> {
    /// Bytes that were read from `inner` before do not count.
    pub fn new(inner: R) -> Self {
        Self { inner, state: Sha256::new(), size: 0 }
    }

    /// Digest and number of the bytes read so far, which need not be all that `inner` holds.
    pub fn finish(self) -> (Digest, u64) {
        (Digest(self.state.finalize().into()), self.size)
    }
}

impl<R: Read> Read for DigestReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.state.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn readers_and_writers_agree_with_the_published_vector() {
        assert_eq!(Digest::of("abc").to_string(), OF_ABC);
        assert_eq!(Digest::of_reader(&b"abc"[..]).unwrap(), (OF_ABC.parse().unwrap(), 3));
        let mut reader = DigestReader::new(&b"abc"[..]);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.finish(), (OF_ABC.parse().unwrap(), 3));
    }

    #[test]
    fn only_64_hexadecimal_digits_are_a_digest() {
        assert_eq!(OF_ABC.to_uppercase().parse::<Digest>().unwrap().to_string(), OF_ABC);
        for text in ["", "abc", &OF_ABC[1..], &format!("{OF_ABC}0"), &OF_ABC.replace('b', "g")] {
            assert!(text.parse::<Digest>().is_err(), "for {text:?}");
        }
    }
}
