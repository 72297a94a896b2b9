//! Reading an object: as it comes, going on where it broke off, compared with its checksum at the end.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Range as Bytes;

use web::{Answer, Body, Failure, header};

use crate::checksum::{Checksum, Hasher};
use crate::object::{GetOptions, ObjectProperties, Range};
use crate::{Error, ObjectHandle};

/// Holds one piece of the object at a time. Dropping it ends the transfer. Errors of [`Read`] hold an [`Error`].
pub struct ObjectReader<'a> {
    object: ObjectHandle<'a>,
    options: GetOptions,
    properties: ObjectProperties,
    body: Body,
    /// In the object, of the first byte of this answer.
    start: u64,
    /// Whether the server says that this is a part of the object.
    is_range: bool,
    /// Bytes that are still to come; `None` when the server did not say.
    left: Option<u64>,
    /// How much was read.
    position: u64,
    /// With what it should give.
    hasher: Option<(Hasher, Checksum)>,
    resumes: u32,
}

const PIECE: usize = 256 << 10;

impl<'a> ObjectReader<'a> {
    pub(crate) fn new(object: ObjectHandle<'a>, options: GetOptions, answer: Answer) -> Self {
        let properties = ObjectProperties::of_headers(answer.headers());
        let is_whole = answer.status().as_u16() == 200 && options.member.is_none();
        let checksum = properties.checksum.clone().filter(|_| options.verify && is_whole);
        let hasher = checksum.map(|checksum| (Hasher::new(checksum.kind), checksum));
        let range = content_range(&answer).filter(|_| answer.status().as_u16() == 206);
        let (start, is_range) = (range.unwrap_or(0), range.is_some());
        let (left, resumes) = (properties.size, options.resumes);
        let body = answer.into_body();
        Self { object, options, properties, body, start, is_range, left, position: 0, hasher, resumes }
    }

    /// What the server says about the object; for a range, the size is that of the range.
    pub fn properties(&self) -> &ObjectProperties {
        &self.properties
    }

    /// Where the bytes of this answer lie in the object. `None` if it is the whole, or has no size.
    pub fn range(&self) -> Option<Bytes<u64>> {
        let size = self.properties.size.filter(|_| self.is_range)?;
        Some(self.start..self.start.checked_add(size)?)
    }

    /// The bytes as they come: nothing is compared, and what breaks off is not taken up again.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// It broke off, or has another checksum.
    pub fn bytes(mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(|error| self.of_io(error))?;
        Ok(bytes)
    }

    /// All of it, to a file for one; gives how many bytes there were.
    ///
    /// # Errors
    /// It broke off, or has another checksum; then what was written is not to be believed. Writing failed.
    pub fn copy_to(mut self, to: &mut impl Write) -> Result<u64, Error> {
        let mut buffer = vec![0; PIECE];
        let mut whole = 0;
        loop {
            let count = self.read(&mut buffer).map_err(|error| self.of_io(error))?;
            if count == 0 {
                return Ok(whole);
            }
            let piece = buffer.get(..count).unwrap_or_default();
            to.write_all(piece).map_err(|source| Error::File { path: "(output)".into(), source })?;
            whole += count as u64;
        }
    }

    fn request(&self) -> String {
        format!("GET {}/{}", self.object.bucket(), self.object.name())
    }

    fn of_io(&self, error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::Unanswered { request: self.request(), failure: Failure::of_body(&error) },
        }
    }

    /// Asks for what is missing. `None`: it cannot be had, or is of another version of the object.
    fn resume(&mut self) -> Option<()> {
        self.resumes = self.resumes.checked_sub(1)?;
        if self.options.member.is_some() {
            return None;
        }
        let at = self.start + self.position;
        let range = self.left.map_or(Range::From(at), |length| Range::Of { start: at, length });
        let answer = self.object.get_range(&self.options, range).ok()?;
        let found = ObjectProperties::of_headers(answer.headers());
        // What has neither cannot be told from another object.
        let is_same = (found.checksum.is_some() || found.version.is_some())
            && found.checksum == self.properties.checksum
            && found.version == self.properties.version;
        if answer.status().as_u16() != 206 || content_range(&answer) != Some(at) || !is_same {
            return None;
        }
        self.body = answer.into_body();
        Some(())
    }

    fn verify(&mut self) -> io::Result<()> {
        let Some((hasher, expected)) = self.hasher.take() else { return Ok(()) };
        let actual = hasher.finish();
        if actual == expected {
            return Ok(());
        }
        Err(io::Error::other(Error::Mismatch { request: self.request(), expected, actual }))
    }
}

impl Read for ObjectReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.left == Some(0) {
                self.verify()?;
                return Ok(0);
            }
            let broken = match self.body.read(buffer) {
                Ok(0) if self.left.is_none() => {
                    self.verify()?;
                    self.left = Some(0);
                    return Ok(0);
                }
                Ok(0) => io::Error::from(io::ErrorKind::UnexpectedEof),
                Ok(count) => {
                    if let Some((hasher, _)) = &mut self.hasher {
                        hasher.update(buffer.get(..count).unwrap_or_default());
                    }
                    self.position += count as u64;
                    self.left = self.left.map(|left| left.saturating_sub(count as u64));
                    return Ok(count);
                }
                Err(error) => error,
            };
            if self.resume().is_none() {
                let failure = Failure::of_body(&broken);
                return Err(io::Error::other(Error::Unanswered { request: self.request(), failure }));
            }
        }
    }
}

impl fmt::Debug for ObjectReader<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ObjectReader").field("object", self.object.name()).finish_non_exhaustive()
    }
}

/// Where the bytes of an answer begin in the object: `bytes 5-9/20`.
fn content_range(answer: &Answer) -> Option<u64> {
    let text = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
