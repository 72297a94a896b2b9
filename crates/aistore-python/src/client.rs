//! `Client`: the calls of the first SDK for AIStore, and what Python people expect of them today.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aistore_client::former::{self, ListObjects, PROVIDER_AIS};
use aistore_client::{
    Bucket, Client as Inner, CopyBucketOptions, CustomMetadata, Error, EvictOptions, GetOptions, HeadOptions,
    ObjectHandle, ObjectName, Provider, PutOptions, Range, WaitOptions,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use tempfile::NamedTempFile;

use crate::content::Given;
use crate::environment;
use crate::exceptions::{exception, os_error};
use crate::results::{Bck, BucketEntry, ObjectProperties, PutProperties, quoted};
use crate::waiting::wait;

/// A client of an AIStore cluster. Nothing is asked yet. Any thread may use it, and several at once. What is not given
/// comes from the variables that AIStore's SDK has: AIS_ENDPOINT, AIS_AUTHN_TOKEN, AIS_CONNECT_TIMEOUT,
/// AIS_READ_TIMEOUT; also AIS_CLIENT_CA, AIS_CRT, AIS_CRT_KEY and AIS_SKIP_VERIFY_CRT for TLS.
///
/// Args:
///     endpoint (str): URL of any proxy of the cluster: 'http://host:port'.
///     token (str): sent as 'Authorization: Bearer'. It is never shown.
///     connect_timeout (float): seconds; 0 is no limit; 3 by default.
///     read_timeout (float): seconds of silence; 0 is no limit; 20 by default.
///     busy_timeout (float): how many seconds to ask again while the cluster is busy, as during a rebalance; 30 by default.
///
/// Raises:
///     InvalidArgument: there is no endpoint, or it is not a URL.
///     OSError: a file that a variable names cannot be read.
#[pyclass(frozen, module = "pydist_aistore")]
pub struct Client {
    /// As the user wrote it, and known to hold no password.
    endpoint: String,
    /// `None` once it is closed.
    inner: Mutex<Option<Inner>>,
}

impl Client {
    fn inner(&self) -> PyResult<Inner> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clone().ok_or_else(|| PyValueError::new_err("the client is closed"))
    }

    /// Leaves `work` to [`wait`].
    fn ask<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        let inner = self.inner()?;
        wait(py, move || work(&inner))
    }

    fn ask_former<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&former::Client) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        let former = former::Client::of(self.inner()?);
        wait(py, move || work(&former))
    }
}

fn bucket(py: Python<'_>, name: &str, provider: &str) -> PyResult<Bucket> {
    let bucket = || Ok(Bucket::new(name)?.of(provider.parse::<Provider>()?));
    bucket().map_err(|error: Error| exception(py, &error))
}

/// An object by its name, for whichever client.
struct Named {
    bucket: Bucket,
    name: ObjectName,
}

impl Named {
    fn new(py: Python<'_>, bck_name: &str, obj_name: &str, provider: &str) -> PyResult<Self> {
        let bucket = bucket(py, bck_name, provider)?;
        Ok(Self { bucket, name: ObjectName::new(obj_name).map_err(|error| exception(py, &error))? })
    }

    fn of<'a>(&self, client: &'a Inner) -> Result<ObjectHandle<'a>, Error> {
        client.bucket(self.bucket.clone()).object(self.name.as_str())
    }
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (endpoint = None, *, token = None, connect_timeout = None, read_timeout = None,
        busy_timeout = None))]
    fn new(
        py: Python<'_>,
        endpoint: Option<String>,
        token: Option<String>,
        connect_timeout: Option<f64>,
        read_timeout: Option<f64>,
        busy_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let given = environment::Given { endpoint, token, connect_timeout, read_timeout };
        let mut settings = environment::settings(py, &given)?.map_err(|error| exception(py, &error))?;
        if let Some(limit) = busy_timeout {
            settings.busy_limit = seconds("busy_timeout", limit)?;
        }
        let endpoint = settings.endpoint.clone();
        let inner = Inner::new(settings).map_err(|error| exception(py, &error))?;
        Ok(Self { endpoint, inner: Mutex::new(Some(inner)) })
    }

    /// str: where requests go.
    #[getter]
    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Client({})", quoted(py, &self.endpoint)?))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(&self, _kind: Py<PyAny>, _value: Py<PyAny>, _traceback: Py<PyAny>) {
        self.close();
    }

    /// Gives its connections back. Calls after this raise ValueError; closing again does nothing.
    fn close(&self) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns True when the cluster takes requests: it has started, and has a storage target.
    ///
    /// Raises:
    ///     ConnectionFailed: there is no answer.
    fn is_aistore_running(&self, py: Python<'_>) -> PyResult<bool> {
        self.ask(py, Inner::is_ready)
    }

    /// Creates an empty bucket of AIStore's own.
    ///
    /// Args:
    ///     bck_name (str): 1 to 64 letters, digits, '_', '-' and '.'.
    ///
    /// Raises:
    ///     AlreadyExists: there is a bucket of that name.
    ///     InvalidArgument: the name is not valid; nothing was asked.
    fn create_bucket(&self, py: Python<'_>, bck_name: &str) -> PyResult<()> {
        let bck_name = bck_name.to_owned();
        self.ask_former(py, move |client| client.create_bucket(&bck_name))
    }

    /// Destroys a bucket of AIStore's own, with all that is in it.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///
    /// Raises:
    ///     BucketNotFound: there is no such bucket.
    fn destroy_bucket(&self, py: Python<'_>, bck_name: &str) -> PyResult<()> {
        let bck_name = bck_name.to_owned();
        self.ask_former(py, move |client| client.destroy_bucket(&bck_name))
    }

    /// Lists buckets.
    ///
    /// Args:
    ///     provider (str): 'ais', 'aws', 'gcp', 'azure' or 'oci'; '' for the buckets of all.
    ///
    /// Returns:
    ///     list[Bck]
    #[pyo3(signature = (provider = "ais"))]
    fn list_buckets(&self, py: Python<'_>, provider: &str) -> PyResult<Vec<Bck>> {
        let provider = provider.to_owned();
        let buckets = self.ask_former(py, move |client| client.list_buckets(&provider))?;
        Ok(buckets.iter().map(Bck::of).collect())
    }

    /// Tells a bucket's properties, as the server writes them.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     provider (str): who stores it.
    ///
    /// Returns:
    ///     dict[str, Any]: for one, {'checksum': {'type': 'xxhash2', ...}, 'versioning': {'enabled': True, ...}, ...}.
    ///
    /// Raises:
    ///     NotFound: there is no such bucket.
    #[pyo3(signature = (bck_name, provider = "ais"))]
    fn head_bucket(&self, py: Python<'_>, bck_name: &str, provider: &str) -> PyResult<Py<PyAny>> {
        let bucket = bucket(py, bck_name, provider)?;
        let properties = self.ask(py, move |client| client.bucket(bucket).properties())?;
        let text = serde_json::Value::Object(properties.0).to_string();
        Ok(py.import("json")?.call_method1("loads", (text,))?.unbind())
    }

    /// Begins to give a bucket of AIStore's own another name.
    ///
    /// Args:
    ///     from_bck (str): the bucket.
    ///     to_bck (str): its new name.
    ///
    /// Returns:
    ///     str: the job, for wait_for_xaction_finished.
    ///
    /// Raises:
    ///     AlreadyExists: there is a bucket of that name.
    fn rename_bucket(&self, py: Python<'_>, from_bck: &str, to_bck: &str) -> PyResult<String> {
        let (from, to) = (bucket(py, from_bck, PROVIDER_AIS)?, bucket(py, to_bck, PROVIDER_AIS)?);
        self.ask(py, move |client| Ok(client.bucket(from).rename(&to)?.id().to_owned()))
    }

    /// Begins to copy a bucket's objects to another bucket, which is made if it is not there.
    ///
    /// Args:
    ///     from_bck_name (str): the bucket.
    ///     to_bck_name (str): the other.
    ///     prefix (str): only objects whose names begin so.
    ///     dry_run (bool): copy nothing, count only.
    ///     from_provider (str): who stores the bucket.
    ///     to_provider (str): who stores the other.
    ///
    /// Returns:
    ///     str: the job, for wait_for_xaction_finished.
    #[pyo3(signature = (from_bck_name, to_bck_name, prefix = "", dry_run = false,
        from_provider = "ais", to_provider = "ais"))]
    #[expect(clippy::too_many_arguments, reason = "each is one of Python's, by name")]
    fn copy_bucket(
        &self,
        py: Python<'_>,
        from_bck_name: &str,
        to_bck_name: &str,
        prefix: &str,
        dry_run: bool,
        from_provider: &str,
        to_provider: &str,
    ) -> PyResult<String> {
        let (from, to) = (bucket(py, from_bck_name, from_provider)?, bucket(py, to_bck_name, to_provider)?);
        let options = CopyBucketOptions { prefix: prefix.to_owned(), dry_run, ..CopyBucketOptions::default() };
        self.ask(py, move |client| Ok(client.bucket(from).copy(&to, &options)?.id().to_owned()))
    }

    /// Forgets what the cluster holds of a cloud's bucket.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     provider (str): who stores it; not 'ais'.
    ///     keep_md (bool): go on knowing the bucket.
    #[pyo3(signature = (bck_name, provider, keep_md = true))]
    fn evict_bucket(&self, py: Python<'_>, bck_name: &str, provider: &str, keep_md: bool) -> PyResult<()> {
        let options = EvictOptions { keep_properties: keep_md };
        let bucket = bucket(py, bck_name, provider)?;
        self.ask(py, move |client| client.bucket(bucket).evict(&options))
    }

    /// Waits until a job is done.
    ///
    /// Args:
    ///     xact_id (str): the job, as rename_bucket and copy_bucket give it.
    ///     timeout (float): seconds.
    ///
    /// Raises:
    ///     JobError: it failed, was aborted, or is not done in time.
    #[pyo3(signature = (xact_id, timeout = 300.0))]
    fn wait_for_xaction_finished(&self, py: Python<'_>, xact_id: &str, timeout: f64) -> PyResult<()> {
        let (xact_id, limit) = (xact_id.to_owned(), seconds("timeout", timeout)?);
        self.ask(py, move |client| client.job(&xact_id).wait(&WaitOptions { limit }).map(drop))
    }

    /// Lists the objects of a bucket in the order of their names.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     provider (str): who stores it.
    ///     prefix (str): only names that begin so.
    ///     props (str): what to tell of each, with commas between: 'name,size,checksum,atime,version,location,copies,
    ///         custom,status,cached'; name and size by default.
    ///     count (int): at most so many; 0 for all.
    ///     page_size (int): entries of one answer; 0 leaves it to count or the server.
    ///
    /// Returns:
    ///     list[BucketEntry]
    ///
    /// Raises:
    ///     BucketNotFound: there is no such bucket.
    ///     InvalidArgument: count or page_size is negative; nothing was asked.
    #[pyo3(signature = (bck_name, provider = "ais", prefix = "", props = "", count = 0,
        page_size = 0))]
    #[expect(clippy::too_many_arguments, reason = "each is one of Python's, by name")]
    fn list_objects(
        &self,
        py: Python<'_>,
        bck_name: &str,
        provider: &str,
        prefix: &str,
        props: &str,
        count: i64,
        page_size: i64,
    ) -> PyResult<Vec<BucketEntry>> {
        let [bck_name, provider, prefix, props] = [bck_name, provider, prefix, props].map(str::to_owned);
        let entries = self.ask_former(py, move |client| {
            let options = ListObjects { provider: &provider, prefix: &prefix, props: &props, count, page_size };
            client.list_objects(&bck_name, &options)
        })?;
        Ok(entries.into_iter().map(BucketEntry::of).collect())
    }

    /// Puts an object: a file, or what is in memory. Either path or content must be given.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     obj_name (str): the object's name; what is there under it is replaced.
    ///     path (str | os.PathLike[str]): a file.
    ///     provider (str): who stores the bucket.
    ///     content (bytes | bytearray | memoryview | BinaryIO): in place of path. An open file is read from where it stands;
    ///         one that cannot seek is read into memory first.
    ///     custom (dict[str, str]): custom metadata: printable ASCII without commas.
    ///
    /// Returns:
    ///     PutProperties: checksum and version. AIStore gives no ETag in answer to a put.
    ///
    /// Raises:
    ///     BucketNotFound: there is no such bucket.
    ///     ChecksumMismatch: the server has other bytes than were sent.
    ///     OutOfSpace: the cluster's disks are full.
    ///     OSError: the file cannot be read.
    #[pyo3(signature = (bck_name, obj_name, path = None, provider = "ais", *, content = None, custom = None))]
    #[expect(clippy::too_many_arguments, reason = "each is one of Python's, by name")]
    fn put_object(
        &self,
        py: Python<'_>,
        bck_name: &str,
        obj_name: &str,
        path: Option<PathBuf>,
        provider: &str,
        content: Option<&Bound<'_, PyAny>>,
        custom: Option<CustomMetadata>,
    ) -> PyResult<PutProperties> {
        let Given { content, raised } = match (path, content) {
            (Some(path), None) => Given::file(path),
            (None, Some(content)) => Given::of(content)?,
            (None, None) => return Err(PyTypeError::new_err("either `path` or `content` must be given")),
            (Some(_), Some(_)) => return Err(PyTypeError::new_err("`path` and `content` cannot both be given")),
        };
        let options = PutOptions { custom: custom.unwrap_or_default(), ..PutOptions::default() };
        let named = Named::new(py, bck_name, obj_name, provider)?;
        let put = self.ask(py, move |client| named.of(client)?.put(content, &options));
        match (put, raised.take()) {
            (Err(_), Some(raised)) => Err(raised),
            (put, _) => put.map(PutProperties::of),
        }
    }

    /// Reads an object, or a range of its bytes. A whole object is compared with its checksum.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     obj_name (str): the object.
    ///     provider (str): who stores the bucket.
    ///     path (str | os.PathLike[str]): a file to write to, at any size; it appears when it is complete.
    ///     offset (int): of the first byte; a negative one counts from the object's end, and then there is no length.
    ///     length (int): bytes, at least 1; to the end by default. Less is given where the object ends.
    ///
    /// Returns:
    ///     bytes: the content; with path, how many bytes there are in the file, an int.
    ///
    /// Raises:
    ///     ObjectNotFound: there is no such object, or no such bucket.
    ///     RangeNotSatisfiable: the range begins after the object's end.
    ///     ChecksumMismatch: the bytes are not those that were put.
    ///     OSError: the file cannot be written.
    #[pyo3(signature = (bck_name, obj_name, provider = "ais", *, path = None, offset = 0, length = None))]
    #[expect(clippy::too_many_arguments, reason = "each is one of Python's, by name")]
    fn get_object(
        &self,
        py: Python<'_>,
        bck_name: &str,
        obj_name: &str,
        provider: &str,
        path: Option<PathBuf>,
        offset: i64,
        length: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let range = range(offset, length).map_err(|error| exception(py, &error))?;
        let options = GetOptions { range, ..GetOptions::default() };
        let named = Named::new(py, bck_name, obj_name, provider)?;
        let Some(path) = path else {
            let bytes = self.ask(py, move |client| named.of(client)?.get(&options)?.bytes())?;
            return Ok(pyo3::types::PyBytes::new(py, &bytes).into_any().unbind());
        };
        let beside = beside(&path).map_err(|error| os_error(py, &error, &path))?;
        // Given its name here and not by the thread: after Ctrl-C that one goes on.
        let (size, complete) = self.ask(py, move |client| {
            let mut beside = beside;
            let reader = named.of(client)?.get(&options)?;
            Ok((reader.copy_to(beside.as_file_mut())?, beside))
        })?;
        complete.persist(&path).map_err(|error| os_error(py, &error.error, &path))?;
        Ok(size.into_pyobject(py)?.into_any().unbind())
    }

    /// Tells an object's properties.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     obj_name (str): the object.
    ///     provider (str): who stores the bucket.
    ///
    /// Returns:
    ///     ObjectProperties
    ///
    /// Raises:
    ///     NotFound: there is no such object.
    #[pyo3(signature = (bck_name, obj_name, provider = "ais"))]
    fn head_object(
        &self,
        py: Python<'_>,
        bck_name: &str,
        obj_name: &str,
        provider: &str,
    ) -> PyResult<ObjectProperties> {
        let named = Named::new(py, bck_name, obj_name, provider)?;
        let known = self.ask(py, move |client| named.of(client)?.properties(&HeadOptions::default()))?;
        Ok(ObjectProperties::of(known))
    }

    /// Deletes an object.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     obj_name (str): the object.
    ///     provider (str): who stores the bucket.
    ///
    /// Raises:
    ///     ObjectNotFound: there is no such object.
    #[pyo3(signature = (bck_name, obj_name, provider = "ais"))]
    fn delete_object(&self, py: Python<'_>, bck_name: &str, obj_name: &str, provider: &str) -> PyResult<()> {
        let named = Named::new(py, bck_name, obj_name, provider)?;
        self.ask(py, move |client| named.of(client)?.delete())
    }
}

fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    let converted = Duration::try_from_secs_f64(value);
    converted.map_err(|_| PyValueError::new_err(format!("`{name}` must be a number of seconds, 0 or more")))
}

fn range(offset: i64, length: Option<u64>) -> Result<Option<Range>, Error> {
    let invalid = |what, value: String, reason: &str| Error::Invalid { what, value, reason: reason.to_owned() };
    match (u64::try_from(offset), length) {
        (_, Some(0)) => Err(invalid("length", "0".to_owned(), "it must be at least 1")),
        (Ok(0), None) => Ok(None),
        (Ok(start), None) => Ok(Some(Range::From(start))),
        (Ok(start), Some(length)) => Ok(Some(Range::Of { start, length })),
        (Err(_), None) => Ok(Some(Range::Last(offset.unsigned_abs()))),
        (Err(_), Some(_)) => Err(invalid("offset", offset.to_string(), "a negative one goes without `length`")),
    }
}

/// A file that is removed unless it gets the name `path`.
fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pydist-aistore-");
    // As any new file: what may be read of it is for the user's mask to say.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
