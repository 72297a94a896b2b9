//! The calls of the first SDK for AIStore (2022), with what they meant then. New code takes
//! [`BucketHandle`](crate::BucketHandle) and [`ObjectHandle`](crate::ObjectHandle).

use std::path::Path;

use crate::names::invalid;
use crate::{
    Bucket, CreateOptions, DestroyOptions, Error, ListOptions, ListingEntry, ObjectContent, ObjectName, Provider,
    PutOptions, PutResult, Settings,
};

/// AIStore's own buckets, for `provider`.
pub const PROVIDER_AIS: &str = "ais";

/// A client with the former calls.
#[derive(Clone, Debug)]
pub struct Client {
    client: crate::Client,
}

/// What [`Client::list_objects`] may be told.
#[derive(Clone, Debug)]
pub struct ListObjects<'a> {
    pub provider: &'a str,
    pub prefix: &'a str,
    pub props: &'a str,
    /// So many in the order of names; 0 is all.
    pub count: i64,
    /// Names in one answer; 0 is `count`, or what the server finds right.
    pub page_size: i64,
}

impl Default for ListObjects<'_> {
    fn default() -> Self {
        Self { provider: PROVIDER_AIS, prefix: "", props: "", count: 0, page_size: 0 }
    }
}

impl Client {
    /// # Errors
    /// The endpoint is not a URL.
    pub fn new(endpoint: &str) -> Result<Self, Error> {
        Ok(Self::of(crate::Client::new(Settings::new(endpoint))?))
    }

    /// With the settings of a client that is there; they share its connections.
    pub fn of(client: crate::Client) -> Self {
        Self { client }
    }

    /// # Errors
    /// Also when the bucket is there.
    pub fn create_bucket(&self, bck_name: &str) -> Result<(), Error> {
        self.client.bucket(Bucket::new(bck_name)?).create(&CreateOptions::default())
    }

    /// # Errors
    /// Also when the bucket is not there.
    pub fn destroy_bucket(&self, bck_name: &str) -> Result<(), Error> {
        self.client.bucket(Bucket::new(bck_name)?).destroy(&DestroyOptions::default())
    }

    /// The buckets of one provider; `""` is all.
    ///
    /// # Errors
    /// What the server says.
    pub fn list_buckets(&self, provider: &str) -> Result<Vec<Bucket>, Error> {
        let provider = if provider.is_empty() { None } else { Some(provider.parse()?) };
        self.client.list_buckets(provider, None)
    }

    /// Puts a file. The former SDK gave headers; here they have names. AIStore answers without an ETag.
    ///
    /// # Errors
    /// The file cannot be read; what the server says.
    pub fn put_object(&self, bck_name: &str, obj_name: &str, path: &Path, provider: &str) -> Result<PutResult, Error> {
        let bucket = Bucket::new(bck_name)?.of(provider.parse::<Provider>()?);
        let object = self.client.bucket(bucket).object(ObjectName::new(obj_name)?.as_str())?;
        object.put(ObjectContent::file(path), &PutOptions::default())
    }

    /// # Errors
    /// A negative number; what the server says.
    pub fn list_objects(&self, bck_name: &str, options: &ListObjects<'_>) -> Result<Vec<ListingEntry>, Error> {
        let number = |what, value: i64| {
            let converted = usize::try_from(value).ok().filter(|number| u32::try_from(*number).is_ok());
            converted.ok_or_else(|| invalid(what, &value.to_string(), "it must be 0 or more"))
        };
        let (count, page_size) = (number("count", options.count)?, number("page_size", options.page_size)?);
        let bucket = self.client.bucket(Bucket::new(bck_name)?.of(options.provider.parse()?));
        let mut asked = ListOptions {
            prefix: options.prefix.to_owned(),
            properties: options.props.to_owned(),
            ..ListOptions::default()
        };
        let mut entries: Vec<ListingEntry> = Vec::new();
        let mut last = None;
        loop {
            let left = count.saturating_sub(entries.len());
            let wanted = match (count, page_size) {
                (0, size) => size,
                (_, 0) => left,
                (_, size) => left.min(size),
            };
            // Both were small enough above.
            asked.page_size = u32::try_from(wanted).unwrap_or(u32::MAX);
            let mut page = bucket.list_page(&asked, last.as_ref())?;
            entries.append(&mut page.entries);
            if page.token.is_empty() || (count > 0 && entries.len() >= count) {
                break;
            }
            last = Some(page);
        }
        if count > 0 {
            entries.truncate(count);
        }
        Ok(entries)
    }
}
