//! What calls give: they look like those of the first SDK for AIStore.

use std::collections::BTreeMap;

use aistore_client::{Bucket, ListingEntry, ObjectProperties as Known, PutResult};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;

/// A bucket, as a listing of buckets names it.
#[pyclass(frozen, get_all, eq, hash, module = "pydist_aistore")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bck {
    /// str: the bucket's name, unique for its provider and namespace.
    pub name: String,
    /// str: who stores it: 'ais', 'aws', 'gcp', 'azure' or 'oci'.
    pub provider: String,
    /// str: '@UUID#NAME' in another cluster or namespace; empty for this cluster's global one.
    pub namespace: String,
}

impl Bck {
    /// The global namespace is an empty text.
    pub fn of(bucket: &Bucket) -> Self {
        let namespace = bucket.namespace();
        let namespace = if namespace.is_global() { String::new() } else { namespace.to_string() };
        Self { name: bucket.name().to_owned(), provider: bucket.provider().to_string(), namespace }
    }
}

#[pymethods]
impl Bck {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let namespace = if self.namespace.is_empty() { String::new() } else { format!("{}/", self.namespace) };
        Ok(format!("Bck({})", quoted(py, format!("{}://{namespace}{}", self.provider, self.name))?))
    }
}

/// An object of a listing. What was not asked for in `props` is empty or 0.
#[pyclass(frozen, get_all, eq, module = "pydist_aistore")]
#[derive(Clone, PartialEq, Eq)]
pub struct BucketEntry {
    /// str: the object's name.
    pub name: String,
    /// int: in bytes.
    pub size: u64,
    /// str: hexadecimal digits, of the bucket's kind.
    pub checksum: String,
    /// str: when it was read last.
    pub atime: String,
    /// str: '1' and so on, in buckets with versions.
    pub version: String,
    /// str: target and mountpath.
    pub location: String,
    /// str: custom metadata, as the server writes it.
    pub custom: String,
    /// int: how many copies there are.
    pub copies: u64,
    /// int: bits that AIStore defines.
    pub flags: u64,
}

impl BucketEntry {
    /// Takes what the listing was asked for; the rest is empty.
    pub fn of(entry: ListingEntry) -> Self {
        let ListingEntry { name, size, checksum, atime, version, location, custom, copies, flags } = entry;
        Self { name, size, checksum, atime, version, location, custom, copies, flags }
    }
}

#[pymethods]
impl BucketEntry {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("BucketEntry(name={}, size={})", quoted(py, &self.name)?, self.size))
    }
}

/// What the server says about an object that it stored. There is no ETag: AIStore gives none in answer to a put.
#[pyclass(frozen, get_all, eq, module = "pydist_aistore")]
#[derive(Clone, PartialEq, Eq)]
pub struct PutProperties {
    /// str | None: hexadecimal digits; None in a bucket without checksums.
    pub checksum: Option<String>,
    /// str | None: 'xxhash2', 'md5', 'crc32c', 'sha256' or 'sha512'.
    pub checksum_type: Option<String>,
    /// str | None: '1' and so on; None in a bucket without versions.
    pub version: Option<String>,
    /// bool: whether the checksum was compared with that of what was sent. A difference is a ChecksumMismatch; False
    /// means that the bucket's kind is another than 'xxhash2'.
    pub is_verified: bool,
}

impl PutProperties {
    /// What the server said about the stored object.
    pub fn of(result: PutResult) -> Self {
        let (checksum_type, checksum) =
            result.checksum.map(|checksum| (checksum.kind.to_string(), checksum.value)).unzip();
        Self { checksum, checksum_type, version: result.version, is_verified: result.is_verified }
    }
}

#[pymethods]
impl PutProperties {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let checksum = quoted(py, &self.checksum)?;
        Ok(format!("PutProperties(checksum={checksum}, version={})", quoted(py, &self.version)?))
    }
}

/// What the server says about an object that is there.
#[pyclass(frozen, get_all, eq, module = "pydist_aistore")]
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectProperties {
    /// int | None: in bytes.
    pub size: Option<u64>,
    /// str | None: hexadecimal digits; None in a bucket without checksums.
    pub checksum: Option<String>,
    /// str | None: 'xxhash2', 'md5', 'crc32c', 'sha256' or 'sha512'.
    pub checksum_type: Option<String>,
    /// str | None: '1' and so on; None in a bucket without versions.
    pub version: Option<String>,
    /// int | None: when it was read last, in nanoseconds since 1970.
    pub atime: Option<u64>,
    /// dict[str, str]: custom metadata.
    pub custom: BTreeMap<String, String>,
    /// bool | None: whether the cluster has it, and not only the cloud.
    pub is_present: Option<bool>,
    /// int | None: how many copies there are.
    pub copies: Option<u64>,
}

impl ObjectProperties {
    /// `None` for what the server did not say.
    pub fn of(known: Known) -> Self {
        let (checksum_type, checksum) =
            known.checksum.map(|checksum| (checksum.kind.to_string(), checksum.value)).unzip();
        Self {
            size: known.size,
            checksum,
            checksum_type,
            version: known.version,
            atime: known.accessed,
            custom: known.custom,
            is_present: known.is_present,
            copies: known.copies,
        }
    }
}

#[pymethods]
impl ObjectProperties {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (size, checksum) = (quoted(py, self.size)?, quoted(py, &self.checksum)?);
        let version = quoted(py, &self.version)?;
        Ok(format!("ObjectProperties(size={size}, checksum={checksum}, version={version})"))
    }
}

/// As Python writes it.
pub fn quoted<'py>(py: Python<'py>, value: impl IntoPyObject<'py>) -> PyResult<String> {
    value.into_bound_py_any(py)?.repr()?.extract()
}
