//! Names as AIStore has them: providers, namespaces, buckets, objects. They are checked here, before any request.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ChecksumKind, Error};

/// Who stores a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// AIStore itself.
    #[default]
    Ais,
    Aws,
    Gcp,
    Azure,
    Oci,
}

impl Provider {
    /// As it stands in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ais => "ais",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Oci => "oci",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = Error;

    /// Also the short names `s3`, `gs`, `az` and `oc`; the empty text is AIStore.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "" | "ais" => Self::Ais,
            "aws" | "s3" => Self::Aws,
            "gcp" | "gs" => Self::Gcp,
            "azure" | "az" => Self::Azure,
            "oci" | "oc" => Self::Oci,
            _ => return Err(invalid("provider", text, "known are ais, aws, gcp, azure and oci")),
        })
    }
}

impl FromStr for ChecksumKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Xxhash2, Self::Md5, Self::Crc32c, Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| invalid("kind of checksum", text, "known are xxhash2, md5, crc32c, sha256 and sha512"))
    }
}

/// Where a bucket's name belongs: to another AIStore cluster, to a namespace of this one, or, by default, to everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace {
    uuid: String,
    name: String,
}

impl Namespace {
    /// The namespace of the cluster `uuid` with this name; each may be empty.
    ///
    /// # Errors
    /// Other characters than letters, digits, `-` and `_`, or more than 32 of them.
    pub fn new(uuid: &str, name: &str) -> Result<Self, Error> {
        for text in [uuid, name] {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if text.len() > 32 || !text.bytes().all(allowed) {
                return Err(invalid("namespace", text, "at most 32 letters, digits, `-` and `_`"));
            }
        }
        Ok(Self { uuid: uuid.to_owned(), name: name.to_owned() })
    }

    /// Whether it is that of everybody in this cluster, which is written as nothing.
    pub fn is_global(&self) -> bool {
        self.uuid.is_empty() && self.name.is_empty()
    }

    /// Another cluster's; empty for this one.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Within its cluster; empty for the global one.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// `@UUID#NAME`
impl fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "@{}#{}", self.uuid, self.name)
    }
}

/// Which bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket {
    name: String,
    provider: Provider,
    namespace: Namespace,
}

impl Bucket {
    /// A bucket of AIStore itself, in the global namespace.
    ///
    /// # Errors
    /// The name is not one of 1 to 64 letters, digits, `_`, `-` and `.`, begins with `.`, or holds `..`.
    pub fn new(name: &str) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            return Err(invalid("bucket name", name, "1 to 64 letters, digits, `_`, `-` and `.`"));
        }
        if name.starts_with('.') || name.contains("..") {
            return Err(invalid("bucket name", name, "it must not begin with `.` or hold `..`"));
        }
        Ok(Self { name: name.to_owned(), provider: Provider::Ais, namespace: Namespace::default() })
    }

    /// The same name at another provider.
    #[must_use]
    pub fn of(self, provider: Provider) -> Self {
        Self { provider, ..self }
    }

    /// The same name in another namespace.
    #[must_use]
    pub fn within(self, namespace: Namespace) -> Self {
        Self { namespace, ..self }
    }

    /// Without provider and namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who stores it.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Where its name belongs; the global one by default.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// As one text, which ends with `/`: `ais/@#/demo/`. Queries name other buckets so.
    pub fn flat_name(&self) -> String {
        format!("{}/{}/{}/", self.provider, self.namespace, self.name)
    }

    /// What every request about it has in its query.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("provider", self.provider.to_string())];
        if !self.namespace.is_global() {
            query.push(("namespace", self.namespace.to_string()));
        }
        query
    }

    pub(crate) fn message(&self) -> BucketMessage {
        let Namespace { uuid, name } = self.namespace.clone();
        let namespace = Some(NamespaceMessage { uuid, name });
        BucketMessage { name: self.name.clone(), provider: self.provider.to_string(), namespace }
    }
}

/// `ais://demo`
impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://", self.provider)?;
        if !self.namespace.is_global() {
            write!(formatter, "{}/", self.namespace)?;
        }
        formatter.write_str(&self.name)
    }
}

/// A bucket in requests and answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct BucketMessage {
    #[serde(default)]
    name: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    namespace: Option<NamespaceMessage>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct NamespaceMessage {
    #[serde(default)]
    uuid: String,
    #[serde(default)]
    name: String,
}

impl BucketMessage {
    /// What a server names is checked as what a caller names.
    pub(crate) fn bucket(&self) -> Result<Bucket, Error> {
        let namespace = self.namespace.clone().unwrap_or_default();
        let namespace = Namespace::new(&namespace.uuid, &namespace.name)?;
        Ok(Bucket::new(&self.name)?.of(self.provider.parse()?).within(namespace))
    }
}

/// The name of an object in its bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName(String);

impl ObjectName {
    /// # Errors
    /// The name is empty, has an empty component (the server would merge it with the next, and so write another
    /// object), one that is `.` or `..`, or begins with `~/`.
    pub fn new(name: &str) -> Result<Self, Error> {
        let reason = if name.is_empty() {
            "it is empty"
        } else if name.split('/').any(str::is_empty) {
            "it has a component without a name"
        } else if name.split('/').any(|component| matches!(component, "." | "..")) {
            "it has a component `.` or `..`"
        } else if name.starts_with("~/") {
            "it begins with `~/`"
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(invalid("object name", name, reason))
    }

    /// With `/` between its parts, not encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(crate) fn invalid(what: &'static str, value: &str, reason: impl Into<String>) -> Error {
    Error::Invalid { what, value: value.to_owned(), reason: reason.into() }
}
