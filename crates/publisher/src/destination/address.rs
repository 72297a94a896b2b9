//! `--to`: a folder or a bucket, by its URL. Touches neither disk nor network.

use std::path::PathBuf;

use url::Url;
use vocab::{Exit, Fault};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Folder(PathBuf),
    Bucket(BucketAddress),
}

/// `s3://bucket/prefix?endpoint=…&region=…&profile=…&path-style=…&anonymous=…`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketAddress {
    pub bucket: String,
    /// Without `/` at its ends; may be empty.
    pub prefix: String,
    /// Instead of what the environment or the profile says; without user and password.
    pub endpoint: Option<Url>,
    pub region: Option<String>,
    pub profile: Option<String>,
    /// The bucket in the path instead of in the host name. Absent: wherever there is an endpoint of one's own.
    pub path_style: Option<bool>,
    /// Without credentials, for buckets that anybody may read.
    pub anonymous: bool,
}

/// The message begins with `given`: the option or variable that holds the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given}: {kind}")]
pub struct AddressError {
    pub given: &'static str,
    pub kind: AddressErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressErrorKind {
    #[error("it is empty")]
    Empty,
    #[error("`{scheme}:` is no place to publish to")]
    Scheme { scheme: String },
    #[error("it holds a user or a password")]
    Credentials,
    #[error("`{bucket}` is no bucket name")]
    Bucket { bucket: String },
    #[error("`{prefix}` is no usable prefix")]
    Prefix { prefix: String },
    #[error("`{name}={value}` is not understood")]
    Setting { name: String, value: String },
}

impl Fault for AddressError {
    fn code(&self) -> &'static str {
        "E_DESTINATION_ADDRESS"
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match &self.kind {
            AddressErrorKind::Empty | AddressErrorKind::Scheme { .. } => {
                "write a path, `file:///path` or `s3://bucket/prefix`".to_owned()
            }
            AddressErrorKind::Credentials => {
                "give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or in a profile".to_owned()
            }
            AddressErrorKind::Bucket { .. } => "3 to 63 lower-case letters, digits, dots and hyphens".to_owned(),
            AddressErrorKind::Prefix { .. } => "write plain components with `/` between them".to_owned(),
            AddressErrorKind::Setting { .. } => {
                "known are endpoint=https://host:port, region=NAME, profile=NAME, path-style=true|false and \
                 anonymous=true|false"
                    .to_owned()
            }
        })
    }
}

impl Address {
    /// `given` names in messages where the text came from: `--to`, a variable.
    pub fn parse(text: &str, given: &'static str) -> Result<Self, AddressError> {
        parse(text).map_err(|kind| AddressError { given, kind })
    }
}

fn parse(text: &str) -> Result<Address, AddressErrorKind> {
    if text.trim().is_empty() {
        return Err(AddressErrorKind::Empty);
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        return bucket(rest).map(Address::Bucket);
    }
    if text.starts_with("file:") {
        let path = Url::parse(text).ok().and_then(|url| url.to_file_path().ok());
        return path.map(Address::Folder).ok_or_else(|| AddressErrorKind::Scheme { scheme: "file".to_owned() });
    }
    match text.split_once("://") {
        Some((scheme, _)) => Err(AddressErrorKind::Scheme { scheme: scheme.to_owned() }),
        None => Ok(Address::Folder(PathBuf::from(text))),
    }
}

fn bucket(rest: &str) -> Result<BucketAddress, AddressErrorKind> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if bucket.contains('@') {
        return Err(AddressErrorKind::Credentials);
    }
    let in_bucket = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(in_bucket) {
        return Err(AddressErrorKind::Bucket { bucket: bucket.to_owned() });
    }
    let prefix = prefix.trim_end_matches('/');
    if !prefix.is_empty() && prefix.parse::<crate::ObjectKey>().is_err() {
        return Err(AddressErrorKind::Prefix { prefix: prefix.to_owned() });
    }
    let mut address =
        BucketAddress { bucket: bucket.to_owned(), prefix: prefix.to_owned(), ..BucketAddress::default() };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        set(&mut address, &name, &value)?;
    }
    Ok(address)
}

fn set(address: &mut BucketAddress, name: &str, value: &str) -> Result<(), AddressErrorKind> {
    let wrong = || AddressErrorKind::Setting { name: name.to_owned(), value: value.to_owned() };
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
                return Err(AddressErrorKind::Credentials);
            }
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.query().is_some() {
                return Err(wrong());
            }
            address.endpoint = Some(url);
        }
        "region" => address.region = Some(word()?),
        "profile" => address.profile = Some(word()?),
        "path-style" => address.path_style = Some(truth()?),
        "anonymous" => address.anonymous = truth()?,
        _ => return Err(wrong()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k4_an_address_is_understood_or_named_as_wrong() {
        let cases = [
            // (address, what it is)
            ("published", "folder published"),
            ("/srv/runtimes", "folder /srv/runtimes"),
            // A drive's letter is no scheme, and a share no URL.
            (r"C:\runtimes", r"folder C:\runtimes"),
            (r"\\server\share\runtimes", r"folder \\server\share\runtimes"),
            if cfg!(windows) {
                ("file:///C:/srv/runtimes", r"folder C:\srv\runtimes")
            } else {
                ("file:///srv/runtimes", "folder /srv/runtimes")
            },
            ("s3://bucket", "bucket `` None None"),
            ("s3://bucket/a/b/", "bucket `a/b` None None"),
            (
                "s3://bucket/a?endpoint=http://127.0.0.1:9000&region=eu-1",
                "bucket `a` Some(\"http://127.0.0.1:9000/\") Some(\"eu-1\")",
            ),
            ("", "PYDIST_PUBLISH_TO: it is empty"),
            ("http://host/x", "PYDIST_PUBLISH_TO: `http:` is no place to publish to"),
            ("s3://", "PYDIST_PUBLISH_TO: `` is no bucket name"),
            ("s3://Bucket", "PYDIST_PUBLISH_TO: `Bucket` is no bucket name"),
            ("s3://key:secret@bucket", "PYDIST_PUBLISH_TO: it holds a user or a password"),
            ("s3://bucket/a/../b", "PYDIST_PUBLISH_TO: `a/../b` is no usable prefix"),
            ("s3://bucket?endpoint=http://key:secret@host", "PYDIST_PUBLISH_TO: it holds a user or a password"),
            ("s3://bucket?region=", "PYDIST_PUBLISH_TO: `region=` is not understood"),
            ("s3://bucket?region=eu%201", "PYDIST_PUBLISH_TO: `region=eu 1` is not understood"),
            ("s3://bucket?path-style=maybe", "PYDIST_PUBLISH_TO: `path-style=maybe` is not understood"),
            ("s3://bucket?acl=x", "PYDIST_PUBLISH_TO: `acl=x` is not understood"),
        ];
        for (text, expected) in cases {
            let told = match Address::parse(text, "PYDIST_PUBLISH_TO") {
                Ok(Address::Folder(path)) => format!("folder {}", path.display()),
                Ok(Address::Bucket(it)) => {
                    let endpoint = it.endpoint.as_ref().map(Url::as_str);
                    format!("bucket `{}` {endpoint:?} {:?}", it.prefix, it.region)
                }
                Err(error) => {
                    assert_eq!(error.exit(), Exit::Usage, "for {text:?}");
                    error.to_string()
                }
            };
            assert_eq!(told, expected, "for {text:?}");
        }
    }
}
