//! The content of a request: a file, read while the server accepts it.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A file from its position on, with its length at the start.
pub(crate) struct FileUpload {
    file: File,
    left: u64,
    /// Bytes that were handed over so far.
    sent: Arc<AtomicU64>,
}

const PIECE: u64 = 64 << 10;

impl FileUpload {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let left = file.metadata()?.len();
        Ok(Self { file, left, sent: Arc::default() })
    }

    pub(crate) fn length(&self) -> u64 {
        self.left
    }

    pub(crate) fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    /// Reads from a disk in async code: 64 KiB do not keep other connections waiting.
    fn piece(&mut self) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        (&mut self.file).take(PIECE.min(self.left)).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
        }
        self.left -= bytes.len() as u64;
        self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.into())
    }
}

impl Body for FileUpload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready((self.left > 0).then(|| self.piece().map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
