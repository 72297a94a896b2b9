//! The content of a request, in memory or read while the server accepts it.

use std::fmt;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Sleep;

use crate::lane::runtime;

/// The content of a request.
#[derive(Clone, Debug)]
pub enum RequestContent {
    /// Can be sent again after a redirect or a failure.
    Bytes(Bytes),
    /// Can be sent once.
    Stream(ContentStream),
}

/// Content from a reader, with a length that is known beforehand. It can be sent once; clones are the same stream.
#[derive(Clone)]
pub struct ContentStream {
    /// Taken by the request that starts to send it.
    source: Arc<Mutex<Option<Box<dyn Read + Send>>>>,
    length: u64,
    hold: Duration,
}

const PIECE: u64 = 256 << 10;

/// Pieces waiting for the server: the reader works ahead by this many, which bounds memory.
const AHEAD: usize = 4;

impl ContentStream {
    /// `source` is read on a thread of its own and may block. It must supply at least `length` bytes.
    pub fn new(source: impl Read + Send + 'static, length: u64) -> Self {
        let source: Box<dyn Read + Send> = Box::new(source);
        Self { source: Arc::new(Mutex::new(Some(source))), length, hold: Duration::ZERO }
    }

    /// Sends the head of the request first, and the content only after this long without an answer. A server that
    /// redirects the request has answered by then, and the stream is still unused.
    #[must_use]
    pub fn held(self, hold: Duration) -> Self {
        Self { hold, ..self }
    }

    /// In bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The same content for another request; a request that still has it will no longer send it. `None` if a request
    /// has started to send it.
    pub fn reclaim(&self) -> Option<Self> {
        let source = self.take()?;
        Some(Self { source: Arc::new(Mutex::new(Some(source))), length: self.length, hold: self.hold })
    }

    fn take(&self) -> Option<Box<dyn Read + Send>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for ContentStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ContentStream").field("length", &self.length).finish_non_exhaustive()
    }
}

/// A stream that is being sent.
pub(crate) struct OutgoingStream {
    stream: ContentStream,
    state: StreamState,
    left: u64,
    /// Bytes that were handed over so far.
    sent: Arc<AtomicU64>,
}

enum StreamState {
    New,
    Held(Pin<Box<Sleep>>),
    Running(Receiver<io::Result<Bytes>>),
}

impl OutgoingStream {
    pub(crate) fn new(stream: ContentStream) -> Self {
        let left = stream.length;
        Self { stream, state: StreamState::New, left, sent: Arc::default() }
    }

    pub(crate) fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    fn begin(&self) -> io::Result<Receiver<io::Result<Bytes>>> {
        let source = self.stream.take().ok_or_else(|| io::Error::other("the content was sent once already"))?;
        let (sender, receiver) = channel(AHEAD);
        let length = self.left;
        let runtime = runtime().map_err(|failure| io::Error::other(failure.reason))?;
        runtime.spawn_blocking(move || pump(source, length, &sender));
        Ok(receiver)
    }
}

/// Ends early if nothing takes the pieces any more.
fn pump(mut source: Box<dyn Read + Send>, length: u64, to: &Sender<io::Result<Bytes>>) {
    let mut left = length;
    while left > 0 {
        let wanted = PIECE.min(left);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let piece = match (&mut source).take(wanted).read_to_end(&mut bytes) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the content is shorter than its length")),
            Ok(_) => Ok(Bytes::from(bytes)),
            Err(error) => Err(error),
        };
        left -= piece.as_ref().map_or(left, |bytes| bytes.len() as u64);
        if to.blocking_send(piece).is_err() {
            return;
        }
    }
}

impl Body for OutgoingStream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        loop {
            match &mut self.state {
                // Timers must be created on the runtime.
                StreamState::New => self.state = StreamState::Held(Box::pin(tokio::time::sleep(self.stream.hold))),
                StreamState::Held(timer) => {
                    ready!(timer.as_mut().poll(context));
                    match self.begin() {
                        Ok(pieces) => self.state = StreamState::Running(pieces),
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                StreamState::Running(pieces) => {
                    let piece = ready!(pieces.poll_recv(context))
                        .unwrap_or_else(|| Err(io::Error::other("what reads the content ended early")));
                    return Poll::Ready(Some(piece.map(|bytes| {
                        self.left -= bytes.len() as u64;
                        self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                        Frame::data(bytes)
                    })));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_whole_until_a_request_begins_to_send_it() {
        let stream = ContentStream::new(&b"content"[..], 7).held(Duration::from_secs(5));
        let first = stream.clone();
        let again = stream.reclaim().unwrap();
        assert_eq!((again.length(), again.hold), (7, Duration::from_secs(5)));
        assert!(OutgoingStream::new(first).begin().is_err(), "the request that held it sends nothing any more");
        let mut pieces = OutgoingStream::new(again.clone()).begin().unwrap();
        assert_eq!(pieces.blocking_recv().unwrap().unwrap(), "content");
        assert!(pieces.blocking_recv().is_none());
        assert!(again.reclaim().is_none());
    }

    #[test]
    fn content_that_ends_early_is_an_error() {
        let mut pieces = OutgoingStream::new(ContentStream::new(&b"abc"[..], 5)).begin().unwrap();
        assert_eq!(pieces.blocking_recv().unwrap().unwrap(), "abc");
        let error = pieces.blocking_recv().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the content is shorter than its length");
    }
}
