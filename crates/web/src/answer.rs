//! The answer of a server, and its bytes.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, StatusCode};
use tokio::time::{Sleep, sleep_until};

use crate::lane::Driver;
use crate::pace::{Deadline, OverLimit, PaceMeter};
use crate::retry::retry_after;
use crate::{WebFailure, WebLimits, failure};

/// The head of an answer; its bytes are still to be read. Dropping it ends the transfer.
pub struct WebAnswer {
    response: reqwest::Response,
    /// Dropped after the response, whose connection it then closes or keeps.
    driver: Driver,
    limits: WebLimits,
}

impl WebAnswer {
    pub(crate) fn new(response: reqwest::Response, driver: Driver, limits: WebLimits) -> Self {
        Self { response, driver, limits }
    }

    /// Any status, including 404 and 500.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers of the last hop, as the server sent them.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The pause that the server asks for before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.headers())
    }

    /// The bytes, within the time limits of the client.
    pub fn into_body(self) -> AnswerBody {
        let WebLimits { stall, pace, deadline, .. } = self.limits;
        let Self { response, driver, .. } = self;
        AnswerBody { response, driver, held: Bytes::new(), stall, alarm: None, meter: PaceMeter::new(pace), deadline }
    }
}

impl fmt::Debug for WebAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WebAnswer").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// The bytes of an answer, as long as they arrive in time. [`WebFailure::of_body`] says why they ended. Unread bytes
/// stay with the server. Dropping it before the end closes the connection, or with HTTP/2 the stream.
pub struct AnswerBody {
    response: reqwest::Response,
    /// Dropped after the response, whose connection it then closes or keeps.
    driver: Driver,
    /// Bytes that have arrived and are not yet read.
    held: Bytes,
    stall: Duration,
    /// Goes off when the server may have been silent for too long. From the first piece on.
    alarm: Option<Pin<Box<Sleep>>>,
    meter: PaceMeter,
    deadline: Option<Deadline>,
}

/// Any clock can tell when that is over.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

impl AnswerBody {
    /// As [`Read::read`], but as many bytes as there are, and not copied. Empty at the end.
    ///
    /// # Errors
    /// As of reading: [`WebFailure::of_body`] says why.
    pub fn piece(&mut self) -> io::Result<Bytes> {
        let over = |limit: OverLimit| io::Error::new(io::ErrorKind::TimedOut, limit);
        let held = std::mem::take(&mut self.held);
        let (is_new, begun) = (held.is_empty(), Instant::now());
        let result = if is_new { self.chunk() } else { Ok(held) };
        let deadline = self.deadline.filter(|deadline| deadline.left().is_zero());
        if let Some(Deadline { limit, .. }) = deadline
            && !matches!(&result, Ok(bytes) if bytes.is_empty())
        {
            return Err(over(OverLimit::Late { limit }));
        }
        let bytes = result?;
        // At the end nothing remains to wait for.
        if is_new && !bytes.is_empty() {
            self.meter.advance(bytes.len() as u64, begun.elapsed()).map_err(over)?;
        }
        Ok(bytes)
    }

    /// What arrives next; empty at the end.
    fn chunk(&mut self) -> io::Result<Bytes> {
        let left = self.deadline.map_or(self.stall, |deadline| deadline.left().min(self.stall)).min(YEAR);
        let Self { response, driver, alarm, .. } = self;
        let waited = driver.block_on(async {
            let end = tokio::time::Instant::now() + left;
            // Timers belong to the runtime.
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
            let mut chunk = pin!(response.chunk());
            loop {
                let heard = poll_fn(|context| match chunk.as_mut().poll(context) {
                    Poll::Ready(chunk) => Poll::Ready(Some(chunk)),
                    Poll::Pending => alarm.as_mut().poll(context).map(|()| None),
                });
                match heard.await {
                    Some(chunk) => return Some(chunk),
                    // Set for an earlier piece: to set it for each takes more system calls than to read one.
                    None if alarm.deadline() < end => alarm.as_mut().reset(end),
                    None => return None,
                }
            }
        });
        match waited {
            Some(Ok(chunk)) => Ok(chunk.unwrap_or_default()),
            Some(Err(error)) => Err(io::Error::other(WebFailure::of(&error).reason)),
            None => Err(io::Error::new(io::ErrorKind::TimedOut, failure::SILENT)),
        }
    }
}

impl Read for AnswerBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.held = self.piece()?;
        let count = self.held.len().min(buffer.len());
        self.held.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnswerBody").field("held", &self.held.len()).finish_non_exhaustive()
    }
}
