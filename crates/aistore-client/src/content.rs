//! What an object is made of when it is put.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use web::{ContentStream, RequestContent};

use crate::Error;
use crate::checksum::{Checksum, ChecksumKind};
use crate::hashing::{HashingReader, RunningChecksum, finished, running};

/// Content from this size on is not sent before the server had time to redirect: it would read no more than this of
/// what it does not want, and close the connection.
pub(crate) const HELD_FROM: u64 = 256 << 10;

/// Where an object's bytes come from. Memory and files can be sent again when a connection breaks; a stream only as
/// long as nothing of it was sent.
pub struct ObjectContent {
    source: ContentSource,
}

enum ContentSource {
    Bytes(Bytes),
    File { path: PathBuf, from: u64, length: Option<u64> },
    Stream { reader: Box<dyn Read + Send>, length: u64 },
}

/// Content on its way.
pub(crate) struct PreparedContent {
    pub(crate) content: RequestContent,
    /// The same content anew, after a request that began to send it.
    pub(crate) again: Option<ContentAgain>,
    /// Known beforehand.
    pub(crate) checksum: Option<Checksum>,
    /// The checksum of what was sent last.
    pub(crate) sent: SentChecksum,
}

pub(crate) type ContentAgain = Box<dyn FnMut() -> Option<RequestContent>>;

/// The checksum of what was sent, computed as it goes. Each time that content is sent anew it is another one, since what
/// read the former may still run.
#[derive(Clone, Default)]
pub(crate) struct SentChecksum(Arc<Mutex<Option<RunningChecksum>>>);

impl SentChecksum {
    /// `None` when none was computed. Call it once.
    pub(crate) fn checksum(&self) -> Option<Checksum> {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        running.as_ref().and_then(finished)
    }

    fn stream(&self, reader: impl Read + Send + 'static, length: u64, kind: Option<ChecksumKind>) -> RequestContent {
        let Some(kind) = kind else { return RequestContent::Stream(ContentStream::new(reader, length)) };
        let running = running(kind);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&running));
        RequestContent::Stream(ContentStream::new(HashingReader { inner: reader, running }, length))
    }
}

impl ObjectContent {
    /// Bytes in memory, which can be sent any number of times.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { source: ContentSource::Bytes(bytes.into()) }
    }

    /// A file, as long as it is when it is sent.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { source: ContentSource::File { path: path.into(), from: 0, length: None } }
    }

    /// A piece of a file.
    pub fn part_of_file(path: impl Into<PathBuf>, from: u64, length: u64) -> Self {
        Self { source: ContentSource::File { path: path.into(), from, length: Some(length) } }
    }

    /// Whatever a reader gives; it is read on another thread and may block. Memory holds about a MiB of it at a time.
    pub fn stream(reader: impl Read + Send + 'static, length: u64) -> Self {
        Self { source: ContentSource::Stream { reader: Box::new(reader), length } }
    }

    /// `kind` is that of the checksum to compute.
    pub(crate) fn prepare(self, kind: Option<ChecksumKind>) -> Result<PreparedContent, Error> {
        let sent = SentChecksum::default();
        match self.source {
            ContentSource::Bytes(bytes) => {
                let checksum = kind.map(|kind| Checksum::of(&bytes, kind));
                let length = bytes.len() as u64;
                if length < HELD_FROM {
                    return Ok(PreparedContent { content: RequestContent::Bytes(bytes), again: None, checksum, sent });
                }
                let stream = move || RequestContent::Stream(ContentStream::new(Cursor::new(bytes.clone()), length));
                Ok(PreparedContent { content: stream(), again: Some(Box::new(move || Some(stream()))), checksum, sent })
            }
            ContentSource::File { path, from, length } => {
                let unreadable = |source| Error::File { path: path.clone(), source };
                let whole = std::fs::metadata(&path).map_err(unreadable)?.len();
                let length = length.unwrap_or(whole.saturating_sub(from));
                let mut file = open_at(&path, from).map_err(unreadable)?;
                if length < HELD_FROM {
                    return Self::bytes(exactly(&mut file, length).map_err(unreadable)?).prepare(kind);
                }
                let content = sent.stream(file, length, kind);
                let again = {
                    let (path, sent) = (path.clone(), sent.clone());
                    move || Some(sent.stream(open_at(&path, from).ok()?, length, kind))
                };
                Ok(PreparedContent { content, again: Some(Box::new(again)), checksum: None, sent })
            }
            ContentSource::Stream { mut reader, length } if length < HELD_FROM => {
                let unreadable = |source| Error::File { path: PathBuf::from("(stream)"), source };
                Self::bytes(exactly(&mut reader, length).map_err(unreadable)?).prepare(kind)
            }
            ContentSource::Stream { reader, length } => {
                let content = sent.stream(reader, length, kind);
                Ok(PreparedContent { content, again: None, checksum: None, sent })
            }
        }
    }
}

fn open_at(path: &Path, from: u64) -> io::Result<File> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    Ok(file)
}

fn exactly(reader: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

impl fmt::Debug for ObjectContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            ContentSource::Bytes(bytes) => write!(formatter, "{} bytes", bytes.len()),
            ContentSource::File { path, .. } => write!(formatter, "file {}", path.display()),
            ContentSource::Stream { length, .. } => write!(formatter, "stream of {length} bytes"),
        }
    }
}
