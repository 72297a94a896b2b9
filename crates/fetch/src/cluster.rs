//! An artifact in an AIStore cluster, by its native API: `ais://bucket/prefix/name?endpoint=http://host:port`. The token
//! goes along to the target that the cluster redirects to, which plain HTTP does not allow.

use std::ops::Range as Bytes;
use std::time::Duration;

use aistore_client::{
    Address, Bucket, ByteRange, Client, Error, GetOptions, ObjectName, ObjectProperties, ObjectReader, RefusalKind,
    Retries, Settings,
};
use web::{WebLimits, may_pass};

use super::answer::{MAX_MANIFEST, RangeAnswer, read_bounded};
use super::server::ServerSetback;
use super::{FetchErrorKind, FetchSettings};

/// One object of a cluster.
pub(super) struct ClusterObject {
    client: Client,
    bucket: Bucket,
    name: String,
}

impl ClusterObject {
    /// Makes no request.
    pub(super) fn new(place: &str, settings: &FetchSettings) -> Result<Self, FetchErrorKind> {
        let refused = |error: Error| FetchErrorKind::Place { reason: error.to_string() };
        let address = Address::parse(place).map_err(refused)?;
        ObjectName::new(&address.prefix).map_err(refused)?;
        let mut of = Settings::of(address.endpoint.as_deref(), &|name| settings.cluster.get(name)).map_err(refused)?;
        of.proxies = settings.proxies.clone();
        of.limits = WebLimits { pace: settings.pace, deadline: settings.deadline, ..of.limits };
        // The caller asks for each range again, with what it has then.
        of.retries = Retries { attempts: 1, first_pause: Duration::ZERO };
        of.busy_limit = Duration::ZERO;
        let client = Client::new(of).map_err(refused)?;
        Ok(Self { client, bucket: address.bucket, name: address.prefix })
    }

    /// For messages.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.bucket, self.name)
    }

    /// The object's manifest, which lies beside it.
    pub(super) fn manifest(&self) -> Self {
        Self { client: self.client.clone(), bucket: self.bucket.clone(), name: vocab::manifest_name(&self.name) }
    }

    /// All of it; `None` if there is no such object.
    pub(super) fn small(&self) -> Result<Option<Vec<u8>>, ServerSetback> {
        let reader = match self.get(None) {
            Err(error) if error.is(RefusalKind::ObjectNotFound) => return Ok(None),
            result => result.map_err(|error| self.setback(error))?,
        };
        // Compared with its checksum; what breaks off is asked for again.
        let text = read_bounded(reader).map_err(|error| match error.downcast::<Error>() {
            Ok(error) => self.setback(error),
            Err(error) => ServerSetback::passing(error.to_string()),
        })?;
        Ok(Some(text.ok_or(FetchErrorKind::LargeManifest { limit: MAX_MANIFEST })?))
    }

    /// As [`super::origin::ArtifactOrigin::range`]. AIStore knows no `If-Range`: the version is compared after the
    /// answer has begun.
    pub(super) fn range(&self, range: &Bytes<u64>, tag: Option<&str>) -> Result<RangeAnswer, ServerSetback> {
        let asked = ByteRange::Of { start: range.start, length: range.end - range.start };
        let reader = match self.get(Some(asked)) {
            Err(error) if error.is(RefusalKind::RangeNotSatisfiable) => {
                return Ok(RangeAnswer::NoRange { why: "the server says that it has no such range" });
            }
            result => result.map_err(|error| self.setback(error))?,
        };
        let now = tag_of(reader.properties());
        if let (Some(before), Some(now)) = (tag, now.as_deref())
            && before != now
        {
            return Err(FetchErrorKind::Replaced.into());
        }
        match reader.range() {
            Some(sent) if sent.start == range.start && sent.end <= range.end => {
                Ok(RangeAnswer::Range { end: sent.end, body: Box::new(reader.into_body()), tag: now })
            }
            Some(_) => Ok(RangeAnswer::NoRange { why: "the server sends other ranges than it is asked for" }),
            None => Ok(whole(reader, "the server does not send single ranges")),
        }
    }

    pub(super) fn whole(&self) -> Result<RangeAnswer, ServerSetback> {
        self.get(None).map(|reader| whole(reader, "")).map_err(|error| self.setback(error))
    }

    fn get(&self, range: Option<ByteRange>) -> Result<ObjectReader<'_>, Error> {
        let object = self.client.bucket(self.bucket.clone()).object(&self.name)?;
        object.get(&GetOptions { range, resumes: 0, ..GetOptions::default() })
    }

    fn setback(&self, error: Error) -> ServerSetback {
        match error {
            Error::Unanswered { failure, .. } => failure.into(),
            Error::Refused(refusal) if refusal.kind == RefusalKind::Busy || may_pass(refusal.status) => {
                ServerSetback::passing(refusal.to_string())
            }
            Error::Refused(refusal) if refusal.kind == RefusalKind::ObjectNotFound => {
                FetchErrorKind::Status { status: refusal.status, place: self.place() }.into()
            }
            Error::Refused(refusal) if matches!(refusal.kind, RefusalKind::Unauthorized | RefusalKind::Forbidden) => {
                FetchErrorKind::Token { reason: refusal.to_string() }.into()
            }
            Error::Mismatch { .. } => ServerSetback::passing(error.to_string()),
            error => FetchErrorKind::Refused { reason: error.to_string() }.into(),
        }
    }
}

fn whole(reader: ObjectReader<'_>, why: &'static str) -> RangeAnswer {
    let size = reader.properties().size;
    RangeAnswer::Whole { body: Box::new(reader.into_body()), size, why }
}

/// Another version has another checksum, or another number.
fn tag_of(properties: &ObjectProperties) -> Option<String> {
    let checksum = properties.checksum.as_ref().map(ToString::to_string);
    let tag = [checksum.as_deref(), properties.version.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!tag.is_empty()).then_some(tag)
}
