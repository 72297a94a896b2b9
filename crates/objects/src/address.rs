//! Addresses of places where runtimes are published and builders share a store: a folder, a bucket by its URL, or an
//! AIStore cluster, whose addresses `aistore-client` reads. One grammar for every program. Pure.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use vocab::Fault;

/// How an address may be written, for hints.
pub const ADDRESS_FORMS: &str = "a path, `file:///path`, `s3://bucket/prefix`, `s3e://host/bucket/prefix` or \
                                 `ais://bucket/prefix`";

/// A place, before anything has been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceAddress {
    Folder(PathBuf),
    Bucket(BucketAddress),
    /// `ais://bucket/prefix?endpoint=…`
    Cluster(aistore_client::Address),
}

/// `s3://bucket/prefix?endpoint=…&region=…&profile=…&path-style=…&anonymous=…`, or `s3e://host/bucket/prefix?…` for a
/// bucket at a server of one's own: over `https`, on this machine over `http`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketAddress {
    pub bucket: String,
    /// Without `/` at its ends; may be empty.
    pub prefix: String,
    /// Overrides the environment and the profile; has no user and password.
    pub endpoint: Option<Url>,
    pub region: Option<String>,
    pub profile: Option<String>,
    /// Whether the bucket is in the path instead of the host name. Absent: true with a custom endpoint.
    pub path_style: Option<bool>,
    /// Use no credentials, for public buckets.
    pub anonymous: bool,
}

/// The message begins with `given`: the option or variable that holds the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("{given}: {kind}")]
#[fault(transparent = kind)]
pub struct PlaceAddressError {
    pub given: String,
    pub kind: PlaceAddressErrorKind,
}

/// What is wrong with an address. Credentials in it are never repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[fault("E_STORE_ADDRESS", Usage)]
pub enum PlaceAddressErrorKind {
    #[error("it is empty")]
    #[fault(hint("write {ADDRESS_FORMS}"))]
    Empty,
    #[error("unsupported scheme `{scheme}:`")]
    #[fault(hint("write {ADDRESS_FORMS}"))]
    Scheme { scheme: String },
    #[error("it contains a user name or password")]
    #[fault(hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile"))]
    Credentials,
    #[error("`{server}` is not a server")]
    #[fault(hint("write a host or host:port, then the bucket: `s3e://host:9000/bucket/prefix`"))]
    Server { server: String },
    #[error("`{bucket}` is not a bucket name")]
    #[fault(hint("use 3 to 63 lower-case letters, digits, dots and hyphens"))]
    Bucket { bucket: String },
    #[error("`{prefix}` is not a usable prefix")]
    #[fault(hint("write plain components separated by `/`"))]
    Prefix { prefix: String },
    #[error("unknown setting `{name}`")]
    #[fault(hint("{SETTINGS}"))]
    UnknownSetting { name: String },
    #[error("invalid value in `{name}={value}`")]
    #[fault(hint("{SETTINGS}"))]
    Setting { name: String, value: String },
    /// Something about an `ais://` address or its variables.
    #[error("{reason}")]
    #[fault(hint(
        "write `ais://bucket/prefix?endpoint=http://host:port`; AIS_ENDPOINT stands in for the endpoint, and \
             AIS_AUTHN_TOKEN gives a token"
    ))]
    Cluster { reason: String },
}

/// For messages: what was understood, without secrets.
impl fmt::Display for PlaceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bucket = match self {
            Self::Folder(path) => return write!(formatter, "folder {}", path.display()),
            Self::Bucket(bucket) => bucket,
            Self::Cluster(cluster) => {
                write!(formatter, "cluster {cluster}")?;
                return cluster.endpoint.iter().try_for_each(|endpoint| write!(formatter, " endpoint={endpoint}"));
            }
        };
        write!(formatter, "bucket {}", bucket.bucket)?;
        let settings = [
            ("prefix", Some(bucket.prefix.as_str()).filter(|prefix| !prefix.is_empty())),
            ("endpoint", bucket.endpoint.as_ref().map(Url::as_str)),
            ("region", bucket.region.as_deref()),
            ("profile", bucket.profile.as_deref()),
            ("path-style", bucket.path_style.map(|it| if it { "true" } else { "false" })),
            ("anonymous", bucket.anonymous.then_some("true")),
        ];
        for (name, value) in settings {
            if let Some(value) = value {
                write!(formatter, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

impl PlaceAddress {
    /// `given` says in messages where the text came from: `--to`, a variable.
    pub fn parse(text: &str, given: &str) -> Result<Self, PlaceAddressError> {
        parse(text).map_err(|kind| PlaceAddressError { given: given.to_owned(), kind })
    }
}

fn parse(text: &str) -> Result<PlaceAddress, PlaceAddressErrorKind> {
    if text.trim().is_empty() {
        return Err(PlaceAddressErrorKind::Empty);
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        return bucket(rest).map(PlaceAddress::Bucket);
    }
    if text.starts_with("ais://") {
        let address = aistore_client::Address::parse(text);
        return address
            .map(PlaceAddress::Cluster)
            .map_err(|error| PlaceAddressErrorKind::Cluster { reason: error.to_string() });
    }
    if let Some(rest) = text.strip_prefix("s3e://") {
        return bucket_at_server(rest).map(PlaceAddress::Bucket);
    }
    if text.starts_with("file:") {
        let path = Url::parse(text).ok().and_then(|url| url.to_file_path().ok());
        return path
            .map(PlaceAddress::Folder)
            .ok_or_else(|| PlaceAddressErrorKind::Scheme { scheme: "file".to_owned() });
    }
    match text.split_once(':') {
        Some((scheme, _)) if is_scheme(scheme) => Err(PlaceAddressErrorKind::Scheme { scheme: scheme.to_owned() }),
        _ => Ok(PlaceAddress::Folder(PathBuf::from(text))),
    }
}

/// A single letter is a drive of Windows. `s3:/bucket`, with one slash, is a mistake and not a folder.
fn is_scheme(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.len() > 1 && text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(letter)
}

fn bucket(rest: &str) -> Result<BucketAddress, PlaceAddressErrorKind> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if path.contains('@') {
        return Err(PlaceAddressErrorKind::Credentials);
    }
    let in_bucket = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(in_bucket) {
        return Err(PlaceAddressErrorKind::Bucket { bucket: bucket.to_owned() });
    }
    let prefix = prefix.trim_end_matches('/');
    if !prefix.is_empty() && !prefix.split('/').all(is_plain_component) {
        return Err(PlaceAddressErrorKind::Prefix { prefix: prefix.to_owned() });
    }
    let mut address =
        BucketAddress { bucket: bucket.to_owned(), prefix: prefix.to_owned(), ..BucketAddress::default() };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        set(&mut address, &name, &value)?;
    }
    Ok(address)
}

/// `rest` is `host/bucket/prefix?…`; the server is named once.
fn bucket_at_server(rest: &str) -> Result<BucketAddress, PlaceAddressErrorKind> {
    let (server, rest) = rest.split_once('/').unwrap_or((rest, ""));
    if server.contains('@') {
        return Err(PlaceAddressErrorKind::Credentials);
    }
    let scheme = if vocab::unencrypted_host(&format!("http://{server}")).is_none() { "http" } else { "https" };
    // Only a host and a port: what else a URL can hold there would be dropped.
    let endpoint = Url::parse(&format!("{scheme}://{server}"))
        .ok()
        .filter(|url| url.host().is_some() && url.path() == "/" && url.query().is_none() && url.fragment().is_none());
    let endpoint = endpoint.ok_or_else(|| PlaceAddressErrorKind::Server { server: server.to_owned() })?;
    let mut address = bucket(rest)?;
    if let Some(other) = address.endpoint.replace(endpoint) {
        return Err(PlaceAddressErrorKind::Setting { name: "endpoint".to_owned(), value: other.to_string() });
    }
    Ok(address)
}

/// Means the same in a folder, in a bucket and in a URL.
fn is_plain_component(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+!".contains(&byte);
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(plain)
}

fn set(address: &mut BucketAddress, name: &str, value: &str) -> Result<(), PlaceAddressErrorKind> {
    let wrong = || PlaceAddressErrorKind::Setting { name: name.to_owned(), value: value.to_owned() };
    let truth = || value.parse::<bool>().map_err(|_| wrong());
    let word = || {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let good = !value.is_empty() && value.bytes().all(plain);
        good.then(|| value.to_owned()).ok_or_else(wrong)
    };
    match name {
        "endpoint" => {
            let url = Url::parse(value).map_err(|_| wrong())?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err(PlaceAddressErrorKind::Credentials);
            }
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
                return Err(wrong());
            }
            // Every request's path begins with its path; it cannot have a query.
            if url.query().is_some() || url.fragment().is_some() {
                return Err(wrong());
            }
            address.endpoint = Some(url);
        }
        "region" => address.region = Some(word()?),
        "profile" => address.profile = Some(word()?),
        "path-style" => address.path_style = Some(truth()?),
        "anonymous" => address.anonymous = truth()?,
        // Its value may be a secret.
        _ => return Err(PlaceAddressErrorKind::UnknownSetting { name: name.to_owned() }),
    }
    Ok(())
}

const SETTINGS: &str = "known are endpoint=https://host:port, region=NAME, profile=NAME, path-style=true|false and \
                        anonymous=true|false";

#[cfg(test)]
mod tests {
    use vocab::Exit;

    use super::*;

    fn told(text: &str) -> String {
        match PlaceAddress::parse(text, "PYDIST_PUBLISH_TO") {
            Ok(address) => address.to_string(),
            Err(error) => {
                assert_eq!(error.exit(), Exit::Usage, "for {text:?}");
                error.to_string()
            }
        }
    }

    #[test]
    fn a_folder_is_a_path_or_a_file_url() {
        let cases = [
            // (address, what it is)
            ("published", "folder published"),
            ("/srv/runtimes", "folder /srv/runtimes"),
            // A drive's letter is not a scheme, and a share not a URL.
            (r"C:\runtimes", r"folder C:\runtimes"),
            (r"\server\share\runtimes", r"folder \server\share\runtimes"),
            if cfg!(windows) {
                ("file:///C:/srv/runtimes", r"folder C:\srv\runtimes")
            } else {
                ("file:///srv/runtimes", "folder /srv/runtimes")
            },
        ];
        for (text, expected) in cases {
            assert_eq!(told(text), expected, "for {text:?}");
        }
    }

    /// Every program reads the same table in its own tests: case rule-s3-address.
    #[test]
    fn k4_an_address_is_understood_or_named_as_wrong() {
        let table = include_str!("../../../fixtures/store-address/addresses.json");
        let rows: Vec<serde_json::Value> = serde_json::from_str(table).unwrap();
        for row in rows {
            let text = row["address"].as_str().unwrap();
            let expected = match row["error"].as_str() {
                Some(reason) => format!("PYDIST_PUBLISH_TO: {reason}"),
                None => row["is"].as_str().unwrap().to_owned(),
            };
            assert_eq!(told(text), expected, "for {text:?}");
        }
    }
}
