//! Small texts, and whether a server is there at all.

use std::io::Read as _;
use std::sync::atomic::AtomicBool;

use url::Url;
use web::Method;

use super::exchange::{AnswerPiece, DownloadRequest, Exchange};
use super::retry::{DownloadSetback, repeat};
use super::transfer::web_url;
use super::{DownloadError, DownloadErrorKind, DownloadWatch, local, without_secrets};
use crate::Context;

/// A server did not answer, or only with an error of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UnreachableServer {
    pub reason: String,
    /// Status of an error answer; absent if there was no answer.
    pub status: Option<u16>,
    /// False if there are no credentials to ask it with: nothing is known of the server.
    pub was_asked: bool,
}

/// The whole content of a small file, which must not be larger than `limit` bytes. Nothing is kept. A `file:` URL
/// and a plain path work offline too.
pub fn fetch_bytes(context: &Context, url: &str, limit: u64) -> Result<Vec<u8>, DownloadError> {
    let stopped = AtomicBool::new(false);
    let watch = DownloadWatch::start(context, &stopped);
    let failed = |attempts, kind| DownloadError::unnamed(url, attempts, kind);
    if let Some(path) = local::path_of(url) {
        return read_local(&path, limit).map_err(|kind| failed(0, kind));
    }
    if context.offline {
        return Err(failed(0, DownloadErrorKind::Offline));
    }
    let web = web_url(url).map_err(|kind| failed(0, kind))?;
    repeat(&watch, &without_secrets(url), || receive(&watch, &web, limit))
        .map_err(|(attempts, kind)| failed(attempts, kind))
}

fn receive(watch: &DownloadWatch<'_>, url: &Url, limit: u64) -> Result<Vec<u8>, DownloadSetback> {
    let exchange = Exchange::start(&watch.context.downloader, DownloadRequest::whole(url.clone()));
    let head = exchange.head(watch)?;
    if head.status != 200 {
        return Err(DownloadSetback::of_status(head.status, head.retry_after));
    }
    let mut bytes = Vec::new();
    loop {
        match exchange.next(watch)? {
            AnswerPiece::Body(piece) if (bytes.len() + piece.len()) as u64 > limit => {
                return Err(DownloadErrorKind::TooLarge { limit }.into());
            }
            AnswerPiece::Body(piece) => bytes.extend_from_slice(&piece),
            AnswerPiece::Failed(setback) => return Err(setback),
            AnswerPiece::End | AnswerPiece::Head(_) => return Ok(bytes),
        }
    }
}

/// Asks once whether the server behind `url` answers, within the connect limit. Any answer counts, even 404 or 401; an
/// answer of the proxy or a server error (5xx) does not.
pub fn probe(context: &Context, url: &str) -> Result<(), UnreachableServer> {
    let unreachable = |reason: String| UnreachableServer { reason, status: None, was_asked: true };
    if let Some(path) = local::path_of(url) {
        return std::fs::metadata(&path).map(drop).map_err(|error| unreachable(error.to_string()));
    }
    if context.offline {
        return Err(unreachable("the build is offline".into()));
    }
    match head_status(context, url)? {
        status @ (407 | 500..) => {
            let reason = DownloadErrorKind::Status { status }.to_string();
            Err(UnreachableServer { reason, status: Some(status), was_asked: true })
        }
        _ => Ok(()),
    }
}

/// The status with which a server answers a `HEAD` request (a `GET` whose body is not read, where it knows no
/// `HEAD`), asked once and within the connect limit. The build must not be offline.
pub fn head_status(context: &Context, url: &str) -> Result<u16, UnreachableServer> {
    let unreachable = |reason: String| UnreachableServer { reason, status: None, was_asked: true };
    let web = web_url(url).map_err(|kind| unreachable(kind.to_string()))?;
    let limit = context.downloader.settings().connect_limit;
    let stopped = AtomicBool::new(false);
    let watch = DownloadWatch::within(context, &stopped, Some(limit));
    let status = ask_head(&watch, Method::HEAD, &web)?;
    if matches!(status, 405 | 501) {
        return ask_head(&watch, Method::GET, &web);
    }
    Ok(status)
}

fn ask_head(watch: &DownloadWatch<'_>, method: Method, url: &Url) -> Result<u16, UnreachableServer> {
    let unreachable = |reason: String| UnreachableServer { reason, status: None, was_asked: true };
    let exchange =
        Exchange::start(&watch.context.downloader, DownloadRequest { method, ..DownloadRequest::whole(url.clone()) });
    match exchange.head(watch) {
        Ok(head) => Ok(head.status),
        Err(DownloadSetback::Final(DownloadErrorKind::TimedOut { limit })) => {
            Err(unreachable(format!("there is no answer within {} s", limit.as_secs_f32())))
        }
        Err(DownloadSetback::Final(DownloadErrorKind::Credentials(error))) => {
            Err(UnreachableServer { reason: error.to_string(), status: None, was_asked: false })
        }
        Err(DownloadSetback::Final(kind) | DownloadSetback::Passing { kind, .. }) => Err(unreachable(kind.to_string())),
    }
}

fn read_local(path: &std::path::Path, limit: u64) -> Result<Vec<u8>, DownloadErrorKind> {
    let mut bytes = Vec::new();
    let file = local::open(path)?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| DownloadErrorKind::Local { path: path.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(DownloadErrorKind::TooLarge { limit });
    }
    Ok(bytes)
}
