//! `--remote-store`: from an address and the environment to a store.

use std::fs;

use objects::{BucketAddress, PlaceAddress, PlaceAddressError};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use url::Url;
use vocab::{Exit, Fault};

use super::profile::Profile;
use super::{BucketStore, FolderStore, Remote, RemoteStore};
use crate::download::Downloader;
use vocab::Environment;

/// What the user said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    pub address: String,
    /// The option or variable that holds the address, for messages.
    pub given: &'static str,
    pub read_only: bool,
    /// What goes wrong with it is an error at the end of the step rather than a warning.
    pub strict: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error(transparent)]
    Address(#[from] PlaceAddressError),
    #[error("{given} is not an http or https URL with a host, or does not go with this bucket")]
    Endpoint { given: &'static str },
    #[error("`profile={profile}`: no file of profiles holds access keys for it")]
    Profile { profile: String },
}

impl Fault for AddressError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address(error) => error.code(),
            Self::Endpoint { .. } | Self::Profile { .. } => "E_STORE_ADDRESS",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Address(error) => error.hint(),
            Self::Endpoint { .. } => Some("write `https://host:port`".to_owned()),
            Self::Profile { profile } => Some(format!(
                "only profiles with keys of their own are read here; for others run \
                 `eval \"$(aws configure export-credentials --profile {profile} --format env)\"` and leave `profile=` out"
            )),
        }
    }
}

/// `Ok(None)` for a bucket while `offline`. Touches no network, and no disk but a profile that the address names.
pub fn open(
    settings: &RemoteSettings,
    environment: &Environment,
    downloader: &Downloader,
    offline: bool,
) -> Result<Option<Remote>, AddressError> {
    let store: Box<dyn RemoteStore> = match PlaceAddress::parse(&settings.address, settings.given)? {
        PlaceAddress::Folder(folder) => Box::new(FolderStore::new(folder)),
        PlaceAddress::Bucket(_) if offline => return Ok(None),
        PlaceAddress::Bucket(address) => Box::new(bucket_of(&address, environment, downloader)?),
    };
    Ok(Some(Remote::new(store, settings)))
}

fn bucket_of(
    address: &BucketAddress,
    environment: &Environment,
    downloader: &Downloader,
) -> Result<BucketStore, AddressError> {
    let profile = match &address.profile {
        Some(name) => Profile::find(name, environment, &|path| fs::read_to_string(path).ok())
            .ok_or_else(|| AddressError::Profile { profile: name.clone() })?,
        None => Profile::default(),
    };
    let region = address.region.as_deref();
    let region = region.or_else(|| environment.text("AWS_REGION")).or_else(|| environment.text("AWS_DEFAULT_REGION"));
    let region = region.or(profile.region.as_deref()).unwrap_or("us-east-1").to_owned();
    let (endpoint, given) = endpoint_of(address, environment, &profile, &region)?;
    let own = given != "AWS_REGION";
    // A name with a dot in it does not fit the certificate of the bucket's own host name.
    let in_path = address.path_style.unwrap_or(own || address.bucket.contains('.'));
    let style = if in_path { UrlStyle::Path } else { UrlStyle::VirtualHost };
    let bucket = Bucket::new(endpoint, style, address.bucket.clone(), region);
    let bucket = bucket.map_err(|_| AddressError::Endpoint { given })?;
    let credentials =
        if address.anonymous { None } else { profile.credentials.or_else(|| credentials_of(environment)) };
    Ok(BucketStore::new(bucket, credentials, &address.prefix, downloader.clone()))
}

/// And what names it. Its path ends with `/`: the bucket's name stands behind it.
fn endpoint_of(
    address: &BucketAddress,
    environment: &Environment,
    profile: &Profile,
    region: &str,
) -> Result<(Url, &'static str), AddressError> {
    let of_variable = |variable| environment.text(variable).map(|text| (text.to_owned(), variable));
    let (text, given) = address
        .endpoint
        .as_ref()
        .map(|url| (url.to_string(), "`endpoint=`"))
        .or_else(|| ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter().find_map(of_variable))
        .or_else(|| profile.endpoint.clone().map(|url| (url, "the profile's `endpoint_url`")))
        .unwrap_or_else(|| (format!("https://s3.{region}.amazonaws.com"), "AWS_REGION"));
    let url = Url::parse(&format!("{}/", text.trim_end_matches('/')));
    url.map(|url| (url, given)).map_err(|_| AddressError::Endpoint { given })
}

/// Without both keys the requests are not signed, for buckets that anybody may read.
fn credentials_of(environment: &Environment) -> Option<Credentials> {
    let text = |name| environment.text(name).map(str::to_owned);
    let (key, secret) = text("AWS_ACCESS_KEY_ID").zip(text("AWS_SECRET_ACCESS_KEY"))?;
    Some(match text("AWS_SESSION_TOKEN") {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(address: &str, variables: &[(&str, &str)]) -> Result<String, AddressError> {
        let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let settings =
            RemoteSettings { address: address.to_owned(), given: "--remote-store", read_only: false, strict: false };
        let remote = open(&settings, &environment, &Downloader::default(), false)?;
        Ok(format!("{:?}", remote.expect("not offline")))
    }

    #[test]
    fn case_rule_s3_address_every_address_means_what_it_means_to_the_publisher() {
        let table = include_str!("../../../../fixtures/store-address/addresses.json");
        let rows: Vec<serde_json::Value> = serde_json::from_str(table).unwrap();
        for row in rows {
            let address = row["address"].as_str().unwrap();
            match (opened(address, &[]), row["error"].as_str()) {
                (Ok(_), None) => {}
                // No machine of a test has this profile; the address itself was understood.
                (Err(AddressError::Profile { profile }), None) => {
                    assert!(address.contains(&profile), "for {address:?}");
                }
                (Err(error), Some(reason)) => {
                    assert_eq!(error.to_string(), format!("--remote-store: {reason}"), "for {address:?}");
                }
                (found, expected) => panic!("for {address:?}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn the_address_says_endpoint_region_and_style_before_the_environment() {
        let variables = [("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"), ("AWS_REGION", "eu-north-1")];
        let cases = [
            // (address, its bucket's URL, its region)
            ("s3://bucket/p?endpoint=http://127.0.0.1:9", "http://127.0.0.1:9/bucket/", "eu-north-1"),
            ("s3://bucket?endpoint=http://127.0.0.1:9/s3&region=eu-1", "http://127.0.0.1:9/s3/bucket/", "eu-1"),
            ("s3://bucket?endpoint=http://h.example/s3/&path-style=true", "http://h.example/s3/bucket/", "eu-north-1"),
            ("s3://bucket?endpoint=http://h.example&path-style=false", "http://bucket.h.example/", "eu-north-1"),
            ("s3://bucket?region=eu-2", "http://127.0.0.1:1/bucket/", "eu-2"),
        ];
        for (address, url, region) in cases {
            let shown = opened(address, &variables).unwrap();
            assert!(
                shown.contains(&format!("\"{url}\"")) && shown.contains(&format!("\"{region}\"")),
                "{address}: {shown}"
            );
        }
        let shown = opened("s3://bucket", &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1/s3")]).unwrap();
        assert!(shown.contains("\"http://127.0.0.1:1/s3/bucket/\""), "{shown}");
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
        assert_eq!(wrong, Err(AddressError::Endpoint { given: "AWS_ENDPOINT_URL" }));
    }
}
