//! What can be done with many objects of a bucket at once.

use serde_json::{Value, json};
use web::Method;

use crate::call::body_text;
use crate::{Bucket, BucketHandle, Error, JobHandle, ObjectName};

/// Which objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectGroup {
    Names(Vec<ObjectName>),
    /// With ranges as shells have them: `shard-{000..009}.tar`, `{000..100..5}`; without any, what names begin with.
    Template(String),
}

/// How a group of objects is copied. By default it ends at the first error.
#[derive(Clone, Debug, Default)]
pub struct CopyGroupOptions {
    /// Before the names of the copies.
    pub prepend: String,
    /// Go on after an error.
    pub continue_on_error: bool,
}

/// Which archive is made of a group of objects.
#[derive(Clone, Debug, Default)]
pub struct ArchiveOptions {
    /// Where the archive goes; by default the same bucket.
    pub to: Option<Bucket>,
    /// `.tar`, `.tgz`, `.zip`, `.tar.lz4`; by default what the name ends with.
    pub format: String,
    /// The bucket's name before the members' names.
    pub with_bucket_name: bool,
    /// Add to an archive that is there.
    pub append: bool,
    /// Go on after an error.
    pub continue_on_error: bool,
}

impl ObjectGroup {
    fn message(&self) -> Value {
        match self {
            Self::Names(names) => json!({ "objnames": names.iter().map(ObjectName::as_str).collect::<Vec<_>>() }),
            Self::Template(template) => json!({ "template": template }),
        }
    }
}

impl<'a> BucketHandle<'a> {
    /// # Errors
    /// What the server says.
    pub fn delete_group(&self, group: &ObjectGroup) -> Result<Vec<JobHandle<'a>>, Error> {
        self.group_jobs(Method::DELETE, "delete-listrange", &group.message())
    }

    /// Forgets what the cluster holds of them, in a remote bucket.
    ///
    /// # Errors
    /// What the server says.
    pub fn evict_group(&self, group: &ObjectGroup) -> Result<Vec<JobHandle<'a>>, Error> {
        self.group_jobs(Method::DELETE, "evict-listrange", &group.message())
    }

    /// Brings them into the cluster, from a remote bucket.
    ///
    /// # Errors
    /// What the server says.
    pub fn prefetch_group(&self, group: &ObjectGroup) -> Result<Vec<JobHandle<'a>>, Error> {
        self.group_jobs(Method::POST, "prefetch-listrange", &group.message())
    }

    /// # Errors
    /// What the server says.
    pub fn copy_group(
        &self,
        group: &ObjectGroup,
        to: &Bucket,
        options: &CopyGroupOptions,
    ) -> Result<Vec<JobHandle<'a>>, Error> {
        let mut value = group.message();
        value["tobck"] = json!(to.message());
        value["coer"] = json!(options.continue_on_error);
        if !options.prepend.is_empty() {
            value["prepend"] = json!(options.prepend);
        }
        self.group_jobs(Method::POST, "copy-listrange", &value)
    }

    /// Makes one archive of them, `name`.
    ///
    /// # Errors
    /// What the server says.
    pub fn archive_group(
        &self,
        group: &ObjectGroup,
        name: &ObjectName,
        options: &ArchiveOptions,
    ) -> Result<Vec<JobHandle<'a>>, Error> {
        let mut value = group.message();
        value["archname"] = json!(name.as_str());
        value["mime"] = json!(options.format);
        value["tobck"] = json!(options.to.as_ref().unwrap_or(self.bucket()).message());
        value["isbn"] = json!(options.with_bucket_name);
        value["aate"] = json!(options.append);
        value["coer"] = json!(options.continue_on_error);
        self.group_jobs(Method::PUT, "archive", &value)
    }

    fn group_jobs(&self, method: Method, action: &str, value: &Value) -> Result<Vec<JobHandle<'a>>, Error> {
        let call = self.new_call(method).action(action, value);
        let request = call.shown();
        let ids = body_text(&request, self.client.call(call)?)?;
        Ok(ids.split(',').map(str::trim).filter(|id| !id.is_empty()).map(|id| self.client.job(id)).collect())
    }
}
