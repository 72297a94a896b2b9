//! One request and its answer, read on a thread of its own.
//!
//! A blocking read cannot be interrupted. Here the thread that reads hands pieces to the one that waits, and the
//! one that waits can leave at any moment: the reader notices when it hands over the next piece, or ends with the
//! stall limit at the latest. It touches no file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use url::Url;
use web::{Credentials, Method, WebAnswer, WebFailure, header};

use super::credentials_error::CredentialsError;
use super::retry::DownloadSetback;
use super::{DownloadErrorKind, DownloadWatch, Downloader};

/// What to ask for.
#[derive(Clone, Debug)]
pub(super) struct DownloadRequest {
    pub url: Url,
    pub method: Method,
    /// Only the bytes from here on.
    pub from: Option<u64>,
    /// A strong entity tag: the rest only if the file is still this one.
    pub if_range: Option<String>,
}

impl DownloadRequest {
    pub(super) fn whole(url: Url) -> Self {
        Self { url, method: Method::GET, from: None, if_range: None }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct AnswerHead {
    pub status: u16,
    /// Length of this answer's body in bytes, if the server states it.
    pub length: Option<u64>,
    /// The first byte of a partial answer.
    pub range_start: Option<u64>,
    pub strong_etag: Option<String>,
    pub retry_after: Option<Duration>,
}

pub(super) enum AnswerPiece {
    Head(AnswerHead),
    Body(Vec<u8>),
    End,
    Failed(DownloadSetback),
}

pub(super) fn no_answer() -> WebFailure {
    WebFailure::passing("there is no answer")
}

const PIECE: usize = 64 * 1024;

/// How often the one who waits looks up.
const GLANCE: Duration = Duration::from_millis(50);

/// How many servers on the way to a file may refuse it at first.
const MOST_REFUSALS: usize = 10;

pub(super) struct Exchange {
    pieces: Receiver<AnswerPiece>,
    /// While a program is asked for credentials: no server is to blame for the wait, and programs have their own limit.
    is_asking: Arc<AtomicBool>,
    /// Silence after which the reading thread is given up, whatever it is doing.
    patience: Duration,
}

impl Exchange {
    pub(super) fn start(downloader: &Downloader, ask: DownloadRequest) -> Self {
        let (sender, pieces) = sync_channel(8);
        let settings = downloader.settings();
        let patience = settings.connect_limit * 2 + settings.stall_limit + Duration::from_secs(1);
        let downloader = downloader.clone();
        let is_asking = Arc::<AtomicBool>::default();
        let asking = Arc::clone(&is_asking);
        let spawned = thread::Builder::new().name("download".into()).spawn(move || {
            if let Err(setback) = answer(&downloader, ask, &sender, &asking) {
                let _ = sender.send(AnswerPiece::Failed(setback));
            }
        });
        // Without a thread the sender is dropped, and `next` reports that there is no answer.
        drop(spawned);
        Self { pieces, is_asking, patience }
    }

    /// The next piece, or the reason why the wait ended before it came.
    pub(super) fn next(&self, watch: &DownloadWatch<'_>) -> Result<AnswerPiece, DownloadErrorKind> {
        let mut silent = Duration::ZERO;
        loop {
            watch.check()?;
            let begun = Instant::now();
            let piece = self.pieces.recv_timeout(GLANCE);
            if self.is_asking.load(Ordering::Relaxed) {
                watch.pause(begun.elapsed());
            } else {
                silent += begun.elapsed();
            }
            match piece {
                Ok(piece) => {
                    // What an interrupt ended did not fail, such as a program that was asked for credentials.
                    if matches!(piece, AnswerPiece::Failed(_)) {
                        watch.check()?;
                    }
                    return Ok(piece);
                }
                Err(RecvTimeoutError::Timeout) if silent < self.patience => {}
                Err(_) => return Ok(AnswerPiece::Failed(no_answer().into())),
            }
        }
    }

    /// The first piece.
    pub(super) fn head(&self, watch: &DownloadWatch<'_>) -> Result<AnswerHead, DownloadSetback> {
        match self.next(watch)? {
            AnswerPiece::Head(head) => Ok(head),
            AnswerPiece::Failed(setback) => Err(setback),
            AnswerPiece::Body(_) | AnswerPiece::End => Err(no_answer().into()),
        }
    }
}

fn answer(
    downloader: &Downloader,
    ask: DownloadRequest,
    sender: &SyncSender<AnswerPiece>,
    is_asking: &AtomicBool,
) -> Result<(), DownloadSetback> {
    let is_head = ask.method == Method::HEAD;
    let response = send(downloader, ask, is_asking)?;
    let head = head_of(&response);
    let length = head.length;
    if sender.send(AnswerPiece::Head(head)).is_err() {
        return Ok(());
    }
    let mut body = response.into_body();
    let mut received = 0;
    let mut buffer = vec![0; PIECE];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            // Handed over at once, however little: on a slow line every piece is a sign of life.
            Ok(count) => {
                received += count as u64;
                if sender.send(AnswerPiece::Body(buffer[..count].to_vec())).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(WebFailure::of_body(&error).into()),
        }
    }
    if let Some(length) = length.filter(|length| !is_head && received < *length) {
        return Err(WebFailure::passing(format!("the connection ended after {received} of {length} bytes")).into());
    }
    let _ = sender.send(AnswerPiece::End);
    Ok(())
}

/// Each hop of a redirect may be refused at first, and is then asked again with credentials, as by uv.
fn send(downloader: &Downloader, ask: DownloadRequest, is_asking: &AtomicBool) -> Result<WebAnswer, DownloadSetback> {
    let mut headers = Vec::new();
    if let Some(from) = ask.from {
        headers.push((header::RANGE, format!("bytes={from}-")));
        headers.extend(ask.if_range.map(|tag| (header::IF_RANGE, tag)));
    }
    let mut ask = web::WebRequest { headers, ..web::WebRequest::new(ask.method, ask.url) };
    let keyring = downloader.keyring();
    let while_asking = |question: &dyn Fn() -> Result<Option<Credentials>, CredentialsError>| {
        is_asking.store(true, Ordering::Relaxed);
        let answer = question();
        is_asking.store(false, Ordering::Relaxed);
        answer
    };
    let last = RefCell::new((ask.url.clone(), None));
    let mut found = BTreeMap::<Url, Credentials>::new();
    loop {
        let answer = downloader.client().send(ask.clone(), &|url| {
            let credentials = match found.get(url) {
                Some(found) => Some(found.clone()),
                None => while_asking(&|| keyring.unasked(url))?,
            };
            *last.borrow_mut() = (url.clone(), credentials.clone());
            Ok::<_, DownloadSetback>(credentials)
        })?;
        let (url, sent) = last.borrow().clone();
        // Some servers hide with a 403 or 404 what they show to those who have a password.
        if !matches!(answer.status().as_u16(), 401 | 403 | 404) {
            for (url, credentials) in found.into_iter().filter(|_| answer.status().as_u16() < 400) {
                keyring.accept(&url, credentials);
            }
            return Ok(answer);
        }
        if found.len() >= MOST_REFUSALS || found.contains_key(&url) {
            return Ok(answer);
        }
        let Some(credentials) = while_asking(&|| keyring.after_refusal(&url, sent.as_ref()))? else {
            return Ok(answer);
        };
        drop(answer);
        found.insert(url.clone(), credentials);
        ask.url = url;
    }
}

fn head_of(response: &WebAnswer) -> AnswerHead {
    let text = |name: header::HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    // `bytes 100-199/200`
    let range_start = text(header::CONTENT_RANGE)
        .and_then(|range| range.trim().strip_prefix("bytes"))
        .and_then(|range| range.trim_start().split_once('-'))
        .and_then(|(start, _)| start.parse().ok());
    AnswerHead {
        status: response.status().as_u16(),
        length: text(header::CONTENT_LENGTH).and_then(|length| length.trim().parse().ok()),
        range_start,
        strong_etag: text(header::ETAG).filter(|tag| tag.starts_with('"')).map(str::to_owned),
        retry_after: response.retry_after(),
    }
}
