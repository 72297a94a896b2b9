//! `Client`: the calls of the first SDK for AIStore, and what Python people expect of them today.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aistore_client::former::{self, ListObjects, PROVIDER_AIS};
use aistore_client::{
    Bucket, ByteRange, Client as Inner, CopyBucketOptions, CustomMetadata, Error, EvictOptions, GetOptions,
    HeadOptions, ObjectHandle, ObjectName, Provider, PutOptions, WaitOptions,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use tempfile::NamedTempFile;

use crate::content::GivenContent;
use crate::environment;
use crate::exceptions::{exception, os_error};
use crate::results::{Bck, BucketEntry, ObjectProperties, PutProperties, quoted};
use crate::waiting::wait;

/// A client for an AIStore cluster. Creating it sends no request. Threads may share it. Arguments default to the
/// environment variables of AIStore's SDK: AIS_ENDPOINT, AIS_AUTHN_TOKEN, AIS_CONNECT_TIMEOUT, AIS_READ_TIMEOUT; TLS
/// takes AIS_CLIENT_CA, AIS_CRT, AIS_CRT_KEY and AIS_SKIP_VERIFY_CRT.
///
/// Args:
///     endpoint (str): URL of any proxy of the cluster: 'http://host:port'.
///     token (str): sent as 'Authorization: Bearer'. It is never shown.
///     connect_timeout (float): seconds; 0 means no limit. Defaults to 3.
///     read_timeout (float): seconds without a byte from the server; 0 means no limit. Defaults to 20.
///     busy_timeout (float): seconds to keep retrying while the cluster is busy, for example with a rebalance. Defaults
///         to 30.
///
/// Raises:
///     InvalidArgument: no endpoint was given, or it is not a URL.
///     OSError: a file that an environment variable names cannot be read.
#[pyclass(frozen, name = "Client", module = "pydist_aistore")]
pub struct PythonClient {
    /// As the user wrote it, and known to hold no password.
    endpoint: String,
    /// `None` once it is closed.
    inner: Mutex<Option<Inner>>,
}

impl PythonClient {
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
struct NamedObject {
    bucket: Bucket,
    name: ObjectName,
}

impl NamedObject {
    fn new(py: Python<'_>, bck_name: &str, obj_name: &str, provider: &str) -> PyResult<Self> {
        let bucket = bucket(py, bck_name, provider)?;
        Ok(Self { bucket, name: ObjectName::new(obj_name).map_err(|error| exception(py, &error))? })
    }

    fn of<'a>(&self, client: &'a Inner) -> Result<ObjectHandle<'a>, Error> {
        client.bucket(self.bucket.clone()).object(self.name.as_str())
    }
}

#[pymethods]
impl PythonClient {
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
        let given = environment::GivenSettings { endpoint, token, connect_timeout, read_timeout };
        let mut settings = environment::settings(py, &given)?.map_err(|error| exception(py, &error))?;
        if let Some(limit) = busy_timeout {
            settings.busy_limit = seconds("busy_timeout", limit)?;
        }
        let endpoint = settings.endpoint.clone();
        let inner = Inner::new(settings).map_err(|error| exception(py, &error))?;
        Ok(Self { endpoint, inner: Mutex::new(Some(inner)) })
    }

    /// str: URL of the cluster.
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

    /// Closes the connections. Later calls raise ValueError; closing twice is allowed.
    fn close(&self) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns True if the cluster is ready: it has started and has a storage target.
    ///
    /// Raises:
    ///     ConnectionFailed: the server does not answer.
    fn is_aistore_running(&self, py: Python<'_>) -> PyResult<bool> {
        self.ask(py, Inner::is_ready)
    }

    /// Creates an empty AIS bucket.
    ///
    /// Args:
    ///     bck_name (str): 1 to 64 letters, digits, '_', '-' and '.'.
    ///
    /// Raises:
    ///     AlreadyExists: the bucket exists.
    ///     InvalidArgument: the name is not valid; no request was sent.
    fn create_bucket(&self, py: Python<'_>, bck_name: &str) -> PyResult<()> {
        let bck_name = bck_name.to_owned();
        self.ask_former(py, move |client| client.create_bucket(&bck_name))
    }

    /// Destroys an AIS bucket and its content.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///
    /// Raises:
    ///     BucketNotFound: the bucket does not exist.
    fn destroy_bucket(&self, py: Python<'_>, bck_name: &str) -> PyResult<()> {
        let bck_name = bck_name.to_owned();
        self.ask_former(py, move |client| client.destroy_bucket(&bck_name))
    }

    /// Lists buckets.
    ///
    /// Args:
    ///     provider (str): 'ais', 'aws', 'gcp', 'azure' or 'oci'; '' lists the buckets of all providers.
    ///
    /// Returns:
    ///     list[Bck]
    #[pyo3(signature = (provider = "ais"))]
    fn list_buckets(&self, py: Python<'_>, provider: &str) -> PyResult<Vec<Bck>> {
        let provider = provider.to_owned();
        let buckets = self.ask_former(py, move |client| client.list_buckets(&provider))?;
        Ok(buckets.iter().map(Bck::of).collect())
    }

    /// Returns a bucket's properties, as the server reports them.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     provider (str): who stores it.
    ///
    /// Returns:
    ///     dict[str, Any]: such as {'checksum': {'type': 'xxhash2', ...}, 'versioning': {'enabled': True, ...}, ...}.
    ///
    /// Raises:
    ///     NotFound: the bucket does not exist.
    #[pyo3(signature = (bck_name, provider = "ais"))]
    fn head_bucket(&self, py: Python<'_>, bck_name: &str, provider: &str) -> PyResult<Py<PyAny>> {
        let bucket = bucket(py, bck_name, provider)?;
        let properties = self.ask(py, move |client| client.bucket(bucket).properties())?;
        let text = serde_json::Value::Object(properties.0).to_string();
        Ok(py.import("json")?.call_method1("loads", (text,))?.unbind())
    }

    /// Starts a job that renames an AIS bucket.
    ///
    /// Args:
    ///     from_bck (str): the bucket.
    ///     to_bck (str): its new name.
    ///
    /// Returns:
    ///     str: the job's ID, for wait_for_xaction_finished.
    ///
    /// Raises:
    ///     AlreadyExists: a bucket of the new name exists.
    fn rename_bucket(&self, py: Python<'_>, from_bck: &str, to_bck: &str) -> PyResult<String> {
        let (from, to) = (bucket(py, from_bck, PROVIDER_AIS)?, bucket(py, to_bck, PROVIDER_AIS)?);
        self.ask(py, move |client| Ok(client.bucket(from).rename(&to)?.id().to_owned()))
    }

    /// Starts a job that copies a bucket's objects to another bucket, which is created if necessary.
    ///
    /// Args:
    ///     from_bck_name (str): the bucket.
    ///     to_bck_name (str): the destination.
    ///     prefix (str): copy only objects whose names start with it.
    ///     dry_run (bool): only count what would be copied.
    ///     from_provider (str): who stores the bucket.
    ///     to_provider (str): who stores the destination.
    ///
    /// Returns:
    ///     str: the job's ID, for wait_for_xaction_finished.
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

    /// Removes a cloud bucket's cached content from the cluster.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     provider (str): who stores it; not 'ais'.
    ///     keep_md (bool): keep the bucket's properties.
    #[pyo3(signature = (bck_name, provider, keep_md = true))]
    fn evict_bucket(&self, py: Python<'_>, bck_name: &str, provider: &str, keep_md: bool) -> PyResult<()> {
        let options = EvictOptions { keep_properties: keep_md };
        let bucket = bucket(py, bck_name, provider)?;
        self.ask(py, move |client| client.bucket(bucket).evict(&options))
    }

    /// Waits for a job to finish.
    ///
    /// Args:
    ///     xact_id (str): the job's ID, as returned by rename_bucket and copy_bucket.
    ///     timeout (float): seconds.
    ///
    /// Raises:
    ///     JobError: the job failed, was aborted, or did not finish in time.
    #[pyo3(signature = (xact_id, timeout = 300.0))]
    fn wait_for_xaction_finished(&self, py: Python<'_>, xact_id: &str, timeout: f64) -> PyResult<()> {
        let (xact_id, limit) = (xact_id.to_owned(), seconds("timeout", timeout)?);
        self.ask(py, move |client| client.job(&xact_id).wait(&WaitOptions { limit }).map(drop))
    }

    /// Lists the objects in a bucket, sorted by name.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     provider (str): who stores it.
    ///     prefix (str): list only names that start with it.
    ///     props (str): comma-separated properties to return: 'name,size,checksum,atime,version,location,copies,custom,
    ///         status,cached'. Defaults to name and size.
    ///     count (int): maximum number of objects; 0 means all.
    ///     page_size (int): objects per request; 0 means count, or the server's own limit.
    ///
    /// Returns:
    ///     list[BucketEntry]
    ///
    /// Raises:
    ///     BucketNotFound: the bucket does not exist.
    ///     InvalidArgument: count or page_size is negative; no request was sent.
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

    /// Puts an object from a file or from memory. Either path or content must be given.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     obj_name (str): the object's name. An existing object is replaced.
    ///     path (str | os.PathLike[str]): a file.
    ///     provider (str): who stores the bucket.
    ///     content (bytes | bytearray | memoryview | BinaryIO): the content itself. An open file is read from its current
    ///         position; if it cannot seek, it is read into memory first.
    ///     custom (dict[str, str]): custom metadata: printable ASCII without commas.
    ///
    /// Returns:
    ///     PutProperties: checksum and version. AIStore returns no ETag for a put.
    ///
    /// Raises:
    ///     BucketNotFound: the bucket does not exist.
    ///     ChecksumMismatch: the server stored other bytes than were sent.
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
        let GivenContent { content, raised } = match (path, content) {
            (Some(path), None) => GivenContent::file(path),
            (None, Some(content)) => GivenContent::of(content)?,
            (None, None) => return Err(PyTypeError::new_err("either `path` or `content` must be given")),
            (Some(_), Some(_)) => return Err(PyTypeError::new_err("`path` and `content` cannot both be given")),
        };
        let options = PutOptions { custom: custom.unwrap_or_default(), ..PutOptions::default() };
        let named = NamedObject::new(py, bck_name, obj_name, provider)?;
        let put = self.ask(py, move |client| named.of(client)?.put(content, &options));
        match (put, raised.take()) {
            (Err(_), Some(raised)) => Err(raised),
            (put, _) => put.map(PutProperties::of),
        }
    }

    /// Reads an object or a range of it. A whole object is verified against its checksum.
    ///
    /// Args:
    ///     bck_name (str): the bucket.
    ///     obj_name (str): the object.
    ///     provider (str): who stores the bucket.
    ///     path (str | os.PathLike[str]): a file to write to. It appears once it is complete, and memory use does not grow
    ///         with its size.
    ///     offset (int): position of the first byte. A negative offset counts from the end and excludes length.
    ///     length (int): number of bytes, at least 1. Defaults to the rest; the result is shorter if the object ends
    ///         earlier.
    ///
    /// Returns:
    ///     bytes: the content; with path an int, the number of bytes written.
    ///
    /// Raises:
    ///     ObjectNotFound: the object does not exist.
    ///     BucketNotFound: the bucket does not exist.
    ///     RangeNotSatisfiable: the range starts beyond the object's end.
    ///     ChecksumMismatch: the content does not match the object's checksum.
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
        let named = NamedObject::new(py, bck_name, obj_name, provider)?;
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

    /// Returns an object's properties.
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
    ///     NotFound: the object does not exist.
    #[pyo3(signature = (bck_name, obj_name, provider = "ais"))]
    fn head_object(
        &self,
        py: Python<'_>,
        bck_name: &str,
        obj_name: &str,
        provider: &str,
    ) -> PyResult<ObjectProperties> {
        let named = NamedObject::new(py, bck_name, obj_name, provider)?;
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
    ///     ObjectNotFound: the object does not exist.
    #[pyo3(signature = (bck_name, obj_name, provider = "ais"))]
    fn delete_object(&self, py: Python<'_>, bck_name: &str, obj_name: &str, provider: &str) -> PyResult<()> {
        let named = NamedObject::new(py, bck_name, obj_name, provider)?;
        self.ask(py, move |client| named.of(client)?.delete())
    }
}

fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    let converted = Duration::try_from_secs_f64(value);
    converted.map_err(|_| PyValueError::new_err(format!("`{name}` must be a number of seconds, 0 or more")))
}

fn range(offset: i64, length: Option<u64>) -> Result<Option<ByteRange>, Error> {
    let invalid = |what, value: String, reason: &str| Error::Invalid { what, value, reason: reason.to_owned() };
    match (u64::try_from(offset), length) {
        (_, Some(0)) => Err(invalid("length", "0".to_owned(), "it must be at least 1")),
        (Ok(0), None) => Ok(None),
        (Ok(start), None) => Ok(Some(ByteRange::From(start))),
        (Ok(start), Some(length)) => Ok(Some(ByteRange::Of { start, length })),
        (Err(_), None) => Ok(Some(ByteRange::Last(offset.unsigned_abs()))),
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
