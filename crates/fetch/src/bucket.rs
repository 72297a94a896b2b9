//! An artifact in a bucket behind the S3 protocol: `s3://bucket/prefix/name?endpoint=…` or `s3e://host/bucket/prefix/name`.
//! Requests are signed with the keys in AWS's variables or a profile; without keys, public buckets are read.

use std::ops::Range;

use objects::refusal::BucketFailure;
use objects::{BucketAddress, ObjectKey, ObjectStream, PlaceAddress, PlaceErrorKind, SignedBucket};
use vocab::Fault;
use web::{WebClient, WebFailure, WebLimits, may_pass};

use super::answer::{MAX_MANIFEST, RangeAnswer, content_range, read_bounded};
use super::server::ServerSetback;
use super::{FetchErrorKind, FetchSettings};

/// How addresses of buckets begin.
pub(super) const SCHEMES: [&str; 2] = ["s3://", "s3e://"];

/// One object of a bucket.
pub(super) struct BucketObject {
    bucket: SignedBucket,
    key: ObjectKey,
    place: String,
}

impl BucketObject {
    /// Makes no request.
    pub(super) fn new(place: &str, settings: &FetchSettings) -> Result<Self, FetchErrorKind> {
        let refused = |error: &dyn Fault| FetchErrorKind::Place { reason: reason_of(error) };
        let PlaceAddress::Bucket(address) =
            PlaceAddress::parse(place, "the source").map_err(|error| refused(&error.kind))?
        else {
            return Err(FetchErrorKind::Place { reason: "it is not a bucket".to_owned() });
        };
        let (prefix, name) = address.prefix.rsplit_once('/').unwrap_or(("", &address.prefix));
        let no_key = |_| FetchErrorKind::Place { reason: format!("`{}` is not an object's name", address.prefix) };
        let key: ObjectKey = name.parse().map_err(no_key)?;
        let place = format!("s3://{}/{}", address.bucket, address.prefix);
        let folder = BucketAddress { prefix: prefix.to_owned(), ..address.clone() };
        let FetchSettings { connect_limit: connect, stall_limit: stall, pace, deadline, .. } = *settings;
        let client = WebClient::new(settings.proxies.clone(), WebLimits { connect, stall, pace, deadline });
        let bucket = SignedBucket::open(&folder, &settings.buckets, client, settings.first_pause);
        Ok(Self { bucket: bucket.map_err(|error| refused(&error))?, key, place })
    }

    /// For messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// A whole small object, this one or its manifest. `None` if there is none.
    pub(super) fn small(&self, manifest: bool) -> Result<Option<Vec<u8>>, ServerSetback> {
        let beside = vocab::manifest_name(self.key.as_str());
        let key = if manifest { beside.parse().map_err(|_| self.absent())? } else { self.key.clone() };
        let Some(stream) = self.bucket.stream(&key, None).map_err(setback)? else { return Ok(None) };
        let length = stream.length;
        let text = read_bounded(stream.body).map_err(|error| ServerSetback::from(WebFailure::of_body(&error)))?;
        let text = text.ok_or(FetchErrorKind::LargeManifest { limit: MAX_MANIFEST })?;
        match length {
            Some(length) if (text.len() as u64) < length => {
                Err(ServerSetback::passing(format!("the connection ended after {} of {length} bytes", text.len())))
            }
            _ => Ok(Some(text)),
        }
    }

    /// As [`super::origin::ArtifactOrigin::range`]. The state of the object is compared when the answer has begun.
    pub(super) fn range(&self, range: &Range<u64>, size: u64, tag: Option<&str>) -> Result<RangeAnswer, ServerSetback> {
        let stream = match self.bucket.stream(&self.key, Some(range.clone())) {
            Err(BucketFailure { status: Some(416), .. }) => {
                return Ok(RangeAnswer::NoRange { why: "the server says that it has no such range" });
            }
            result => result.map_err(setback)?.ok_or_else(|| self.absent())?,
        };
        if let (Some(before), Some(now)) = (tag, stream.tag.as_deref())
            && before != now
        {
            return Err(FetchErrorKind::Replaced.into());
        }
        if stream.status != 206 {
            return Ok(whole(stream, "the server does not send single ranges"));
        }
        match stream.content_range.as_deref().and_then(content_range) {
            Some(sent) if sent.is_of(range, size) => {
                Ok(RangeAnswer::Range { body: stream.body, end: sent.end, tag: stream.tag })
            }
            _ => Ok(RangeAnswer::NoRange { why: "the server sends other ranges than it is asked for" }),
        }
    }

    pub(super) fn whole(&self) -> Result<RangeAnswer, ServerSetback> {
        let stream = self.bucket.stream(&self.key, None).map_err(setback)?;
        Ok(whole(stream.ok_or_else(|| self.absent())?, ""))
    }

    fn absent(&self) -> FetchErrorKind {
        FetchErrorKind::Status { status: 404, place: self.place.clone() }
    }
}

/// The URL of the server that a bucket is asked of, if the address or a variable names one.
pub(super) fn endpoint_of(place: &str, settings: &FetchSettings) -> Option<String> {
    let Ok(PlaceAddress::Bucket(address)) = PlaceAddress::parse(place, "the source") else { return None };
    let of_variable = |name| settings.buckets.text(name).map(str::to_owned);
    let named = address.endpoint.map(String::from).or_else(|| of_variable("AWS_ENDPOINT_URL_S3"));
    named.or_else(|| of_variable("AWS_ENDPOINT_URL"))
}

fn whole(stream: ObjectStream, why: &'static str) -> RangeAnswer {
    RangeAnswer::Whole { body: stream.body, size: stream.length, why }
}

fn setback(failure: BucketFailure) -> ServerSetback {
    match failure.kind {
        kind @ (PlaceErrorKind::Unreachable { .. } | PlaceErrorKind::Busy { .. }) => {
            ServerSetback::passing(kind.to_string())
        }
        kind if failure.status.is_some_and(may_pass) => ServerSetback::passing(kind.to_string()),
        PlaceErrorKind::TooSlow { said } => FetchErrorKind::TooSlow { reason: said }.into(),
        kind => FetchErrorKind::Bucket(Box::new(kind)).into(),
    }
}

fn reason_of(error: &dyn Fault) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}
