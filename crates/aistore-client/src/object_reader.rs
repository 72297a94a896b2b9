//! Reading an object: as it comes, going on where it broke off, compared with its checksum at the end.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Range as Span;

use bytes::{Buf as _, Bytes};
use web::{AnswerBody, Method, WebAnswer, WebFailure, header};

use crate::call::ApiCall;
use crate::checksum::Checksum;
use crate::hashing::ChecksumHasher;
use crate::{Error, ObjectHandle, ObjectProperties};

/// How an object is read. By default all of it, compared with its checksum, going on up to three times where it broke off.
#[derive(Clone, Debug)]
pub struct GetOptions {
    pub range: Option<ByteRange>,
    /// A file in an archive, in place of the archive.
    pub member: Option<ArchiveMember>,
    /// In a remote bucket, look whether there is something newer.
    pub latest: bool,
    /// Compare what arrives with the object's checksum. Ranges and members of archives have none of their own.
    pub verify: bool,
    /// How often to go on where an answer broke off.
    pub resumes: u32,
}

impl Default for GetOptions {
    fn default() -> Self {
        Self { range: None, member: None, latest: false, verify: true, resumes: 3 }
    }
}

/// Bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    From(u64),
    /// At least one byte.
    Of {
        start: u64,
        length: u64,
    },
    Last(u64),
}

impl fmt::Display for ByteRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(start) => write!(formatter, "bytes={start}-"),
            Self::Of { start, length } => {
                let last = start.saturating_add(length.saturating_sub(1));
                write!(formatter, "bytes={start}-{last}")
            }
            Self::Last(length) => write!(formatter, "bytes=-{length}"),
        }
    }
}

/// Which file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveMember {
    Path(String),
    /// `mode` is `regexp`, `prefix`, `suffix`, `substr` or `wdskey`. The server answers with a TAR of what it finds.
    Matching {
        pattern: String,
        mode: String,
    },
}

/// Holds one piece of the object at a time. Dropping it ends the transfer. Errors of [`Read`] hold an [`Error`].
pub struct ObjectReader<'a> {
    object: ObjectHandle<'a>,
    options: GetOptions,
    properties: ObjectProperties,
    body: AnswerBody,
    /// Arrived, and not read yet.
    held: Bytes,
    /// In the object, of the first byte of this answer.
    start: u64,
    /// Whether the server says that this is a part of the object.
    is_range: bool,
    /// Bytes that are still to come; `None` when the server did not say.
    left: Option<u64>,
    /// How much arrived.
    position: u64,
    /// With what it should give.
    hasher: Option<(ChecksumHasher, Checksum)>,
    resumes: u32,
}

/// What is made room for beforehand, whatever size the server says, in bytes.
const MOST_ROOM: u64 = 64 << 20;

impl<'a> ObjectHandle<'a> {
    /// The bytes, to be read as they come.
    ///
    /// # Errors
    /// [`crate::RefusalKind::ObjectNotFound`], at once, and whatever else the server says.
    pub fn get(&self, options: &GetOptions) -> Result<ObjectReader<'a>, Error> {
        let answer = self.read(|| self.get_call(options, options.range))?;
        Ok(ObjectReader::new(self.clone(), options.clone(), answer))
    }

    fn get_range(&self, options: &GetOptions, range: ByteRange) -> Result<WebAnswer, Error> {
        self.read(|| self.get_call(options, Some(range)))
    }

    fn get_call(&self, options: &GetOptions, range: Option<ByteRange>) -> ApiCall {
        let mut call = self.new_call(Method::GET);
        match &options.member {
            None => {}
            Some(ArchiveMember::Path(path)) => call.query.push(("archpath", path.clone())),
            Some(ArchiveMember::Matching { pattern, mode }) => {
                call.query.push(("archregx", pattern.clone()));
                call.query.push(("archmode", mode.clone()));
            }
        }
        if options.latest {
            call.query.push(("latest-ver", "true".to_owned()));
        }
        if let Some(range) = range {
            call.headers.push((header::RANGE, range.to_string()));
        }
        call
    }
}

impl<'a> ObjectReader<'a> {
    pub(crate) fn new(object: ObjectHandle<'a>, options: GetOptions, answer: WebAnswer) -> Self {
        let properties = ObjectProperties::of_headers(answer.headers());
        let is_whole = answer.status().as_u16() == 200 && options.member.is_none();
        let checksum = properties.checksum.clone().filter(|_| options.verify && is_whole);
        let hasher = checksum.map(|checksum| (ChecksumHasher::new(checksum.kind), checksum));
        let range = content_range(&answer).filter(|_| answer.status().as_u16() == 206);
        let (start, is_range) = (range.unwrap_or(0), range.is_some());
        let (left, resumes) = (properties.size, options.resumes);
        let (body, held) = (answer.into_body(), Bytes::new());
        Self { object, options, properties, body, held, start, is_range, left, position: 0, hasher, resumes }
    }

    /// What the server says about the object; for a range, the size is that of the range.
    pub fn properties(&self) -> &ObjectProperties {
        &self.properties
    }

    /// Where the bytes of this answer lie in the object. `None` if it is the whole, or has no size.
    pub fn range(&self) -> Option<Span<u64>> {
        let size = self.properties.size.filter(|_| self.is_range)?;
        Some(self.start..self.start.checked_add(size)?)
    }

    /// The bytes as they come: nothing is compared, and what breaks off is not taken up again.
    pub fn into_body(self) -> AnswerBody {
        self.body
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// It broke off, or has another checksum.
    pub fn bytes(self) -> Result<Vec<u8>, Error> {
        let room = usize::try_from(self.left.unwrap_or(0).min(MOST_ROOM)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(room);
        self.copy_to(&mut bytes).map(|_| bytes)
    }

    /// All of it, to a file for one; gives how many bytes there were.
    ///
    /// # Errors
    /// It broke off, or has another checksum; then what was written is not to be believed. Writing failed.
    pub fn copy_to(mut self, to: &mut impl Write) -> Result<u64, Error> {
        let mut whole = 0;
        loop {
            let piece = self.piece().map_err(|error| self.of_io(error))?;
            if piece.is_empty() {
                return Ok(whole);
            }
            to.write_all(&piece).map_err(|source| Error::File { path: "(output)".into(), source })?;
            whole += piece.len() as u64;
        }
    }

    fn request(&self) -> String {
        format!("GET {}/{}", self.object.bucket(), self.object.name())
    }

    fn of_io(&self, error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::Unanswered { request: self.request(), failure: WebFailure::of_body(&error) },
        }
    }

    /// What arrived next, of any length and not copied; empty at the end.
    fn piece(&mut self) -> io::Result<Bytes> {
        if !self.held.is_empty() {
            return Ok(std::mem::take(&mut self.held));
        }
        loop {
            if self.left == Some(0) {
                self.verify()?;
                return Ok(Bytes::new());
            }
            let broken = match self.body.piece() {
                Ok(piece) if piece.is_empty() && self.left.is_none() => {
                    self.left = Some(0);
                    continue;
                }
                Ok(piece) if piece.is_empty() => io::Error::from(io::ErrorKind::UnexpectedEof),
                Ok(piece) => {
                    if let Some((hasher, _)) = &mut self.hasher {
                        hasher.update(&piece);
                    }
                    self.position += piece.len() as u64;
                    self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                    return Ok(piece);
                }
                Err(error) => error,
            };
            if self.resume().is_none() {
                let failure = WebFailure::of_body(&broken);
                return Err(io::Error::other(Error::Unanswered { request: self.request(), failure }));
            }
        }
    }

    /// Asks for what is missing. `None`: it cannot be had, or is of another version of the object.
    fn resume(&mut self) -> Option<()> {
        self.resumes = self.resumes.checked_sub(1)?;
        if self.options.member.is_some() {
            return None;
        }
        let at = self.start + self.position;
        let range = self.left.map_or(ByteRange::From(at), |length| ByteRange::Of { start: at, length });
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
        self.held = self.piece()?;
        let count = self.held.len().min(buffer.len());
        self.held.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl fmt::Debug for ObjectReader<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ObjectReader").field("object", self.object.name()).finish_non_exhaustive()
    }
}

/// Where the bytes of an answer begin in the object: `bytes 5-9/20`.
fn content_range(answer: &WebAnswer) -> Option<u64> {
    let text = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
