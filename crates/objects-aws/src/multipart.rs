//! Large files: in parts side by side, copied by the server where it has the bytes, resumed after an interruption.
//!
//! Every part goes with its CRC-64/NVME, which a server that knows it verifies and adds up over the whole; one that
//! does not, and an upload with copied ranges, gets MD5 instead. Nothing is visible before the last request, and that
//! is only made when every part is known to be right.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, Part};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use objects::conditions::{PutVerdict, put_if};
use objects::refusal::BucketFailure;
use objects::{
    ExpectedState, FormerObject, Leftover, ObjectKey, ObjectUpload, PlaceErrorKind as Kind, PutOutcome, TransferWork,
    UploadOutcome,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vocab::TransferId;

use super::checksum::{agrees, crc64, crc64_text, joined, md5_of};
use super::transfer_plan::{StepSource, TransferPlan, TransferStep};
use super::{AwsBucket, AwsResult, BucketCalls, PutBody, cache_control, media_type, time_of};

/// How parts are checked on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartSums {
    Crc64,
    Md5,
}

/// One upload that a server keeps open.
#[derive(Clone, Debug)]
struct OpenUpload {
    id: String,
    sums: PartSums,
    /// Parts that the server has already, by number.
    parts: Vec<Part>,
}

/// One part that is known to be right.
#[derive(Clone, Debug)]
struct ArrivedPart {
    number: i32,
    tag: String,
    crc64: u64,
    size: u64,
    how: PartArrival,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartArrival {
    Sent,
    Copied,
    Resumed,
}

/// What each task needs.
struct UploadJob {
    bucket: BucketCalls,
    key: String,
    file: PathBuf,
    open: OpenUpload,
    /// Key and tag.
    former: Option<(String, String)>,
}

/// How often an upload in parts is begun again after another writer got in its way.
const BEGUN: u32 = 3;

impl AwsBucket {
    pub(super) fn bring(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> AwsResult<UploadOutcome> {
        if upload.size <= self.bucket.settings.in_one {
            return self.bring_in_one(upload, work);
        }
        // Again when somebody else has ended the upload that was taken up, or wrote while it was completed.
        for _ in 0..BEGUN {
            match self.bring_in_parts(upload, work) {
                Err(failure)
                    if failure.is(&["NoSuchUpload"]) || failure.verdict(&upload.expected()) == PutVerdict::InTheWay =>
                {
                    if !upload.overwrite && self.state(upload.key)?.is_some() {
                        return Ok(UploadOutcome::THEIRS);
                    }
                }
                outcome => return outcome,
            }
        }
        let said = format!("the upload was ended {BEGUN} times by somebody else");
        Err(BucketFailure::new(Kind::Refused { said }))
    }

    fn bring_in_one(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> AwsResult<UploadOutcome> {
        let id = work.begin(upload.key.file_name(), upload.size);
        let bytes = read(upload.file, 0, upload.size)?;
        upload.approve()?;
        let body = PutBody { bytes: &bytes, sha256: upload.sha256, is_signed: false };
        let ours = self.put_content(upload.key, &body, &upload.expected(), work.watch)?;
        work.advance(id, upload.size);
        work.finish(id);
        Ok(if ours { UploadOutcome::sent(upload.size) } else { UploadOutcome::THEIRS })
    }

    fn bring_in_parts(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> AwsResult<UploadOutcome> {
        let id = work.begin(upload.key.file_name(), upload.size);
        let (job, parts) = self.runtime.block_on(async {
            let (job, plan) = self.bucket.prepare(upload).await?;
            let parts = bring(&job, &plan, id, work).await?;
            Ok::<_, BucketFailure>((job, parts))
        })?;
        upload.approve()?;
        (work.watch)()?;
        let placed = self.complete(&job, &parts, upload)?;
        work.finish(id);
        let sum = |how| parts.iter().filter(|part| part.how == how).map(|part| part.size).sum();
        Ok(UploadOutcome {
            placed,
            sent: sum(PartArrival::Sent),
            copied: sum(PartArrival::Copied),
            resumed: sum(PartArrival::Resumed),
        })
    }

    fn complete(&self, job: &UploadJob, parts: &[ArrivedPart], upload: &ObjectUpload<'_>) -> AwsResult<PutOutcome> {
        let expected = upload.expected();
        let whole = parts.iter().fold(0, |sum, part| joined(sum, part.crc64, part.size));
        let mut said = None;
        let send = |expected: &ExpectedState| {
            said = self.runtime.block_on(job.complete(parts, whole, expected))?;
            Ok(())
        };
        // After a conflict this upload is over; another one is to be begun.
        match put_if(&expected, 1, send, || self.state(upload.key)) {
            Ok(true) => {}
            Ok(false) => {
                self.runtime.block_on(job.give_up());
                return Ok(PutOutcome::Theirs);
            }
            Err(failure) if failure.verdict(&expected) == PutVerdict::InTheWay => {
                self.runtime.block_on(job.give_up());
                return Err(failure);
            }
            Err(failure) => {
                // The answer to an earlier attempt may have been lost, and the upload is over then.
                let found = self.runtime.block_on(self.bucket.head(upload.key)).ok().flatten();
                let over = !upload.overwrite && found.is_some_and(|head| head.size == upload.size);
                return if over { Ok(PutOutcome::Ours) } else { Err(failure) };
            }
        }
        if said.is_some_and(|said| !said.contains('-') && said != crc64_text(whole)) {
            return Err(BucketFailure::new(Kind::Checksum { said: "the whole has another CRC-64 there".to_owned() }));
        }
        Ok(PutOutcome::Ours)
    }
}

impl BucketCalls {
    async fn prepare(&self, upload: &ObjectUpload<'_>) -> AwsResult<(Arc<UploadJob>, TransferPlan)> {
        let former = self.former_of(upload.former.as_ref()).await?;
        let shared = upload.former.as_ref().filter(|_| former.is_some()).map_or(&[][..], |it| &it.shared);
        let plan = TransferPlan::new(upload.size, shared, &self.settings.limits);
        let open = self.open(upload.key, !shared.is_empty()).await?;
        let (key, file) = (self.key(upload.key), upload.file.to_owned());
        Ok((Arc::new(UploadJob { bucket: self.clone(), key, file, open, former }), plan))
    }

    /// Key and tag of the former object, if it is still there.
    async fn former_of(&self, former: Option<&FormerObject>) -> AwsResult<Option<(String, String)>> {
        let Some(former) = former else { return Ok(None) };
        let head = self.head(&former.key).await?;
        Ok(head.map(|head| (self.key(&former.key), head.tag.0)))
    }

    /// The newest upload that somebody began for this key, or a new one.
    ///
    /// Where ranges will be copied it has no declared checksum: some servers take that of the whole former object for
    /// that of a range, and would keep a wrong sum of the new one.
    async fn open(&self, key: &ObjectKey, with_copies: bool) -> AwsResult<OpenUpload> {
        if let Some(open) = self.begun(key).await? {
            return Ok(open);
        }
        let request = || {
            self.client
                .create_multipart_upload()
                .bucket(&self.name)
                .key(self.key(key))
                .content_type(media_type(key.as_str()))
                .cache_control(cache_control(key.as_str()))
        };
        let with_sums =
            request().checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject);
        let declared = if with_copies { None } else { Some(with_sums.send().await) };
        let (answer, sums) = match declared {
            Some(Ok(answer)) => (answer, PartSums::Crc64),
            Some(Err(error)) if !is_of_checksums(&self.failure(&error)) => return Err(self.failure(&error)),
            _ => (request().send().await.map_err(|error| self.failure(&error))?, PartSums::Md5),
        };
        let nonsense = || BucketFailure::new(Kind::Nonsense { said: "an upload without an id".to_owned() });
        let id = answer.upload_id().ok_or_else(nonsense)?.to_owned();
        Ok(OpenUpload { id, sums, parts: Vec::new() })
    }

    async fn begun(&self, key: &ObjectKey) -> AwsResult<Option<OpenUpload>> {
        let name = self.key(key);
        let request = self.client.list_multipart_uploads().bucket(&self.name).prefix(&name);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let failure = self.failure(&error);
                // Not every server tells, and not every key may ask: then the upload begins anew.
                let silent = failure.is_unknown() || matches!(failure.kind, Kind::NoPermission);
                return if silent { Ok(None) } else { Err(failure) };
            }
        };
        let uploads = answer.uploads().iter().filter(|it| it.key() == Some(name.as_str()));
        let Some(newest) = uploads.max_by_key(|it| time_of(it.initiated())) else { return Ok(None) };
        let Some(id) = newest.upload_id() else { return Ok(None) };
        let sums = match newest.checksum_algorithm() {
            Some(ChecksumAlgorithm::Crc64Nvme) => PartSums::Crc64,
            None => PartSums::Md5,
            // Another tool began it.
            Some(_) => return Ok(None),
        };
        let mut parts = Vec::new();
        let request = self.client.list_parts().bucket(&self.name).key(&name).upload_id(id);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => parts.extend(page.parts().iter().cloned()),
                Err(error) => {
                    let failure = self.failure(&error);
                    // It was completed or aborted meanwhile.
                    return if failure.status == Some(404) { Ok(None) } else { Err(failure) };
                }
            }
        }
        Ok(Some(OpenUpload { id: id.to_owned(), sums, parts }))
    }

    pub(super) async fn leftovers(&self, before: SystemTime, dry_run: bool) -> AwsResult<Vec<Leftover>> {
        let request = self.client.list_multipart_uploads().bucket(&self.name).prefix(&self.prefix);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let failure = self.failure(&error);
                return if failure.is_unknown() { Ok(Vec::new()) } else { Err(failure) };
            }
        };
        let mut rows = Vec::new();
        for upload in answer.uploads().iter().filter(|it| time_of(it.initiated()) < before) {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            if !dry_run {
                let request = self.client.abort_multipart_upload().bucket(&self.name).key(key).upload_id(id);
                request.send().await.map_err(|error| self.failure(&error))?;
            }
            rows.push(Leftover { what: key.strip_prefix(&self.prefix).unwrap_or(key).to_owned(), size: None });
        }
        Ok(rows)
    }
}

/// Everything that the plan says, side by side. An interruption ends it before the next part.
async fn bring(
    job: &Arc<UploadJob>,
    plan: &TransferPlan,
    id: TransferId,
    work: &TransferWork<'_>,
) -> AwsResult<Vec<ArrivedPart>> {
    let places = Arc::new(Semaphore::new(job.bucket.settings.side_by_side.max(1)));
    let mut tasks = JoinSet::new();
    let mut arrived = Vec::with_capacity(plan.steps.len());
    let mut steps = (1..).zip(plan.steps.iter().cloned());
    loop {
        let place = match steps.next() {
            Some((number, step)) => {
                let place = Arc::clone(&places).acquire_owned().await;
                let place = place.map_err(|_| BucketFailure::new(Kind::Cancelled))?;
                let job = Arc::clone(job);
                tasks.spawn(async move {
                    let part = job.part(number, &step).await;
                    drop(place);
                    part
                });
                // What has ended meanwhile is looked at, so that a fault is met early.
                tasks.try_join_next()
            }
            None => match tasks.join_next().await {
                None => break,
                ended => ended,
            },
        };
        let Some(ended) = place else { continue };
        let part = ended.map_err(|error| BucketFailure::new(Kind::Nonsense { said: error.to_string() }))??;
        work.advance(id, part.size);
        arrived.push(part);
        (work.watch)().map_err(BucketFailure::new)?;
    }
    arrived.sort_by_key(|part: &ArrivedPart| part.number);
    Ok(arrived)
}

impl UploadJob {
    async fn part(&self, number: i32, step: &TransferStep) -> AwsResult<ArrivedPart> {
        let (file, start, size) = (self.file.clone(), step.range.start, step.size());
        let reading = tokio::task::spawn_blocking(move || -> AwsResult<(Vec<u8>, u64)> {
            let bytes = read(&file, start, size)?;
            let sum = crc64(&bytes);
            Ok((bytes, sum))
        });
        let (bytes, crc64) =
            reading.await.map_err(|error| BucketFailure::new(Kind::Nonsense { said: error.to_string() }))??;
        let arrived = |tag: &str, how| ArrivedPart { number, tag: tag.to_owned(), crc64, size, how };
        if let Some(tag) = self.resumed(number, &bytes) {
            return Ok(arrived(&tag, PartArrival::Resumed));
        }
        if let (StepSource::Copy { from }, Some(former)) = (step.source, &self.former)
            && let Some(tag) = self.copied(number, from..from + size, former, &bytes).await?
        {
            return Ok(arrived(&tag, PartArrival::Copied));
        }
        let tag = self.send(number, bytes, crc64).await?;
        Ok(arrived(&tag, PartArrival::Sent))
    }

    /// The tag of the part that the server has from an earlier attempt, when it is this one.
    fn resumed(&self, number: i32, bytes: &[u8]) -> Option<String> {
        let part = self.open.parts.iter().find(|part| part.part_number() == Some(number))?;
        let same_size = part.size().and_then(|size| u64::try_from(size).ok()) == Some(bytes.len() as u64);
        let same = same_size && agrees(bytes, part.checksum_crc64_nvme(), part.e_tag()) == Some(true);
        same.then(|| part.e_tag().unwrap_or_default().to_owned())
    }

    /// The tag, when the server copied and what it says of the copy is true of our bytes. `None`: they must be sent.
    async fn copied(
        &self,
        number: i32,
        range: std::ops::Range<u64>,
        (key, tag): &(String, String),
        bytes: &[u8],
    ) -> AwsResult<Option<String>> {
        let source = format!("{}/{}", self.bucket.name, escaped(key));
        let request = self
            .bucket
            .client
            .upload_part_copy()
            .bucket(&self.bucket.name)
            .key(&self.key)
            .upload_id(&self.open.id)
            .part_number(number)
            .copy_source(source)
            .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1))
            .copy_source_if_match(tag);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let failure = self.bucket.failure(&error);
                // The former object went, or this server cannot copy ranges. Anything else would meet the sending too.
                let cannot = failure.is_unknown()
                    || failure.is_precondition()
                    || failure.is_absent()
                    || matches!(failure.kind, Kind::Refused { .. } | Kind::NoPermission);
                return if cannot { Ok(None) } else { Err(failure) };
            }
        };
        let Some(result) = answer.copy_part_result() else { return Ok(None) };
        let by_tag = agrees(bytes, None, result.e_tag());
        let right = by_tag.or_else(|| agrees(bytes, result.checksum_crc64_nvme(), None)) == Some(true);
        Ok(result.e_tag().filter(|_| right).map(str::to_owned))
    }

    async fn send(&self, number: i32, bytes: Vec<u8>, crc64: u64) -> AwsResult<String> {
        let request = self
            .bucket
            .client
            .upload_part()
            .bucket(&self.bucket.name)
            .key(&self.key)
            .upload_id(&self.open.id)
            .part_number(number);
        let request = match self.open.sums {
            PartSums::Crc64 => request.checksum_crc64_nvme(crc64_text(crc64)),
            PartSums::Md5 => request.content_md5(STANDARD.encode(md5_of(&bytes))),
        };
        // The checksum is among the signed headers and stands for the body.
        let request = request.body(ByteStream::from(bytes)).customize().disable_payload_signing();
        let answer = request.send().await.map_err(|error| self.bucket.failure(&error))?;
        if let Some(said) = answer.checksum_crc64_nvme()
            && said != crc64_text(crc64)
        {
            return Err(BucketFailure::new(Kind::Checksum { said: format!("part {number} has another CRC-64 there") }));
        }
        let nonsense = || BucketFailure::new(Kind::Nonsense { said: "a part without a tag (ETag)".to_owned() });
        Ok(answer.e_tag().ok_or_else(nonsense)?.to_owned())
    }

    /// Asks once for the object to become visible, under a condition, and gives the CRC-64 that the server has of it.
    async fn complete(&self, parts: &[ArrivedPart], whole: u64, expected: &ExpectedState) -> AwsResult<Option<String>> {
        let with_sums = self.open.sums == PartSums::Crc64;
        let rows = parts.iter().map(|part| {
            let row = CompletedPart::builder().part_number(part.number).e_tag(&part.tag);
            if with_sums { row.checksum_crc64_nvme(crc64_text(part.crc64)) } else { row }.build()
        });
        let rows = CompletedMultipartUpload::builder().set_parts(Some(rows.collect())).build();
        let bucket = &self.bucket;
        let mut request = bucket.client.complete_multipart_upload().bucket(&bucket.name).key(&self.key);
        request = request.upload_id(&self.open.id).multipart_upload(rows);
        request = match expected {
            ExpectedState::Absent => request.if_none_match("*"),
            ExpectedState::State(tag) => request.if_match(&tag.0),
            ExpectedState::Anything => request,
        };
        if with_sums {
            request = request.checksum_type(ChecksumType::FullObject).checksum_crc64_nvme(crc64_text(whole));
        }
        let answer = request.send().await.map_err(|error| bucket.failure(&error))?;
        Ok(answer.checksum_crc64_nvme().map(str::to_owned))
    }

    /// Another writer was faster. What cannot be ended now is found by a later clean-up.
    async fn give_up(&self) {
        let bucket = &self.bucket;
        let request = bucket.client.abort_multipart_upload().bucket(&bucket.name).key(&self.key);
        let _ = request.upload_id(&self.open.id).send().await;
    }
}

/// A server that does not know this checksum.
fn is_of_checksums(failure: &BucketFailure) -> bool {
    failure.is_unknown() || failure.is(&["InvalidRequest", "InvalidArgument"])
}

fn read(path: &Path, start: u64, size: u64) -> AwsResult<Vec<u8>> {
    let inner = || {
        let mut file = std::fs::File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; usize::try_from(size).map_err(std::io::Error::other)?];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    inner().map_err(|source| BucketFailure::new(Kind::Disk { action: "read", path: path.to_owned(), source }))
}

/// For the header that names what is copied.
fn escaped(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
