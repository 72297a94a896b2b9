//! What can be done with a bucket.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use web::Method;

use crate::bucket_properties::BucketProperties;
use crate::call::{ApiCall, body, body_text, encoded, unreadable};
use crate::client::Client;
use crate::headers::{self, BUCKET_PROPERTIES};
use crate::names::{BucketMessage, invalid};
use crate::{Bucket, Error, JobHandle, ObjectHandle, ObjectName, Provider, RefusalKind};

/// One bucket, there or not.
#[derive(Clone, Debug)]
pub struct BucketHandle<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: Bucket,
}

/// How a bucket is created. By default an existing one is an error.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    /// Succeed when the bucket is there.
    pub exist_ok: bool,
    /// Properties other than the cluster's defaults, such as `{"checksum": {"type": "md5"}}`.
    pub properties: Option<Value>,
    /// Register a bucket of a cloud without looking whether it is there.
    pub skip_look_up: bool,
}

/// How a bucket is removed. By default a missing one is an error.
#[derive(Clone, Copy, Debug, Default)]
pub struct DestroyOptions {
    /// Succeed when the bucket is not there.
    pub missing_ok: bool,
}

/// Which objects of a bucket are copied, and under which names. By default all, under their own.
#[derive(Clone, Debug, Default)]
pub struct CopyBucketOptions {
    /// Only objects whose names begin so.
    pub prefix: String,
    /// What the names of the copies begin with.
    pub prepend: String,
    /// Change nothing, count only.
    pub dry_run: bool,
    /// Copy what is newer remotely.
    pub latest: bool,
    /// Also remove what is not in the source any more.
    pub synchronize: bool,
}

/// How the cluster lets go of a remote bucket; what is in the cloud stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct EvictOptions {
    /// The cluster goes on knowing the bucket.
    pub keep_properties: bool,
}

/// Which buckets count: where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketPresence {
    Anywhere,
    InCluster,
    OnlyOutside,
}

impl BucketPresence {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Anywhere => 0,
            Self::InCluster => 2,
            Self::OnlyOutside => 5,
        }
    }
}

/// What a summary counts, and how long to wait for it: 5 minutes by default.
#[derive(Clone, Debug)]
pub struct SummaryOptions {
    pub prefix: String,
    /// Also what a remote bucket has outside of the cluster.
    pub with_remote: bool,
    pub limit: Duration,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self { prefix: String::new(), with_remote: false, limit: Duration::from_secs(300) }
    }
}

/// How much is in a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketSummary {
    pub bucket: Bucket,
    /// Objects in the cluster.
    pub objects: u64,
    /// Size of these objects, in bytes.
    pub size: u64,
    /// Everything that the server says.
    pub raw: Value,
}

impl Client {
    /// What can be done with a bucket; nothing is asked.
    pub fn bucket(&self, bucket: Bucket) -> BucketHandle<'_> {
        BucketHandle::new(self, bucket)
    }

    /// The buckets of one provider, or of all.
    ///
    /// # Errors
    /// The server refuses, or there is no answer that makes sense.
    pub fn list_buckets(&self, of: Option<Provider>, presence: Option<BucketPresence>) -> Result<Vec<Bucket>, Error> {
        let mut query: Vec<_> = of.iter().map(|provider| ("provider", provider.to_string())).collect();
        query.extend(presence.map(|presence| ("presence", presence.number().to_string())));
        let call = ApiCall::new(Method::GET, "/v1/buckets".to_owned(), query).action("list", &());
        let request = call.shown();
        let bytes = body(&request, self.call(call)?)?;
        let messages: Option<Vec<BucketMessage>> =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(&request, error.to_string(), &bytes))?;
        messages.unwrap_or_default().iter().map(BucketMessage::bucket).collect()
    }
}

impl<'a> BucketHandle<'a> {
    pub(crate) fn new(client: &'a Client, bucket: Bucket) -> Self {
        Self { client, bucket }
    }

    /// Which bucket it is.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// What can be done with an object of it.
    ///
    /// # Errors
    /// The name is not valid.
    pub fn object(&self, name: &str) -> Result<ObjectHandle<'a>, Error> {
        Ok(ObjectHandle::new(self.client, self.bucket.clone(), ObjectName::new(name)?))
    }

    pub(crate) fn new_call(&self, method: Method) -> ApiCall {
        ApiCall::new(method, format!("/v1/buckets/{}", encoded(self.bucket.name())), self.bucket.query())
    }

    /// # Errors
    /// [`RefusalKind::AlreadyExists`] unless that is fine, and whatever else the server says.
    pub fn create(&self, options: &CreateOptions) -> Result<(), Error> {
        let mut call = self.new_call(Method::POST).action("create-bck", &options.properties);
        if options.skip_look_up {
            call.query.push(("dont_head_remote_bck", "true".to_owned()));
        }
        match self.client.call(call) {
            Err(error) if options.exist_ok && error.is(RefusalKind::AlreadyExists) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Removes the bucket with all that is in it.
    ///
    /// # Errors
    /// [`RefusalKind::BucketNotFound`] unless that is fine, and whatever else the server says.
    pub fn destroy(&self, options: &DestroyOptions) -> Result<(), Error> {
        match self.client.call(self.new_call(Method::DELETE).action("destroy-bck", &())) {
            Err(error) if options.missing_ok && error.is(RefusalKind::BucketNotFound) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Begins to give it another name; wait for the job.
    ///
    /// # Errors
    /// [`RefusalKind::AlreadyExists`] when there is a bucket of that name.
    pub fn rename(&self, to: &Bucket) -> Result<JobHandle<'a>, Error> {
        let mut call = self.new_call(Method::POST).action("move-bck", &());
        call.query.push(("bck_to", to.flat_name()));
        self.job(call)
    }

    /// Begins to copy its objects to another bucket, which is made if it is not there; wait for the job.
    ///
    /// # Errors
    /// What the server says.
    pub fn copy(&self, to: &Bucket, options: &CopyBucketOptions) -> Result<JobHandle<'a>, Error> {
        let value = json!({
            "prefix": options.prefix,
            "prepend": options.prepend,
            "dry_run": options.dry_run,
            "latest-ver": options.latest,
            "synchronize": options.synchronize,
        });
        let mut call = self.new_call(Method::POST).action("copy-bck", &value);
        call.query.push(("bck_to", to.flat_name()));
        self.job(call)
    }

    /// Forgets what the cluster holds of a remote bucket.
    ///
    /// # Errors
    /// The bucket is AIStore's own; what the server says.
    pub fn evict(&self, options: &EvictOptions) -> Result<(), Error> {
        if self.bucket.provider() == Provider::Ais && self.bucket.namespace().uuid().is_empty() {
            let name = self.bucket.to_string();
            return Err(invalid("bucket to evict", &name, "nothing else has its objects; destroy it instead"));
        }
        let mut call = self.new_call(Method::DELETE).action("evict-remote-bck", &());
        call.query.push(("keep_bck_md", options.keep_properties.to_string()));
        self.client.call(call).map(drop)
    }

    /// # Errors
    /// [`RefusalKind::BucketNotFound`], and whatever else the server says.
    pub fn properties(&self) -> Result<BucketProperties, Error> {
        let call = self.new_call(Method::HEAD);
        let request = call.shown();
        let answer = self.client.call(call)?;
        let text = headers::text(answer.headers(), BUCKET_PROPERTIES).unwrap_or_default();
        let properties =
            serde_json::from_str(text).map_err(|error| unreadable(&request, error.to_string(), text.as_bytes()))?;
        Ok(BucketProperties(properties))
    }

    /// # Errors
    /// What the server says, a missing bucket aside.
    pub fn exists(&self) -> Result<bool, Error> {
        match self.client.call(self.new_call(Method::HEAD)) {
            Ok(_) => Ok(true),
            Err(error) if error.refusal().is_some_and(|refusal| refusal.status == 404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes the properties that `change` names, such as `{"versioning": {"enabled": false}}`.
    ///
    /// # Errors
    /// What the server says.
    pub fn set_properties(&self, change: &Value) -> Result<Option<JobHandle<'a>>, Error> {
        self.perhaps_job(self.new_call(Method::PATCH).action("set-bprops", change))
    }

    /// Back to the cluster's defaults.
    ///
    /// # Errors
    /// What the server says.
    pub fn reset_properties(&self) -> Result<Option<JobHandle<'a>>, Error> {
        self.perhaps_job(self.new_call(Method::PATCH).action("reset-bprops", &()))
    }

    /// Counts what is in it, and waits until that is done.
    ///
    /// # Errors
    /// What the server says; it takes longer than the limit.
    pub fn summary(&self, options: &SummaryOptions) -> Result<BucketSummary, Error> {
        let begun = Instant::now();
        let mut uuid = String::new();
        loop {
            let value = json!({
                "uuid": uuid,
                "prefix": options.prefix,
                "cached": !options.with_remote,
                "present": !options.with_remote,
            });
            let call = self.new_call(Method::GET).action("summary-bck", &value);
            let request = call.shown();
            let answer = self.client.call(call)?;
            let status = answer.status().as_u16();
            if status == 200 {
                return self.read_summary(&request, &body(&request, answer)?);
            }
            if uuid.is_empty() {
                uuid = body_text(&request, answer)?;
            }
            if begun.elapsed() > options.limit {
                return Err(Error::JobUnfinished { job: uuid, limit: options.limit });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn read_summary(&self, request: &str, bytes: &[u8]) -> Result<BucketSummary, Error> {
        #[derive(Deserialize)]
        struct SummaryRow {
            #[serde(flatten)]
            bucket: BucketMessage,
            #[serde(flatten)]
            rest: serde_json::Map<String, Value>,
        }
        let rows: Option<Vec<SummaryRow>> =
            serde_json::from_slice(bytes).map_err(|error| unreadable(request, error.to_string(), bytes))?;
        let Some(row) = rows.unwrap_or_default().into_iter().next() else {
            return Ok(BucketSummary { bucket: self.bucket.clone(), objects: 0, size: 0, raw: Value::Null });
        };
        let raw = Value::Object(row.rest);
        let number = |path: &str| {
            let value = raw.pointer(path);
            value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok())).unwrap_or(0)
        };
        let (objects, size) = (number("/ObjCount/obj_count_present"), number("/TotalSize/size_all_present_objs"));
        Ok(BucketSummary { bucket: row.bucket.bucket()?, objects, size, raw })
    }

    pub(crate) fn job(&self, call: ApiCall) -> Result<JobHandle<'a>, Error> {
        let request = call.shown();
        let id = body_text(&request, self.client.call(call)?)?;
        if id.is_empty() {
            return Err(unreadable(&request, "it names no job", &[]));
        }
        Ok(self.client.job(&id))
    }

    pub(crate) fn perhaps_job(&self, call: ApiCall) -> Result<Option<JobHandle<'a>>, Error> {
        let request = call.shown();
        let id = body_text(&request, self.client.call(call)?)?;
        Ok((!id.is_empty()).then(|| self.client.job(&id)))
    }
}
