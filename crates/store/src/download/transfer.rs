//! One file over the network, as often as it takes.

use url::Url;
use vocab::Event;
use web::WebFailure;

use super::exchange::{AnswerHead, AnswerPiece, DownloadRequest, Exchange, no_answer};
use super::partial::PartialDownload;
use super::retry::{DownloadSetback, repeat};
use super::{DownloadError, DownloadErrorKind, DownloadWatch, FetchRequest, without_secrets};

/// Brings the blob. The caller holds its lock.
pub(super) fn transfer(watch: &DownloadWatch<'_>, request: &FetchRequest) -> Result<(), DownloadError> {
    let store = &watch.context.store;
    let failed = |attempts, kind| DownloadError::new(request, attempts, kind);
    let url = web_url(&request.url).map_err(|kind| failed(0, kind))?;
    let mut partial = PartialDownload::open(store, &request.sha256).map_err(|error| failed(0, error.into()))?;
    let mut tag = None;
    let outcome = repeat(watch, &without_secrets(&request.url), || {
        receive_rest(watch, request, &url, &mut partial, &mut tag)?;
        check(request, &mut partial)
    });
    match outcome {
        Ok(()) => partial.become_blob(store, &request.sha256).map_err(|error| failed(0, error.into())),
        Err((attempts, kind)) => {
            if is_useless(&kind) {
                partial.remove().map_err(|error| failed(attempts, error.into()))?;
            }
            Err(failed(attempts, kind))
        }
    }
}

/// What has arrived can never become the file, or fills the disk.
fn is_useless(kind: &DownloadErrorKind) -> bool {
    match kind {
        DownloadErrorKind::DigestMismatch { .. }
        | DownloadErrorKind::SizeMismatch { .. }
        | DownloadErrorKind::TooLarge { .. } => true,
        DownloadErrorKind::Store(error) => error.is_full(),
        _ => false,
    }
}

pub(super) fn web_url(text: &str) -> Result<Url, DownloadErrorKind> {
    let refuse = |reason: String| DownloadErrorKind::Url { reason };
    let url = Url::parse(text).map_err(|error| refuse(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(refuse(format!("the URL scheme is `{other}`; use http, https or file"))),
    }
}

fn receive_rest(
    watch: &DownloadWatch<'_>,
    request: &FetchRequest,
    url: &Url,
    partial: &mut PartialDownload,
    tag: &mut Option<String>,
) -> Result<(), DownloadSetback> {
    if partial.length() > 0 && request.size == Some(partial.length()) {
        // Everything had arrived; only the last rename was missing.
        return Ok(());
    }
    if request.size.is_some_and(|size| size < partial.length()) {
        partial.restart()?;
    }
    let from = (partial.length() > 0).then(|| partial.length());
    let ask = DownloadRequest { from, if_range: from.and(tag.clone()), ..DownloadRequest::whole(url.clone()) };
    let exchange = Exchange::start(&watch.context.downloader, ask);
    let head = exchange.head(watch)?;
    accept(&head, partial)?;
    tag.clone_from(&head.strong_etag);
    let total = head.length.map(|length| length + partial.length());
    if let (Some(expected), Some(actual)) = (request.size, total)
        && expected != actual
    {
        return Err(DownloadErrorKind::SizeMismatch { expected, actual }.into());
    }
    let largest = request.largest(watch.context);
    if request.size.is_none() && total.is_some_and(|total| total > largest) {
        return Err(DownloadErrorKind::TooLarge { limit: largest }.into());
    }
    let id = watch.context.downloader.next_transfer();
    watch.context.tell(Event::TransferStarted {
        id,
        name: request.file_name.clone(),
        total: request.size.or(total),
        already: partial.length(),
    });
    let received = receive(watch, &exchange, partial, request, &mut |bytes| {
        watch.context.tell(Event::TransferAdvanced { id, bytes });
    });
    watch.context.tell(Event::TransferFinished { id });
    received
}

/// Decides by the answer's head whether its body continues the partial file or begins it anew.
fn accept(head: &AnswerHead, partial: &mut PartialDownload) -> Result<(), DownloadSetback> {
    match head.status {
        206 if head.range_start == Some(partial.length()) => Ok(()),
        206 => {
            partial.restart()?;
            Err(DownloadSetback::at_once("it sent another range than the one that was asked for"))
        }
        // No ranges here, or the file has changed: this is the whole of it.
        200 => Ok(partial.restart()?),
        // The range does not exist: the partial file is as long as the whole, or longer.
        416 if partial.length() > 0 => {
            partial.restart()?;
            Err(DownloadSetback::at_once("it does not have the rest of what was received before"))
        }
        status => Err(DownloadSetback::of_status(status, head.retry_after)),
    }
}

fn receive(
    watch: &DownloadWatch<'_>,
    exchange: &Exchange,
    partial: &mut PartialDownload,
    request: &FetchRequest,
    advanced: &mut dyn FnMut(u64),
) -> Result<(), DownloadSetback> {
    loop {
        match exchange.next(watch)? {
            AnswerPiece::Body(bytes) => {
                partial.append(&bytes)?;
                advanced(bytes.len() as u64);
                let (actual, limit) = (partial.length(), request.largest(watch.context));
                match request.size {
                    Some(expected) if actual > expected => {
                        return Err(DownloadErrorKind::SizeMismatch { expected, actual }.into());
                    }
                    None if actual > limit => return Err(DownloadErrorKind::TooLarge { limit }.into()),
                    _ => {}
                }
            }
            AnswerPiece::End => return Ok(()),
            AnswerPiece::Failed(setback) => return Err(setback),
            AnswerPiece::Head(_) => return Err(no_answer().into()),
        }
    }
}

fn check(request: &FetchRequest, partial: &mut PartialDownload) -> Result<(), DownloadSetback> {
    let (expected, actual) = (request.sha256, partial.digest());
    if expected == actual {
        return Ok(());
    }
    if partial.is_inherited() {
        // Its beginning is from an earlier process, perhaps from another server: begin anew before judging.
        partial.restart()?;
        return Err(DownloadSetback::at_once("what was left of an interrupted download does not fit"));
    }
    if let Some(expected) = request.size.filter(|size| *size > partial.length()) {
        let reason = format!("it ended after {} of {expected} bytes", partial.length());
        return Err(WebFailure::passing(reason).into());
    }
    Err(DownloadErrorKind::DigestMismatch { expected, actual }.into())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;
    use crate::StoreError;

    #[test]
    fn attack_4_what_arrived_is_dropped_when_the_disk_is_full_and_kept_when_the_network_fails() {
        let disk = |kind: io::ErrorKind| StoreError::new("write", Path::new("x"), kind.into()).into();
        let cases = [
            (disk(io::ErrorKind::StorageFull), true),
            (disk(io::ErrorKind::QuotaExceeded), true),
            (disk(io::ErrorKind::PermissionDenied), false),
            (DownloadErrorKind::TooLarge { limit: 1 }, true),
            (DownloadErrorKind::TooSlow { reason: String::new() }, false),
            (DownloadErrorKind::Unreachable { reason: String::new() }, false),
            (DownloadErrorKind::Cancelled, false),
        ];
        for (kind, dropped) in cases {
            assert_eq!(is_useless(&kind), dropped, "{kind:?}");
        }
    }
}
