//! A place of objects in an AIStore cluster, by its native API: `ais://bucket/prefix?endpoint=http://host:port`.
//!
//! AIStore has no conditional writes, so [`Place::conditional_puts`](objects::Place::conditional_puts) is false: `create`
//! and `replace` look first, and a
//! publisher that derives something from what is there looks again after it was written. Nor does it copy ranges or list which
//! uploads in parts were begun: a new version is sent whole, and an interrupted upload from its beginning.
//!
//! ```
//! use objects::{Place as _, PlaceAddress};
//! use objects_aistore::AistorePlace;
//!
//! let address = PlaceAddress::parse("ais://runtimes/python?endpoint=http://127.0.0.1:51080", "--to")?;
//! let PlaceAddress::Cluster(address) = address else { unreachable!("the scheme says it") };
//! let place = AistorePlace::open(&address, "--to", &|_| None)?; // nothing is asked yet
//! assert!(place.place().starts_with("ais://runtimes/python"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod failure;
mod upload;

use std::io::{self, Write};
use std::ops::Range as Bytes;
use std::sync::OnceLock;
use std::time::SystemTime;

use aistore_client::{
    Address, BucketHandle, ByteRange, ChecksumKind, Client, Error, GetOptions, HeadOptions, ListOptions, ObjectContent,
    ObjectHandle, ObjectProperties, PutOptions, RefusalKind, Settings,
};
use objects::{
    Engine, ExpectedState, ListedObject, Object, ObjectHead, ObjectKey, ObjectTag, ObjectUpload, PlaceAddressError,
    PlaceAddressErrorKind, PlaceErrorKind as Kind, TransferWatch, TransferWork, UNWATCHED, UploadOutcome, pass_on,
    unwritten,
};

use failure::kind_of;

/// What is read at once: indexes and manifests have a few megabytes at most.
const LARGEST_READ: u64 = 256 << 20;

/// Days and hours as Go writes them down.
const TIME_FORMAT: &str = "2006-01-02T15:04:05Z07:00";

type ClusterResult<T> = std::result::Result<T, Kind>;

/// A bucket of a cluster, or what lies below a prefix in it. One client for all of its requests.
#[derive(Debug)]
pub struct AistorePlace {
    client: Client,
    bucket: aistore_client::Bucket,
    /// Ends with `/`, or is empty.
    prefix: String,
    place: String,
    /// The bucket's kind of checksum, with which puts are compared.
    checksum_kind: OnceLock<ChecksumKind>,
}

impl AistorePlace {
    /// Makes no request. `given` says in messages where the address came from; `variable` gives the values of AIStore's
    /// variables: endpoint, token, TLS, limits.
    ///
    /// # Errors
    /// There is no endpoint, a variable is not understood, or a file that one names cannot be read.
    pub fn open(
        address: &Address,
        given: &'static str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> std::result::Result<Self, PlaceAddressError> {
        let failed = |error: Error| PlaceAddressError {
            given: given.to_owned(),
            kind: PlaceAddressErrorKind::Cluster { reason: error.to_string() },
        };
        let settings = Settings::of(address.endpoint.as_deref(), variable).map_err(failed)?;
        Self::with(address, settings).map_err(failed)
    }

    /// As [`AistorePlace::open`]; the endpoint is that of the settings.
    ///
    /// # Errors
    /// The endpoint is not a URL.
    pub fn with(address: &Address, settings: Settings) -> std::result::Result<Self, Error> {
        let place = address.to_string();
        let prefix = if address.prefix.is_empty() { String::new() } else { format!("{}/", address.prefix) };
        let client = Client::new(settings)?;
        Ok(Self { client, bucket: address.bucket.clone(), prefix, place, checksum_kind: OnceLock::new() })
    }

    fn bucket(&self) -> BucketHandle<'_> {
        self.client.bucket(self.bucket.clone())
    }

    fn object(&self, key: &ObjectKey) -> ClusterResult<ObjectHandle<'_>> {
        self.bucket().object(&format!("{}{key}", self.prefix)).map_err(kind_of)
    }

    fn put_options(&self) -> ClusterResult<PutOptions> {
        Ok(PutOptions { checksum_kind: Some(self.checksum_kind()?), ..PutOptions::default() })
    }

    /// Whether a put may be made. The cluster knows no conditions, so looking right before it is all that can be done.
    fn holds(&self, key: &ObjectKey, expected: &ExpectedState) -> ClusterResult<bool> {
        Ok(*expected == ExpectedState::Anything
            || expected.holds(self.head(key, UNWATCHED)?.map(|head| head.tag).as_ref()))
    }

    /// Asked for once.
    fn checksum_kind(&self) -> ClusterResult<ChecksumKind> {
        if let Some(kind) = self.checksum_kind.get() {
            return Ok(*kind);
        }
        let found = self.bucket().properties().map_err(kind_of)?.checksum().unwrap_or_default();
        Ok(*self.checksum_kind.get_or_init(|| found))
    }
}

impl Engine for AistorePlace {
    type Failure = Kind;

    fn place(&self) -> &str {
        &self.place
    }

    fn get(&self, key: &ObjectKey) -> ClusterResult<Option<Object>> {
        let Some(reader) = absent(self.object(key)?.get(&GetOptions::default()))? else { return Ok(None) };
        let tag = tag_of(reader.properties());
        let size = reader.properties().size.unwrap_or(0);
        if size > LARGEST_READ {
            return Err(Kind::TooLarge { size, limit: LARGEST_READ });
        }
        Ok(Some(Object { bytes: reader.bytes().map_err(kind_of)?, tag }))
    }

    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Bytes<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> ClusterResult<Option<u64>> {
        watch()?;
        let range =
            range.map(|range| ByteRange::Of { start: range.start, length: range.end.saturating_sub(range.start) });
        if matches!(range, Some(ByteRange::Of { length: 0, .. })) {
            return Ok(self.head(key, watch)?.map(|_| 0));
        }
        let options = GetOptions { range, ..GetOptions::default() };
        let Some(reader) = absent(self.object(key)?.get(&options))? else { return Ok(None) };
        let unread = |error: io::Error| match error.downcast::<Error>() {
            Ok(error) => kind_of(error),
            Err(error) => Kind::Unreachable { reason: error.to_string() },
        };
        pass_on(reader, to, &mut |_| watch(), unread, unwritten(key)).map(Some)
    }

    fn head(&self, key: &ObjectKey, _watch: TransferWatch<'_>) -> ClusterResult<Option<ObjectHead>> {
        let options = HeadOptions { properties: "size,version,checksum".to_owned() };
        let Some(found) = absent(self.object(key)?.properties(&options))? else { return Ok(None) };
        let size = found.size.ok_or_else(|| Kind::Nonsense { said: "an object without a size".to_owned() })?;
        Ok(Some(ObjectHead { size, tag: tag_of(&found) }))
    }

    fn list(&self, prefix: &str) -> ClusterResult<Vec<ListedObject>> {
        let options = ListOptions {
            prefix: format!("{}{prefix}", self.prefix),
            properties: "name,size,atime".to_owned(),
            time_format: TIME_FORMAT.to_owned(),
            ..ListOptions::default()
        };
        let mut rows = Vec::new();
        for entry in self.bucket().list(&options) {
            let entry = entry.map_err(kind_of)?;
            // Not an object of ours.
            let Some(key) = entry.name.strip_prefix(&self.prefix).and_then(|name| name.parse().ok()) else { continue };
            // The cluster remembers when an object was read last, which is not before it was written.
            let read = entry.atime.parse::<jiff::Timestamp>().ok().map(SystemTime::from);
            rows.push(ListedObject { key, size: entry.size, modified: read.unwrap_or_else(SystemTime::now) });
        }
        Ok(rows)
    }

    /// Somebody may write between the look and the put.
    fn put(&self, key: &ObjectKey, bytes: &[u8], expected: &ExpectedState) -> ClusterResult<bool> {
        let holds = self.holds(key, expected)?;
        if holds {
            let content = ObjectContent::bytes(bytes.to_vec());
            self.object(key)?.put(content, &self.put_options()?).map_err(kind_of)?;
        }
        Ok(holds)
    }

    fn delete(&self, key: &ObjectKey) -> ClusterResult<bool> {
        Ok(absent(self.object(key)?.delete())?.is_some())
    }

    fn upload(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> ClusterResult<UploadOutcome> {
        self.bring(upload, work)
    }

    fn conditional_puts(&self) -> ClusterResult<bool> {
        Ok(false)
    }

    // Uploads that were begun in parts cannot be listed; the cluster forgets them by itself.
}

/// Another version has another number where the bucket has versions, and in any case another checksum.
fn tag_of(properties: &ObjectProperties) -> ObjectTag {
    let version = properties.version.as_deref().unwrap_or_default();
    let checksum = properties.checksum.as_ref().map(ToString::to_string).unwrap_or_default();
    ObjectTag(format!("{version} {checksum}"))
}

fn absent<T>(outcome: std::result::Result<T, Error>) -> ClusterResult<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is(RefusalKind::ObjectNotFound) => Ok(None),
        // Some answers to HEAD say nothing but that.
        Err(error) if error.refusal().is_some_and(|it| it.status == 404 && it.type_code.is_none()) => Ok(None),
        Err(error) => Err(kind_of(error)),
    }
}
