//! A bucket behind the S3 protocol, with requests that are signed in their URL, which therefore never gets into a
//! message.
//!
//! An object is sent in one request, so there is nothing to resume, and an interrupted upload leaves nothing behind. A
//! request is tried at most twice: what a builder's remote store has is also available elsewhere.

mod connect;
mod listing;
mod profile;
mod stream;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusty_s3::actions::{DeleteObject, GetObject, HeadObject, PutObject};
use rusty_s3::{Bucket, Credentials, S3Action};
use vocab::Digest;
use web::{
    FailureKind, HeaderName, Method, Retries, RetryChance, Secret, WebAnswer, WebClient, WebRequest, header, may_pass,
};

use crate::conditions::{CONTENDED, ConditionsKept, put_if};
use crate::refusal::{BucketFailure, kind_of, tidy};
use crate::{
    Engine, ExpectedState, ListedObject, Object, ObjectHead, ObjectKey, ObjectTag, ObjectUpload,
    PlaceErrorKind as Kind, TransferWatch, TransferWork, UNWATCHED, UploadOutcome, pass_on, unwritten,
};

pub use connect::ConnectError;
use listing::BucketPage;
pub use stream::ObjectStream;

/// How long a signature holds; a request begins at once.
const SIGNED_FOR: Duration = Duration::from_secs(900);

/// A passing fault gets one more try.
const ATTEMPTS: u32 = 2;

/// The largest object that one request may bring (5 GiB).
const LARGEST: u64 = 5 << 30;

/// What is read at once: indexes and manifests have a few megabytes at most.
const LARGEST_READ: u64 = 256 << 20;

const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");

type SignedResult<T> = std::result::Result<T, BucketFailure>;

/// A bucket that is reached with requests signed in their URL. Without credentials it reads public buckets.
pub struct SignedBucket {
    bucket: Bucket,
    credentials: Option<Secret<Credentials>>,
    /// Ends with `/`, or is empty.
    prefix: String,
    place: String,
    client: WebClient,
    first_pause: Duration,
    conditions: ConditionsKept,
}

/// What a request brings.
#[derive(Clone, Copy)]
enum PutContent<'a> {
    Bytes(&'a [u8]),
    File(&'a Path),
}

impl SignedBucket {
    fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref().map(Secret::as_inner)
    }

    fn key(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Sends a request until an answer comes that another attempt would not change; that may be an error.
    fn ask(
        &self,
        watch: TransferWatch<'_>,
        send: &dyn Fn(&WebClient) -> std::result::Result<WebAnswer, web::WebFailure>,
    ) -> SignedResult<WebAnswer> {
        let check = || watch().map_err(|kind| SignedSetback { failure: kind.into(), chance: None });
        let attempt = || match send(&self.client) {
            Ok(answer) if answer.status().is_success() => Ok(answer),
            Ok(answer) => {
                let (passing, pause) = (may_pass(answer.status().as_u16()), answer.retry_after());
                let failure = refused(answer);
                let chance = passing.then(|| RetryChance { reason: failure.kind.to_string(), pause });
                Err(SignedSetback { failure, chance })
            }
            Err(failure) => {
                let passing = failure.kind == FailureKind::Passing;
                let chance = passing.then(|| RetryChance { reason: failure.reason.clone(), pause: None });
                Err(SignedSetback { failure: no_answer(failure).into(), chance })
            }
        };
        let retries = Retries { attempts: ATTEMPTS, first_pause: self.first_pause };
        retries.run(&check, &|_, _| {}, attempt).map_err(|(_, setback)| setback.failure)
    }

    /// The object's answer, or that of a range of it. `None` when there is no such object.
    fn fetch(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        watch: TransferWatch<'_>,
    ) -> SignedResult<Option<WebAnswer>> {
        let key = self.key(key);
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let headers: Vec<_> = range.into_iter().map(|range| (header::RANGE, range)).collect();
        let action = || GetObject::new(&self.bucket, self.credentials(), &key);
        absent(self.ask(watch, &|client| client.ask(&signed(Method::GET, action(), &headers))))
    }

    /// `Ok(false)` when the condition does not hold.
    fn put_content(
        &self,
        key: &ObjectKey,
        content: PutContent<'_>,
        sha256: &Digest,
        expected: &ExpectedState,
        watch: TransferWatch<'_>,
    ) -> SignedResult<bool> {
        let send = |expected: &ExpectedState| self.send(key, content, sha256, expected, watch);
        put_if(expected, CONTENDED, send, || Ok(self.head(key, watch)?.map(|head| head.tag)))
    }

    /// One put under a condition.
    fn send(
        &self,
        key: &ObjectKey,
        content: PutContent<'_>,
        sha256: &Digest,
        expected: &ExpectedState,
        watch: TransferWatch<'_>,
    ) -> SignedResult<()> {
        let key = self.key(key);
        let mut headers = vec![(CHECKSUM, STANDARD.encode(sha256.as_bytes()))];
        match expected {
            ExpectedState::Absent => headers.push((header::IF_NONE_MATCH, "*".to_owned())),
            ExpectedState::State(tag) => headers.push((header::IF_MATCH, tag.0.clone())),
            ExpectedState::Anything => {}
        }
        let action = || PutObject::new(&self.bucket, self.credentials(), &key);
        let sent = self.ask(watch, &|client| {
            let ask = signed(Method::PUT, action(), &headers);
            match content {
                PutContent::Bytes(bytes) => client.put(&ask, web::RequestContent::Bytes(bytes.to_vec().into())),
                PutContent::File(path) => {
                    let unreadable =
                        |error| web::WebFailure::lasting(format!("the file to be sent cannot be read: {error}"));
                    client.give(&ask, File::open(path).map_err(unreadable)?)
                }
            }
        });
        sent.map(drop)
    }
}

impl Engine for SignedBucket {
    type Failure = BucketFailure;

    fn place(&self) -> &str {
        &self.place
    }

    fn get(&self, key: &ObjectKey) -> SignedResult<Option<Object>> {
        let mut attempt = 1;
        loop {
            let Some(answer) = self.fetch(key, None, UNWATCHED)? else { return Ok(None) };
            let tag = tag_of(&answer)?;
            let mut bytes = Vec::new();
            match answer.into_body().take(LARGEST_READ + 1).read_to_end(&mut bytes) {
                Ok(size) if size as u64 > LARGEST_READ => {
                    return Err(Kind::TooLarge { size: size as u64, limit: LARGEST_READ }.into());
                }
                Ok(_) => return Ok(Some(Object { bytes, tag })),
                // A small object whose body broke off is simply asked for again.
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(broken(&error).into()),
            }
        }
    }

    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> SignedResult<Option<u64>> {
        let Some(answer) = self.fetch(key, range, watch)? else { return Ok(None) };
        let unread = |error: io::Error| broken(&error);
        Ok(Some(pass_on(answer.into_body(), to, &mut |_| watch(), unread, unwritten(key))?))
    }

    fn head(&self, key: &ObjectKey, watch: TransferWatch<'_>) -> SignedResult<Option<ObjectHead>> {
        let name = self.key(key);
        let action = || HeadObject::new(&self.bucket, self.credentials(), &name);
        match self.ask(watch, &|client| client.ask(&signed(Method::HEAD, action(), &[]))) {
            Ok(answer) => {
                let length = answer.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
                let size = length.and_then(|text| text.parse().ok());
                let size = size.ok_or_else(|| nonsense("an object without a size"))?;
                Ok(Some(ObjectHead { size, tag: tag_of(&answer)? }))
            }
            // The same answer as for a missing bucket, which the next put reports.
            Err(failure) if failure.is_absent() => Ok(None),
            // The answer to a HEAD request has no body, which would say why. That to the same request as GET has one.
            Err(failure) if failure.status.is_some() => match self.fetch(key, Some(0..1), watch) {
                Err(told) if !told.code.is_empty() => Err(told),
                _ => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    fn list(&self, prefix: &str) -> SignedResult<Vec<ListedObject>> {
        let prefix = format!("{}{prefix}", self.prefix);
        let mut rows = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // The same request as for an object without a name: that is the bucket.
            let action = || {
                let mut action = GetObject::new(&self.bucket, self.credentials(), "");
                let query = action.query_mut();
                query.insert("list-type", "2");
                query.insert("prefix", prefix.clone());
                if let Some(token) = &next {
                    query.insert("continuation-token", token.clone());
                }
                action
            };
            let answer = self.ask(UNWATCHED, &|client| client.ask(&signed(Method::GET, action(), &[])))?;
            let mut text = String::new();
            let read = answer.into_body().take(LARGEST_READ).read_to_string(&mut text);
            read.map_err(|error| broken(&error))?;
            let page = BucketPage::read(&text).ok_or_else(|| nonsense("a listing that cannot be read"))?;
            rows.extend(page.rows.into_iter().filter_map(|row| {
                // Not an object of ours.
                let key = row.key.strip_prefix(&self.prefix)?.parse().ok()?;
                Some(ListedObject { key, size: row.size, modified: row.modified.unwrap_or_else(SystemTime::now) })
            }));
            // A server that names the same page again would never end.
            match page.next.filter(|token| Some(token) != next.as_ref()) {
                Some(token) => next = Some(token),
                None => break,
            }
        }
        Ok(rows)
    }

    fn put(&self, key: &ObjectKey, bytes: &[u8], expected: &ExpectedState) -> SignedResult<bool> {
        self.put_content(key, PutContent::Bytes(bytes), &Digest::of(bytes), expected, UNWATCHED)
    }

    fn delete(&self, key: &ObjectKey) -> SignedResult<bool> {
        // Deleting a missing object is not an error in the protocol.
        let there = self.head(key, UNWATCHED)?.is_some();
        let key = self.key(key);
        let action = || DeleteObject::new(&self.bucket, self.credentials(), &key);
        absent(self.ask(UNWATCHED, &|client| client.ask(&signed(Method::DELETE, action(), &[]))))?;
        Ok(there)
    }

    fn upload(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> SignedResult<UploadOutcome> {
        if upload.size > LARGEST {
            return Err(Kind::TooLarge { size: upload.size, limit: LARGEST }.into());
        }
        upload.approve()?;
        let id = work.begin(upload.key.file_name(), upload.size);
        let content = PutContent::File(upload.file);
        let put = self.put_content(upload.key, content, &upload.sha256, &upload.expected(), work.watch);
        let ours = match put {
            // A server may refuse a condition and end the connection while the body is still being sent: then its answer
            // is lost.
            Err(failure) if failure.status.is_none() && !upload.overwrite => match self.head(upload.key, work.watch)? {
                Some(_) => false,
                None => return Err(failure),
            },
            put => put?,
        };
        work.advance(id, upload.size);
        work.finish(id);
        Ok(if ours { UploadOutcome::sent(upload.size) } else { UploadOutcome::THEIRS })
    }

    fn conditional_puts(&self) -> SignedResult<bool> {
        self.conditions.or_probe(|key, bytes, expected| {
            self.send(key, PutContent::Bytes(bytes), &Digest::of(bytes), expected, UNWATCHED)
        })
    }
}

impl fmt::Debug for SignedBucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignedBucket")
            .field("place", &self.place)
            .field("url", &self.bucket.base_url().as_str())
            .field("region", &self.bucket.region())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

struct SignedSetback {
    failure: BucketFailure,
    chance: Option<RetryChance>,
}

impl web::Setback for SignedSetback {
    fn chance(&self) -> Option<RetryChance> {
        self.chance.clone()
    }
}

/// Signed anew for each attempt, its headers included.
fn signed<'a>(method: Method, mut action: impl S3Action<'a>, headers: &[(HeaderName, String)]) -> WebRequest {
    for (name, value) in headers {
        action.headers_mut().insert(name.as_str().to_owned(), value.clone());
    }
    WebRequest { headers: headers.to_vec(), ..WebRequest::new(method, action.sign(SIGNED_FOR)) }
}

fn absent<T>(outcome: SignedResult<T>) -> SignedResult<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn tag_of(answer: &WebAnswer) -> SignedResult<ObjectTag> {
    let tag = answer.headers().get(header::ETAG).and_then(|value| value.to_str().ok());
    tag.map(|tag| ObjectTag(tag.to_owned())).ok_or_else(|| nonsense("an object without a tag (ETag)"))
}

fn nonsense(said: &str) -> BucketFailure {
    Kind::Nonsense { said: said.to_owned() }.into()
}

fn no_answer(failure: web::WebFailure) -> Kind {
    match failure.kind {
        FailureKind::TooSlow => Kind::TooSlow { said: failure.reason },
        _ => Kind::Unreachable { reason: failure.reason },
    }
}

fn broken(error: &io::Error) -> Kind {
    no_answer(web::WebFailure::of_body(error))
}

fn refused(answer: WebAnswer) -> BucketFailure {
    let status = answer.status().as_u16();
    let region = answer.headers().get("x-amz-bucket-region").and_then(|value| value.to_str().ok()).map(tidy);
    let mut bytes = Vec::new();
    let _ = answer.into_body().take(64 << 10).read_to_end(&mut bytes);
    refusal(status, region, &String::from_utf8_lossy(&bytes))
}

/// With what the answer's XML body says.
fn refusal(status: u16, region: Option<String>, body: &str) -> BucketFailure {
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    };
    let plain = |code: &&str| code.len() < 64 && code.chars().all(|it| it.is_ascii_alphanumeric());
    let code = element("Code").filter(plain).unwrap_or_default();
    let message = element("Message").unwrap_or_default();
    BucketFailure {
        status: Some(status),
        code: code.to_owned(),
        kind: kind_of(status, code, message, region, ATTEMPTS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_for_what_it_is_with_or_without_a_code() {
        let cases = [
            // (status, body, what is told)
            (404, "<Error><Code>NoSuchBucket</Code><Message>x</Message></Error>", "the bucket does not exist"),
            (
                403,
                "<Error><Code>Access denied to AKID</Code></Error>",
                "the credentials do not allow this (AccessDenied)",
            ),
            (500, "no XML", "the server did not accept the request after 2 attempts: HTTP 500"),
            (301, "", "the bucket is in another region, eu-west-1"),
            (307, "", "the bucket is in another region, eu-west-1"),
        ];
        for (status, body, told) in cases {
            let failure = refusal(status, Some("eu-west-1".into()), body);
            assert_eq!(failure.kind.to_string(), told, "for {status}");
        }
    }
}
