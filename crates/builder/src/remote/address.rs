//! `--remote-store`: a folder or a bucket, by its URL.

use std::path::PathBuf;

use rusty_s3::{Bucket, Credentials, UrlStyle};
use url::Url;
use vocab::{Exit, Fault};

use super::{BucketStore, FolderStore, Remote, RemoteStore};
use crate::context::Environment;
use crate::download::Downloader;

/// What the user said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// A path, a `file:` URL, or `s3://bucket/prefix`.
    pub address: String,
    pub read_only: bool,
    /// What goes wrong with it is an error at the end of the step rather than a warning.
    pub strict: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the remote store's address is neither a folder nor `s3://bucket/prefix`")]
    Unknown,
    #[error("the remote store's address holds a user or a password")]
    Credentials,
    #[error("`{prefix}` in the remote store's address is no usable prefix")]
    Prefix { prefix: String },
    #[error("{variable} is no http or https URL with a host, or does not go with this bucket")]
    Endpoint { variable: &'static str },
}

impl Fault for AddressError {
    fn code(&self) -> &'static str {
        "E_REMOTE_STORE_ADDRESS"
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown => "write a path, `file:///path` or `s3://bucket/prefix`".into(),
            Self::Credentials => "give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into(),
            Self::Prefix { .. } => "write plain components with `/` between them".into(),
            Self::Endpoint { .. } => "write `https://host:port`".into(),
        })
    }
}

/// `Ok(None)` for a bucket while `offline`. Touches neither disk nor network.
pub fn open(
    settings: &RemoteSettings,
    environment: &Environment,
    downloader: &Downloader,
    offline: bool,
) -> Result<Option<Remote>, AddressError> {
    let store: Box<dyn RemoteStore> = match folder_of(&settings.address)? {
        Some(folder) => Box::new(FolderStore::new(folder)),
        None if offline => return Ok(None),
        None => Box::new(bucket_of(&settings.address, environment, downloader)?),
    };
    Ok(Some(Remote::new(store, settings)))
}

/// `None` for a bucket.
fn folder_of(address: &str) -> Result<Option<PathBuf>, AddressError> {
    if address.starts_with("s3://") {
        return Ok(None);
    }
    if address.starts_with("file:") {
        let path = Url::parse(address).ok().and_then(|url| url.to_file_path().ok());
        return path.map(Some).ok_or(AddressError::Unknown);
    }
    if address.contains("://") || address.is_empty() {
        return Err(AddressError::Unknown);
    }
    Ok(Some(PathBuf::from(address)))
}

fn bucket_of(address: &str, environment: &Environment, downloader: &Downloader) -> Result<BucketStore, AddressError> {
    let rest = address.strip_prefix("s3://").ok_or(AddressError::Unknown)?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if name.contains('@') {
        return Err(AddressError::Credentials);
    }
    let plain = |text: &str| text.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.'));
    if name.is_empty() || !plain(name) {
        return Err(AddressError::Unknown);
    }
    let prefix = prefix.trim_end_matches('/');
    let components = || prefix.split('/');
    if !prefix.is_empty() && !components().all(|it| plain(it) && !matches!(it, "" | "." | "..")) {
        return Err(AddressError::Prefix { prefix: prefix.to_owned() });
    }
    let region = environment.text("AWS_REGION").or_else(|| environment.text("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or("us-east-1").to_owned();
    let given = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|variable| Some((variable, environment.text(variable)?)));
    let variable = given.map_or("AWS_REGION", |(variable, _)| variable);
    let endpoint = given.map_or_else(|| format!("https://s3.{region}.amazonaws.com"), |(_, url)| url.to_owned());
    let endpoint = Url::parse(&endpoint).map_err(|_| AddressError::Endpoint { variable })?;
    // A name with a dot in it does not fit the certificate of the bucket's own host name.
    let style = if given.is_some() || name.contains('.') { UrlStyle::Path } else { UrlStyle::VirtualHost };
    let bucket =
        Bucket::new(endpoint, style, name.to_owned(), region).map_err(|_| AddressError::Endpoint { variable })?;
    let text = |name| environment.text(name).map(str::to_owned);
    // Without both the requests are not signed, for buckets that anybody may read.
    let credentials = text("AWS_ACCESS_KEY_ID").zip(text("AWS_SECRET_ACCESS_KEY")).map(|(key, secret)| {
        match text("AWS_SESSION_TOKEN") {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        }
    });
    Ok(BucketStore::new(bucket, credentials, prefix, downloader.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(address: &str, variables: &[(&str, &str)]) -> Result<String, AddressError> {
        let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let settings = RemoteSettings { address: address.to_owned(), read_only: false, strict: false };
        let remote = open(&settings, &environment, &Downloader::default(), false)?;
        Ok(format!("{:?}", remote.expect("not offline")))
    }

    #[test]
    fn an_address_is_a_folder_or_a_bucket() {
        let cases = [
            // (address, what its place is)
            ("/srv/store", Ok("/srv/store")),
            ("relative/store", Ok("relative/store")),
            // A drive's letter is no scheme, and a share no URL. Shown as Rust writes a text, with two for each.
            (r"C:\store", Ok(r"C:\\store")),
            (r"\\server\share\store", Ok(r"\\\\server\\share\\store")),
            ("s3://bucket", Ok("s3://bucket")),
            ("s3://bucket/a/b/", Ok("s3://bucket/a/b")),
            ("s3://", Err(AddressError::Unknown)),
            ("https://host/store", Err(AddressError::Unknown)),
            ("s3://key:secret@bucket/a", Err(AddressError::Credentials)),
            ("s3://bucket/a/../b", Err(AddressError::Prefix { prefix: "a/../b".into() })),
        ];
        for (address, expected) in cases {
            match (opened(address, &[]), expected) {
                (Ok(shown), Ok(place)) => assert!(shown.contains(place), "for {address}: {shown}"),
                (found, expected) => assert_eq!(found.err(), expected.err(), "for {address}"),
            }
        }
    }

    #[test]
    fn the_environment_names_endpoint_region_and_credentials_and_nothing_shows_these() {
        let variables = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000"),
            ("AWS_REGION", "eu-north-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDKEY"),
            ("AWS_SECRET_ACCESS_KEY", "SECRET"),
        ];
        let shown = opened("s3://bucket/a", &variables).unwrap();
        assert!(shown.contains("http://127.0.0.1:9000/bucket/") && shown.contains("eu-north-1"), "{shown}");
        assert!(!shown.contains("AKIDKEY") && !shown.contains("SECRET"), "{shown}");
        let shown = opened("s3://bucket", &[("AWS_DEFAULT_REGION", "eu-west-1")]).unwrap();
        assert!(shown.contains("https://bucket.s3.eu-west-1.amazonaws.com/"), "{shown}");
        let wrong = opened("s3://bucket", &[("AWS_ENDPOINT_URL", "host")]);
        assert_eq!(wrong, Err(AddressError::Endpoint { variable: "AWS_ENDPOINT_URL" }));
    }
}
