//! The location of an artifact: a web server, an AIStore cluster or this machine. All supply the manifest and ranges of
//! bytes.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use url::Url;
use vocab::{Event, manifest_beside, manifest_name, open_regular};
use web::{Retries, WebAnswer, WebFailure, header, may_pass, without_secrets};

use super::answer::{MAX_MANIFEST, RangeAnswer, content_range, read_bounded};
use super::bucket::{self, BucketObject};
use super::cluster::ClusterObject;
use super::server::{ServerSetback, WebOrigin};
use super::{FetchError, FetchErrorKind, FetchSettings, FetchWatch};

pub(super) enum ArtifactOrigin {
    Web(Box<WebOrigin>),
    Cluster(Box<ClusterObject>),
    Bucket(Box<BucketObject>),
    Disk(PathBuf),
}

impl ArtifactOrigin {
    pub(super) fn new(place: &str, settings: &FetchSettings) -> Result<Self, FetchErrorKind> {
        if place.starts_with(CLUSTER) {
            return Ok(Self::Cluster(Box::new(ClusterObject::new(place, settings)?)));
        }
        if is_bucket(place) {
            return Ok(Self::Bucket(Box::new(BucketObject::new(place, settings)?)));
        }
        if let Some(path) = path_of(place) {
            return Ok(Self::Disk(path));
        }
        let refuse = |reason: String| FetchErrorKind::Place { reason };
        let url = Url::parse(place).map_err(|error| refuse(error.to_string()))?;
        match url.scheme() {
            "http" | "https" => Ok(Self::Web(Box::new(WebOrigin::new(url, settings)))),
            other => Err(refuse(format!("the URL scheme is `{other}`; use http, https, file, s3 or ais"))),
        }
    }

    /// In a form that may be shown.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Disk(path) => path.display().to_string(),
            Self::Web(web) => without_secrets(web.url().as_str()),
            Self::Cluster(cluster) => cluster.place(),
            Self::Bucket(bucket) => bucket.place().to_owned(),
        }
    }

    /// The text of the manifest beside the artifact.
    pub(super) fn manifest(&self, settings: &FetchSettings, watch: &FetchWatch<'_>) -> Result<Vec<u8>, FetchErrorKind> {
        match self {
            Self::Disk(path) => manifest_on_disk(path),
            Self::Web(web) => {
                let mut url = web.url().clone();
                url.set_path(&manifest_name(url.path()));
                repeat(settings, watch, &without_secrets(url.as_str()), || manifest_on_web(web, &url))
            }
            Self::Cluster(cluster) => {
                let manifest = cluster.manifest();
                let place = manifest.place();
                let text = repeat(settings, watch, &place, || manifest.small())?;
                text.ok_or(FetchErrorKind::NoManifest { place })
            }
            Self::Bucket(bucket) => {
                let place = manifest_name(bucket.place());
                let text = repeat(settings, watch, &place, || bucket.small(true))?;
                text.ok_or(FetchErrorKind::NoManifest { place })
            }
        }
    }

    /// A whole small file.
    pub(super) fn small(&self, settings: &FetchSettings, watch: &FetchWatch<'_>) -> Result<Vec<u8>, FetchErrorKind> {
        match self {
            Self::Disk(path) => {
                let text = read_bounded(open(path)?);
                let text = text.map_err(|source| FetchErrorKind::Read { path: path.clone(), source })?;
                text.ok_or(FetchErrorKind::LargeManifest { limit: MAX_MANIFEST })
            }
            Self::Web(web) => match repeat(settings, watch, &self.place(), || manifest_on_web(web, web.url())) {
                Err(FetchErrorKind::NoManifest { place }) => Err(FetchErrorKind::Status { status: 404, place }),
                result => result,
            },
            Self::Cluster(cluster) => {
                let text = repeat(settings, watch, &self.place(), || cluster.small())?;
                text.ok_or_else(|| FetchErrorKind::Status { status: 404, place: self.place() })
            }
            Self::Bucket(bucket) => {
                let text = repeat(settings, watch, &self.place(), || bucket.small(false))?;
                text.ok_or_else(|| FetchErrorKind::Status { status: 404, place: self.place() })
            }
        }
    }

    /// Requests bytes of an artifact of `size` bytes. With `tag`, an answer about another file is
    /// [`FetchErrorKind::Replaced`].
    pub(super) fn range(&self, range: Range<u64>, size: u64, tag: Option<&str>) -> Result<RangeAnswer, ServerSetback> {
        match self {
            Self::Disk(path) => Ok(range_on_disk(path, &range)?),
            Self::Web(web) => {
                let mut headers = vec![(header::RANGE, format!("bytes={}-{}", range.start, range.end - 1))];
                // Only a strong tag guarantees equal bytes (RFC 9110, 13.1.5).
                if let Some(tag) = tag.filter(|tag| tag.starts_with('"')) {
                    headers.push((header::IF_RANGE, tag.to_owned()));
                }
                range_of(web, web.get(web.url(), &headers)?, &range, size, tag)
            }
            Self::Cluster(cluster) => cluster.range(&range, tag),
            Self::Bucket(bucket) => bucket.range(&range, size, tag),
        }
    }

    pub(super) fn whole(&self) -> Result<RangeAnswer, ServerSetback> {
        match self {
            Self::Disk(path) => Ok(RangeAnswer::Whole { body: Box::new(open(path)?), size: None, why: "" }),
            Self::Web(web) => match web.get(web.url(), &[])? {
                answer if answer.status().as_u16() == 200 => Ok(whole_of(answer, "")),
                answer => Err(status_setback(&answer, web.url())),
            },
            Self::Cluster(cluster) => cluster.whole(),
            Self::Bucket(bucket) => bucket.whole(),
        }
    }
}

/// How the address of a place in an AIStore cluster begins.
const CLUSTER: &str = "ais://";

/// Whether the place is in a bucket, so that its address has settings in its query and no escapes.
pub fn is_bucket(place: &str) -> bool {
    bucket::SCHEMES.iter().any(|scheme| place.starts_with(scheme))
}

/// Whether a network is needed to read it.
pub fn is_remote(place: &str) -> bool {
    let place = place.to_ascii_lowercase();
    is_bucket(&place) || ["http://", "https://", CLUSTER].iter().any(|scheme| place.starts_with(scheme))
}

/// The place as it may be remembered and compared: without user and password, and without the query of a web address,
/// which may hold a token. A path becomes absolute.
pub fn remembered(place: &str) -> String {
    let text = if place.starts_with(CLUSTER) || is_bucket(place) {
        // The query has the server and its settings; a user or password in it is refused.
        web::without_credentials(place)
    } else if is_remote(place) {
        without_secrets(place)
    } else {
        let absolute = path_of(place).and_then(|path| std::path::absolute(path).ok());
        return absolute.map_or_else(|| without_secrets(place), |path| path.display().to_string());
    };
    text.trim_end_matches('/').to_owned()
}

/// Whether this is a place that something can be fetched from; makes no request.
pub fn check_place(place: &str, settings: &FetchSettings) -> Result<(), FetchError> {
    // An object's name, since places of objects are not objects themselves.
    let (base, query) = place.split_at(place.find('?').unwrap_or(place.len()));
    let object = if is_remote(place) { format!("{}/x{query}", base.trim_end_matches('/')) } else { place.to_owned() };
    let checked = ArtifactOrigin::new(&object, settings);
    checked.map(drop).map_err(|kind| FetchError { place: without_secrets(place), kind })
}

/// The URL of the server that a place is asked of, for those that want to know how the bytes come. `None` for this
/// machine, and where no server is named.
pub fn server_of(place: &str, settings: &FetchSettings) -> Option<String> {
    if is_bucket(place) {
        return bucket::endpoint_of(place, settings);
    }
    if !place.starts_with(CLUSTER) {
        // A `file:` URL that is not a path on this system, such as one without a drive on Windows, names no server either.
        let is_file = place.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
        return (path_of(place).is_none() && !is_file).then(|| place.to_owned());
    }
    let named = aistore_client::Address::parse(place).ok()?.endpoint;
    named.or_else(|| settings.cluster.get("AIS_ENDPOINT"))
}

/// `None` for anything that is fetched over a network.
fn path_of(place: &str) -> Option<PathBuf> {
    // `C:\artifacts\x.zip` parses as a URL with the scheme `c`.
    if place.as_bytes().get(1) == Some(&b':') || !place.contains(':') {
        return Some(PathBuf::from(place));
    }
    match Url::parse(place) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        Ok(_) => None,
        Err(_) => (!place.contains("://")).then(|| PathBuf::from(place)),
    }
}

fn open(path: &Path) -> Result<File, FetchErrorKind> {
    open_regular(path).map_err(|source| FetchErrorKind::Read { path: path.to_owned(), source })
}

fn manifest_on_disk(path: &Path) -> Result<Vec<u8>, FetchErrorKind> {
    let beside = manifest_beside(path);
    let file = match open_regular(&beside) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(FetchErrorKind::NoManifest { place: beside.display().to_string() });
        }
        Err(source) => return Err(FetchErrorKind::Read { path: beside, source }),
    };
    match read_bounded(file) {
        Ok(text) => text.ok_or(FetchErrorKind::LargeManifest { limit: MAX_MANIFEST }),
        Err(source) => Err(FetchErrorKind::Read { path: beside, source }),
    }
}

fn manifest_on_web(web: &WebOrigin, url: &Url) -> Result<Vec<u8>, ServerSetback> {
    let answer = web.get(url, &[])?;
    match answer.status().as_u16() {
        200 => {}
        404 | 410 => return Err(FetchErrorKind::NoManifest { place: without_secrets(url.as_str()) }.into()),
        _ => return Err(status_setback(&answer, url)),
    }
    let length = header_text(&answer, &header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    let text = read_bounded(answer.into_body()).map_err(|error| ServerSetback::from(WebFailure::of_body(&error)))?;
    let text = text.ok_or(FetchErrorKind::LargeManifest { limit: MAX_MANIFEST })?;
    match length {
        Some(length) if text.len() < length => {
            Err(ServerSetback::passing(format!("the connection ended after {} of {length} bytes", text.len())))
        }
        _ => Ok(text),
    }
}

fn range_on_disk(path: &Path, range: &Range<u64>) -> Result<RangeAnswer, FetchErrorKind> {
    let mut file = open(path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(range.start))
        .map_err(|source| FetchErrorKind::Read { path: path.to_owned(), source })?;
    let body = Box::new(file.take(range.end - range.start));
    Ok(RangeAnswer::Range { body, end: range.end, tag: None })
}

fn range_of(
    web: &WebOrigin,
    answer: WebAnswer,
    range: &Range<u64>,
    size: u64,
    tag: Option<&str>,
) -> Result<RangeAnswer, ServerSetback> {
    let status = answer.status().as_u16();
    let its_tag = header_text(&answer, &header::ETAG).map(str::to_owned);
    if let (Some(before), Some(now), 200 | 206) = (tag, its_tag.as_deref(), status)
        && before != now
    {
        return Err(FetchErrorKind::Replaced.into());
    }
    match status {
        206 => {}
        200 => return Ok(whole_of(answer, "the server does not send single ranges")),
        416 => return Ok(RangeAnswer::NoRange { why: "the server says that it has no such range" }),
        _ => return Err(status_setback(&answer, web.url())),
    }
    let sent = header_text(&answer, &header::CONTENT_RANGE).and_then(content_range);
    match sent {
        Some(sent) if sent.is_of(range, size) => {
            Ok(RangeAnswer::Range { body: Box::new(answer.into_body()), end: sent.end, tag: its_tag })
        }
        _ => Ok(RangeAnswer::NoRange { why: "the server sends other ranges than it is asked for" }),
    }
}

fn whole_of(answer: WebAnswer, why: &'static str) -> RangeAnswer {
    let size = header_text(&answer, &header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    RangeAnswer::Whole { body: Box::new(answer.into_body()), size, why }
}

fn header_text<'a>(answer: &'a WebAnswer, name: &header::HeaderName) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn status_setback(answer: &WebAnswer, url: &Url) -> ServerSetback {
    let status = answer.status().as_u16();
    if may_pass(status) {
        return ServerSetback::Passing { reason: format!("the server answered {status}"), pause: answer.retry_after() };
    }
    ServerSetback::Final(FetchErrorKind::Status { status, place: without_secrets(url.as_str()) })
}

/// Makes as many attempts as the settings allow. `what` is for the events: the URL, without secrets.
pub(super) fn repeat<T>(
    settings: &FetchSettings,
    watch: &FetchWatch<'_>,
    what: &str,
    attempt: impl FnMut() -> Result<T, ServerSetback>,
) -> Result<T, FetchErrorKind> {
    let FetchSettings { attempts, first_pause, .. } = *settings;
    let check = || watch.check().map_err(ServerSetback::from);
    let again = |attempt, reason| {
        (watch.tell)(Event::Retry { what: what.to_owned(), attempt, of: attempts, reason });
    };
    Retries { attempts, first_pause }.run(&check, &again, attempt).map_err(|(attempts, setback)| match setback {
        ServerSetback::Final(kind) => kind,
        ServerSetback::Passing { reason, .. } => FetchErrorKind::Unreachable { reason, attempts },
    })
}
