//! A bucket behind the S3 protocol, Amazon's or any server that speaks it, through the AWS client: credentials wherever
//! the AWS tools find them, large files in parts, ranges copied by the server.
//!
//! It is a crate of its own, not a feature of `objects`: features add up over all crates that are built together, and
//! the builder must never compile the AWS client.
//!
//! [`S3Settings`] and an address go in; a [`Place`](objects::Place) comes out, which keeps the promises of every place. The client is
//! asynchronous; everything here waits for it, on two threads of its own. The client does retries, signatures and
//! credentials; `failure` says what an answer means, `multipart` uploads large files, and [`TransferPlan`] decides
//! which ranges the server copies:
//!
//! ```
//! use objects::SharedRange;
//! use objects_aws::{TransferLimits, TransferPlan};
//!
//! // The second half of the new file is already in the former object, at its beginning.
//! let half: u64 = 64 << 20;
//! let shared = [SharedRange { offset: half, former: 0, size: half }];
//! assert_eq!(TransferPlan::new(2 * half, &shared, &TransferLimits::S3).sent(), half);
//! // Without a former object everything is sent.
//! assert_eq!(TransferPlan::new(2 * half, &[], &TransferLimits::S3).sent(), 2 * half);
//! ```

mod checksum;
mod connect;
mod failure;
mod multipart;
mod transfer_plan;

use std::io::Write;
use std::ops::Range;
use std::time::{Instant, SystemTime};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use objects::conditions::{CONTENDED, ConditionsKept, put_if};
use objects::refusal::BucketFailure;
use objects::{
    BucketAddress, Engine, ExpectedState, Leftover, ListedObject, Object, ObjectHead, ObjectKey, ObjectTag,
    ObjectUpload, PlaceError, PlaceErrorKind as Kind, TransferWatch, TransferWork, UNWATCHED, UploadOutcome, unwritten,
};
use tokio::runtime::Runtime;
use vocab::Digest;
use web::{OverLimit, PaceMeter};

pub use connect::{AwsAccess, S3Settings};
pub use transfer_plan::{StepSource, TransferLimits, TransferPlan, TransferStep};
/// How slow a server may be; see [`S3Settings`].
pub use web::{Pace, Secret};

use failure::failure_of;

/// What is read at once: indexes and manifests have a few megabytes at most.
const LARGEST_READ: u64 = 256 << 20;

type AwsResult<T> = std::result::Result<T, BucketFailure>;

/// A bucket through the AWS client. Its calls block; they may come from several threads.
pub struct AwsBucket {
    bucket: BucketCalls,
    runtime: Runtime,
    conditions: ConditionsKept,
}

/// What one put brings.
struct PutBody<'a> {
    bytes: &'a [u8],
    sha256: Digest,
    /// Hashed once more, for servers that do not compare it with its checksum. Of files, the checksum among the signed
    /// headers stands for the body.
    is_signed: bool,
}

impl<'a> PutBody<'a> {
    fn small(bytes: &'a [u8]) -> Self {
        Self { bytes, sha256: Digest::of(bytes), is_signed: true }
    }
}

/// What its requests need.
#[derive(Clone)]
struct BucketCalls {
    client: aws_sdk_s3::Client,
    name: String,
    /// Ends with `/`, or is empty.
    prefix: String,
    place: String,
    settings: S3Settings,
}

impl std::fmt::Debug for AwsBucket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AwsBucket").field("place", &self.bucket.place).finish_non_exhaustive()
    }
}

impl AwsBucket {
    /// Makes no request to the bucket yet.
    pub fn open(address: &BucketAddress, settings: S3Settings) -> Result<Self, PlaceError> {
        let separator = if address.prefix.is_empty() { "" } else { "/" };
        let place = format!("s3://{}{separator}{}", address.bucket, address.prefix);
        let failed = |reason| PlaceError {
            action: "connect",
            key: None,
            place: place.clone(),
            kind: Kind::Unreachable { reason },
        };
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().map_err(|error| failed(error.to_string()))?;
        let client = runtime.block_on(connect::client(address, &settings)).map_err(failed)?;
        let bucket = BucketCalls {
            client,
            name: address.bucket.clone(),
            prefix: format!("{}{separator}", address.prefix),
            place,
            settings,
        };
        Ok(Self { bucket, runtime, conditions: ConditionsKept::default() })
    }
}

impl BucketCalls {
    fn key(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.prefix)
    }

    fn failure<E>(&self, error: &SdkError<E, HttpResponse>) -> BucketFailure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        failure_of(error, self.settings.attempts)
    }

    async fn get(&self, key: &ObjectKey) -> AwsResult<Option<Object>> {
        let request = self.client.get_object().bucket(&self.name).key(self.key(key));
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return absent(self.failure(&error)),
        };
        let size = answer.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        if size > LARGEST_READ {
            return Err(BucketFailure::new(Kind::TooLarge { size, limit: LARGEST_READ }));
        }
        let tag = tag_of(answer.e_tag())?;
        let mut bytes = Vec::new();
        let count = self.receive(answer.body, |chunk| {
            // The server may not have said how much there is.
            let told = bytes.len() + chunk.len();
            if told as u64 > LARGEST_READ {
                return Err(BucketFailure::new(Kind::TooLarge { size: told as u64, limit: LARGEST_READ }));
            }
            bytes.extend_from_slice(chunk);
            Ok(())
        });
        let count = count.await?;
        if count != size {
            let reason = format!("its answer broke off: {count} of {size} bytes");
            return Err(BucketFailure::new(Kind::Unreachable { reason }));
        }
        Ok(Some(Object { bytes, tag }))
    }

    /// A small object whose body broke off is simply asked for again: the client itself repeats only what has no
    /// body yet.
    async fn get_surely(&self, key: &ObjectKey) -> AwsResult<Option<Object>> {
        let mut attempt = 1;
        loop {
            match self.get(key).await {
                Err(BucketFailure { kind: Kind::Unreachable { .. } | Kind::Checksum { .. }, status: None, .. })
                    if attempt < self.settings.attempts =>
                {
                    tokio::time::sleep(self.settings.first_pause * attempt).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> AwsResult<Option<u64>> {
        watch().map_err(BucketFailure::new)?;
        let header = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let request = self.client.get_object().bucket(&self.name).key(self.key(key)).set_range(header);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return absent(self.failure(&error)),
        };
        let count = self.receive(answer.body, |chunk| {
            watch().map_err(BucketFailure::new)?;
            to.write_all(chunk).map_err(|error| BucketFailure::new(unwritten(key)(error)))
        });
        let count = count.await?;
        let expected = answer.content_length.and_then(|size| u64::try_from(size).ok());
        if expected.is_some_and(|expected| expected != count) {
            return Err(BucketFailure::new(Kind::Unreachable {
                reason: format!("its answer broke off after {count} bytes"),
            }));
        }
        Ok(Some(count))
    }

    /// Passes on the bytes of an answer as they come, and gives their number.
    async fn receive(&self, mut body: ByteStream, mut take: impl FnMut(&[u8]) -> AwsResult<()>) -> AwsResult<u64> {
        let mut meter = PaceMeter::new(self.settings.pace);
        let mut count = 0;
        loop {
            let begun = Instant::now();
            let Some(chunk) = body.next().await else { return Ok(count) };
            let chunk = chunk.map_err(|error| broken(&error))?;
            let slow = |over: OverLimit| BucketFailure::new(Kind::TooSlow { said: over.to_string() });
            meter.advance(chunk.len() as u64, begun.elapsed()).map_err(slow)?;
            count += chunk.len() as u64;
            take(&chunk)?;
        }
    }

    async fn head(&self, key: &ObjectKey) -> AwsResult<Option<ObjectHead>> {
        let request = self.client.head_object().bucket(&self.name).key(self.key(key));
        match request.send().await {
            Ok(answer) => {
                let size = answer.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                Ok(Some(ObjectHead { size, tag: tag_of(answer.e_tag())? }))
            }
            Err(error) => match self.failure(&error) {
                failure if failure.is_absent() => Ok(None),
                failure if failure.code.is_empty() && failure.status.is_some() => Err(self.why(key, failure).await),
                failure => Err(failure),
            },
        }
    }

    /// The answer to a HEAD request has no body, which would say why. That to the same request as GET has one.
    async fn why(&self, key: &ObjectKey, failure: BucketFailure) -> BucketFailure {
        let request = self.client.get_object().bucket(&self.name).key(self.key(key)).range("bytes=0-0");
        match request.send().await {
            Err(error) => Some(self.failure(&error)).filter(|it| !it.code.is_empty()).unwrap_or(failure),
            Ok(_) => failure,
        }
    }

    async fn list(&self, prefix: &str) -> AwsResult<Vec<ListedObject>> {
        let mut rows = Vec::new();
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(format!("{}{prefix}", self.prefix));
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(&error))?;
            rows.extend(page.contents().iter().filter_map(|object| {
                // Not an object.
                let key = object.key()?.strip_prefix(&self.prefix)?.parse().ok()?;
                let size = u64::try_from(object.size().unwrap_or_default()).unwrap_or_default();
                Some(ListedObject { key, size, modified: time_of(object.last_modified()) })
            }));
        }
        Ok(rows)
    }

    /// One put under a condition.
    async fn send(&self, key: &ObjectKey, body: &PutBody<'_>, expected: &ExpectedState) -> AwsResult<()> {
        let mut request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(self.key(key))
            .content_type(media_type(key.as_str()))
            .cache_control(cache_control(key.as_str()))
            .checksum_sha256(STANDARD.encode(body.sha256.as_bytes()))
            .body(ByteStream::from(body.bytes.to_vec()));
        request = match expected {
            ExpectedState::Absent => request.if_none_match("*"),
            ExpectedState::State(tag) => request.if_match(&tag.0),
            ExpectedState::Anything => request,
        };
        let request = request.customize();
        let request = if body.is_signed { request } else { request.disable_payload_signing() };
        request.send().await.map(drop).map_err(|error| self.failure(&error))
    }

    async fn delete(&self, key: &ObjectKey) -> AwsResult<bool> {
        // Deleting a missing object is not an error in the protocol.
        let there = self.head(key).await?.is_some();
        let request = self.client.delete_object().bucket(&self.name).key(self.key(key));
        request.send().await.map_err(|error| self.failure(&error))?;
        Ok(there)
    }
}

impl AwsBucket {
    /// `Ok(false)` when the condition does not hold.
    fn put_content(
        &self,
        key: &ObjectKey,
        body: &PutBody<'_>,
        expected: &ExpectedState,
        watch: TransferWatch<'_>,
    ) -> AwsResult<bool> {
        let send = |expected: &ExpectedState| {
            watch().map_err(BucketFailure::new)?;
            self.runtime.block_on(self.bucket.send(key, body, expected))
        };
        put_if(expected, CONTENDED, send, || self.state(key))
    }

    fn state(&self, key: &ObjectKey) -> AwsResult<Option<ObjectTag>> {
        Ok(self.runtime.block_on(self.bucket.head(key))?.map(|head| head.tag))
    }
}

impl Engine for AwsBucket {
    type Failure = BucketFailure;

    fn place(&self) -> &str {
        &self.bucket.place
    }

    fn get(&self, key: &ObjectKey) -> AwsResult<Option<Object>> {
        self.runtime.block_on(self.bucket.get_surely(key))
    }

    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> AwsResult<Option<u64>> {
        self.runtime.block_on(self.bucket.read(key, range, to, watch))
    }

    fn head(&self, key: &ObjectKey, _watch: TransferWatch<'_>) -> AwsResult<Option<ObjectHead>> {
        self.runtime.block_on(self.bucket.head(key))
    }

    fn list(&self, prefix: &str) -> AwsResult<Vec<ListedObject>> {
        self.runtime.block_on(self.bucket.list(prefix))
    }

    fn put(&self, key: &ObjectKey, bytes: &[u8], expected: &ExpectedState) -> AwsResult<bool> {
        self.put_content(key, &PutBody::small(bytes), expected, UNWATCHED)
    }

    fn delete(&self, key: &ObjectKey) -> AwsResult<bool> {
        self.runtime.block_on(self.bucket.delete(key))
    }

    fn upload(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> AwsResult<UploadOutcome> {
        self.bring(upload, work)
    }

    fn conditional_puts(&self) -> AwsResult<bool> {
        self.conditions.or_probe(|key, bytes, expected| {
            self.runtime.block_on(self.bucket.send(key, &PutBody::small(bytes), expected))
        })
    }

    fn leftovers(&self, before: SystemTime, dry_run: bool) -> AwsResult<Vec<Leftover>> {
        self.runtime.block_on(self.bucket.leftovers(before, dry_run))
    }
}

fn absent<T>(failure: BucketFailure) -> AwsResult<Option<T>> {
    if failure.is_absent() { Ok(None) } else { Err(failure) }
}

fn broken(error: &aws_sdk_s3::primitives::ByteStreamError) -> BucketFailure {
    BucketFailure::new(failure::of_chain(error, |said| Kind::Unreachable {
        reason: format!("its answer broke off: {said}"),
    }))
}

fn tag_of(tag: Option<&str>) -> AwsResult<ObjectTag> {
    let nonsense = || BucketFailure::new(Kind::Nonsense { said: "an object without a tag (ETag)".to_owned() });
    tag.map(|tag| ObjectTag(tag.to_owned())).ok_or_else(nonsense)
}

fn time_of(moment: Option<&aws_sdk_s3::primitives::DateTime>) -> SystemTime {
    // An upload without a time never counts as old.
    moment.and_then(|moment| SystemTime::try_from(*moment).ok()).unwrap_or_else(SystemTime::now)
}

/// So that a browser shows the site and a client saves artifacts.
fn media_type(key: &str) -> &'static str {
    match key.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        "jsonl" => "application/jsonl",
        "sha256" | "minisig" | "txt" => "text/plain; charset=utf-8",
        "zip" => "application/zip",
        "zst" => "application/zstd",
        "gz" => "application/gzip",
        "tar" => "application/x-tar",
        _ => "application/octet-stream",
    }
}

/// Artifacts never change; derived objects may at any time.
fn cache_control(key: &str) -> &'static str {
    let immutable = key.starts_with("artifacts/") || key.starts_with("entries/");
    if immutable { "public, max-age=31536000, immutable" } else { "no-cache" }
}
