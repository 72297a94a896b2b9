//! What can be done with an object.

use serde_json::json;
use web::{Method, WebAnswer};

use crate::call::{ApiCall, body_text, encoded, encoded_path};
use crate::checksum::{Checksum, ChecksumKind};
use crate::client::Client;
use crate::content::PreparedContent;
use crate::custom_metadata::{self, CustomMetadata};
use crate::headers::{ACCESSED, APPEND_HANDLE, CHECKSUM_KIND, CHECKSUM_VALUE, CUSTOM, VERSION, number, text};
use crate::names::invalid;
use crate::{Bucket, ClusterNode, Error, JobHandle, ObjectContent, ObjectName, ObjectProperties, Reads};

/// One object, there or not.
#[derive(Clone, Debug)]
pub struct ObjectHandle<'a> {
    pub(crate) client: &'a Client,
    bucket: Bucket,
    name: ObjectName,
}

/// How an object is put. By default a checksum of AIStore's default kind is computed and compared.
#[derive(Clone, Debug)]
pub struct PutOptions {
    /// Known already; the server refuses other bytes.
    pub checksum: Option<Checksum>,
    /// Computed from what is sent, where none is known already. Small content has it sent along; the server's answer is
    /// compared with it in any case. Best the bucket's own kind: others cannot be compared.
    pub checksum_kind: Option<ChecksumKind>,
    pub custom: CustomMetadata,
    /// Do not look at the version that is there.
    pub skip_version_check: bool,
}

impl Default for PutOptions {
    fn default() -> Self {
        let (custom, kind) = (CustomMetadata::new(), Some(ChecksumKind::default()));
        Self { checksum: None, checksum_kind: kind, custom, skip_version_check: false }
    }
}

/// What the server says about an object that it stored. There is no ETag: AIStore gives none here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutResult {
    /// `None` for a kind that is not known here.
    pub checksum: Option<Checksum>,
    /// "1" and so on, in buckets with versions.
    pub version: Option<String>,
    /// In nanoseconds since 1970.
    pub accessed: Option<u64>,
    /// Whether the server's checksum was compared with that of what was sent.
    pub is_verified: bool,
}

/// What is asked about an object.
#[derive(Clone, Debug, Default)]
pub struct HeadOptions {
    /// Separated by commas: `size,version,checksum,atime,copies,ec,custom,location,chunked,last-modified,etag`. Empty:
    /// everything but the last two.
    pub properties: String,
}

/// What happens to custom metadata that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataUpdate {
    #[default]
    Merge,
    Replace,
}

/// Where appending goes on. Opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendHandle(String);

/// How an object is copied within the cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct CopyOptions {
    /// In a remote bucket, look whether there is something newer.
    pub latest: bool,
    /// Also remove the copy when the source is not there any more.
    pub synchronize: bool,
}

/// How files of a target become objects. By default each target takes part, with its files alone and not those in folders.
#[derive(Clone, Debug, Default)]
pub struct PromoteOptions {
    /// By this target alone.
    pub target: String,
    pub recursive: bool,
    /// Replace objects that are there.
    pub overwrite: bool,
    /// Remove the files afterwards.
    pub delete_source: bool,
    /// Each target has files of its own there.
    pub is_not_shared: bool,
}

impl<'a> ObjectHandle<'a> {
    pub(crate) fn new(client: &'a Client, bucket: Bucket, name: ObjectName) -> Self {
        Self { client, bucket, name }
    }

    /// Its name in the bucket; the server was not asked whether it exists.
    pub fn name(&self) -> &ObjectName {
        &self.name
    }

    /// The bucket that it is in.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// `ais/@#/demo/a`
    fn flat_name(&self) -> String {
        format!("{}{}", self.bucket.flat_name(), self.name)
    }

    pub(crate) fn new_call(&self, method: Method) -> ApiCall {
        let path = format!("/v1/objects/{}/{}", encoded(self.bucket.name()), encoded_path(self.name.as_str()));
        ApiCall::new(method, path, self.bucket.query())
    }

    /// # Errors
    /// The content cannot be read, the server refuses, or has other bytes afterwards.
    pub fn put(&self, content: ObjectContent, options: &PutOptions) -> Result<PutResult, Error> {
        custom_metadata::check(&options.custom)?;
        let mut call = self.new_call(Method::PUT);
        call.is_repeatable = true;
        for (name, value) in &options.custom {
            call.header(CUSTOM, format!("{name}={value}"));
        }
        if options.skip_version_check {
            call.query.push(("skip_vc", "true".to_owned()));
        }
        let (answer, sent) = self.send(call, content, options.checksum.as_ref(), options.checksum_kind)?;
        let checksum = Checksum::of_headers(answer.headers());
        let is_verified = match (&checksum, sent) {
            (Some(actual), Some(expected)) if actual.kind == expected.kind => {
                if actual.value != expected.value {
                    let (request, actual) = (format!("PUT {}/{}", self.bucket, self.name), actual.clone());
                    return Err(Error::Mismatch { request, expected, actual });
                }
                true
            }
            _ => false,
        };
        let headers = answer.headers();
        let version = text(headers, VERSION).map(str::to_owned);
        Ok(PutResult { checksum, version, accessed: number(headers, ACCESSED), is_verified })
    }

    /// The answer, and the checksum of what was sent.
    pub(crate) fn send(
        &self,
        mut call: ApiCall,
        content: ObjectContent,
        known: Option<&Checksum>,
        kind: Option<ChecksumKind>,
    ) -> Result<(WebAnswer, Option<Checksum>), Error> {
        let PreparedContent { content, again, checksum, sent } = content.prepare(kind.filter(|_| known.is_none()))?;
        let checksum = known.cloned().or(checksum);
        if let Some(checksum) = &checksum {
            call.header(CHECKSUM_KIND, checksum.kind.as_str());
            call.header(CHECKSUM_VALUE, &checksum.value);
        }
        (call.content, call.again) = (Some(content), again);
        let answer = self.client.call(call)?;
        Ok((answer, checksum.or_else(|| sent.checksum())))
    }

    /// From the target itself where that is wished; where it fails, the way that always works.
    pub(crate) fn read(&self, call: impl Fn() -> ApiCall) -> Result<WebAnswer, Error> {
        if self.client.settings().reads == Reads::Direct {
            let map = self.client.known_map()?;
            let server = map.target_of(&self.bucket, &self.name).ok().and_then(ClusterNode::server);
            if let Some(answer) = server.and_then(|server| self.client.try_once(&server, call()).ok()) {
                return Ok(answer);
            }
            self.client.forget_map();
        }
        self.client.call(call())
    }

    /// # Errors
    /// [`crate::RefusalKind::ObjectNotFound`], and whatever else the server says.
    pub fn properties(&self, options: &HeadOptions) -> Result<ObjectProperties, Error> {
        let make = || {
            let mut call = self.new_call(Method::HEAD);
            if !options.properties.is_empty() {
                call.query.push(("props", options.properties.clone()));
            }
            call
        };
        Ok(ObjectProperties::of_headers(self.read(make)?.headers()))
    }

    /// # Errors
    /// What the server says, a missing object aside.
    pub fn exists(&self) -> Result<bool, Error> {
        match self.properties(&HeadOptions { properties: "size".to_owned() }) {
            Ok(_) => Ok(true),
            Err(error) if error.is(crate::RefusalKind::ObjectNotFound) => Ok(false),
            // Some answers to HEAD say nothing but that.
            Err(error) if error.refusal().is_some_and(|it| it.status == 404 && it.type_code.is_none()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// [`crate::RefusalKind::ObjectNotFound`], and whatever else the server says.
    pub fn delete(&self) -> Result<(), Error> {
        self.client.call(self.new_call(Method::DELETE)).map(drop)
    }

    /// # Errors
    /// A name or value that cannot be read again; what the server says.
    pub fn set_custom(&self, metadata: &CustomMetadata, update: MetadataUpdate) -> Result<(), Error> {
        custom_metadata::check(metadata)?;
        let mut call = self.new_call(Method::PATCH).action("", metadata);
        call.is_repeatable = true;
        if update == MetadataUpdate::Replace {
            call.query.push(("set-new-custom", "true".to_owned()));
        }
        self.client.call(call).map(drop)
    }

    /// Adds to the object, or begins one. Nothing is visible before [`ObjectHandle::finish_append`]. Never tried again
    /// after a broken connection: the bytes could be there twice.
    ///
    /// # Errors
    /// What the server says.
    pub fn append(&self, content: ObjectContent, after: Option<&AppendHandle>) -> Result<AppendHandle, Error> {
        let mut call = self.new_call(Method::PUT);
        call.query.push(("append_type", "append".to_owned()));
        call.query.push(("append_handle", after.map_or_else(String::new, |handle| handle.0.clone())));
        let request = call.shown();
        let (answer, _) = self.send(call, content, None, None)?;
        let handle = text(answer.headers(), APPEND_HANDLE).filter(|handle| !handle.is_empty());
        let handle =
            handle.ok_or_else(|| crate::call::unreadable(&request, "it has no handle to continue with", &[]))?;
        Ok(AppendHandle(handle.to_owned()))
    }

    /// Makes visible what was appended.
    ///
    /// # Errors
    /// What the server says.
    pub fn finish_append(&self, handle: &AppendHandle) -> Result<(), Error> {
        let mut call = self.new_call(Method::PUT);
        call.query.push(("append_type", "flush".to_owned()));
        call.query.push(("append_handle", handle.0.clone()));
        self.client.call(call).map(drop)
    }

    /// Within the cluster; its bytes do not come here.
    ///
    /// # Errors
    /// The new name holds `#`, `?` or `%`; what the server says.
    pub fn copy(&self, to: &ObjectHandle<'_>, options: &CopyOptions) -> Result<(), Error> {
        check_new_name(&to.name)?;
        let mut call = self.new_call(Method::PUT);
        call.is_repeatable = true;
        call.query.push(("object_to", to.flat_name()));
        call.query.push(("latest-ver", options.latest.to_string()));
        call.query.push(("synchronize", options.synchronize.to_string()));
        self.client.call(call).map(drop)
    }

    /// In the same bucket.
    ///
    /// # Errors
    /// The new name holds `#`, `?` or `%`; what the server says.
    pub fn rename(&self, to: &ObjectName) -> Result<(), Error> {
        check_new_name(to)?;
        let mut call = self.new_call(Method::POST);
        call.named_action("rename-obj", to.as_str(), &());
        self.client.call(call).map(drop)
    }

    /// Makes an object of a file that a target has already, or objects of a folder. AIStore 1.5.0 takes them from below
    /// `/var/lib/ais/promote` only.
    ///
    /// # Errors
    /// What the server says.
    pub fn promote(&self, source: &str, options: &PromoteOptions) -> Result<Option<JobHandle<'a>>, Error> {
        let value = json!({
            "tid": options.target,
            "src": source,
            "obj": self.name.as_str(),
            "rcr": options.recursive,
            "ovw": options.overwrite,
            "dls": options.delete_source,
            "notshr": options.is_not_shared,
        });
        let path = format!("/v1/objects/{}", encoded(self.bucket.name()));
        let mut call = ApiCall::new(Method::POST, path, self.bucket.query());
        call.named_action("promote", source, &value);
        let request = call.shown();
        let id = body_text(&request, self.client.call(call)?)?;
        Ok((!id.is_empty()).then(|| self.client.job(&id)))
    }
}

/// Where an object moves to another target under a new name, AIStore 1.5.0 sends the name without encoding it, answers
/// 200, and has written another object.
fn check_new_name(name: &ObjectName) -> Result<(), Error> {
    if name.as_str().contains(['#', '?', '%']) {
        let reason =
            "AIStore loses objects that are copied or renamed to names with `#`, `?` or `%`; put the object instead";
        return Err(invalid("new name", name.as_str(), reason));
    }
    Ok(())
}
