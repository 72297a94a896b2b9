//! From an address and the environment to a bucket: region, endpoint, credentials.

use std::fs;
use std::time::Duration;

use rusty_s3::{Bucket, Credentials, UrlStyle};
use url::Url;
use vocab::{Environment, Fault};
use web::{Secret, WebClient};

use super::SignedBucket;
use super::profile::AwsProfile;
use crate::BucketAddress;
use crate::conditions::ConditionsKept;

/// Why the bucket of an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[fault("E_STORE_ADDRESS", Usage)]
pub enum ConnectError {
    #[error("{given} is not an http or https URL with a host, or does not match this bucket")]
    #[fault(hint("write `https://host:port`"))]
    Endpoint { given: &'static str },
    #[error("`profile={profile}`: no file of profiles holds access keys for it")]
    #[fault(hint(
        "only profiles with keys of their own are read here; for others run `eval \"$(aws configure \
             export-credentials --profile {profile} --format env)\"` and leave `profile=` out"
    ))]
    Profile { profile: String },
}

impl SignedBucket {
    /// Makes no request, and reads no file except a profile that the address names. `first_pause` is the pause before
    /// a second attempt.
    pub fn open(
        address: &BucketAddress,
        environment: &Environment,
        client: WebClient,
        first_pause: Duration,
    ) -> Result<Self, ConnectError> {
        let profile = match &address.profile {
            Some(name) => AwsProfile::find(name, environment, &|path| fs::read_to_string(path).ok())
                .ok_or_else(|| ConnectError::Profile { profile: name.clone() })?,
            None => AwsProfile::default(),
        };
        let region = address.region.as_deref();
        let region =
            region.or_else(|| environment.text("AWS_REGION")).or_else(|| environment.text("AWS_DEFAULT_REGION"));
        let region = region.or(profile.region.as_deref()).unwrap_or("us-east-1").to_owned();
        let (endpoint, given) = endpoint_of(address, environment, &profile, &region)?;
        let own = given != "AWS_REGION";
        // A name with a dot in it does not fit the certificate of the bucket's own host name.
        let in_path = address.path_style.unwrap_or(own || address.bucket.contains('.'));
        let style = if in_path { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(endpoint, style, address.bucket.clone(), region);
        let bucket = bucket.map_err(|_| ConnectError::Endpoint { given })?;
        let credentials =
            if address.anonymous { None } else { profile.credentials.or_else(|| credentials_of(environment)) };
        let separator = if address.prefix.is_empty() { "" } else { "/" };
        Ok(Self {
            bucket,
            credentials,
            prefix: format!("{}{separator}", address.prefix),
            place: format!("s3://{}{separator}{}", address.bucket, address.prefix),
            client,
            first_pause,
            conditions: ConditionsKept::default(),
        })
    }
}

/// And what names it. Its path ends with `/`: the bucket's name stands behind it.
fn endpoint_of(
    address: &BucketAddress,
    environment: &Environment,
    profile: &AwsProfile,
    region: &str,
) -> Result<(Url, &'static str), ConnectError> {
    let of_variable = |variable| environment.text(variable).map(|text| (text.to_owned(), variable));
    let (text, given) = address
        .endpoint
        .as_ref()
        .map(|url| (url.to_string(), "`endpoint=`"))
        .or_else(|| ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter().find_map(of_variable))
        .or_else(|| profile.endpoint.clone().map(|url| (url, "the profile's `endpoint_url`")))
        .unwrap_or_else(|| (format!("https://s3.{region}.amazonaws.com"), "AWS_REGION"));
    let url = Url::parse(&format!("{}/", text.trim_end_matches('/')));
    url.map(|url| (url, given)).map_err(|_| ConnectError::Endpoint { given })
}

/// Without both keys the requests are not signed, for public buckets.
fn credentials_of(environment: &Environment) -> Option<Secret<Credentials>> {
    let text = |name| environment.text(name).map(str::to_owned);
    let (key, secret) = text("AWS_ACCESS_KEY_ID").zip(text("AWS_SECRET_ACCESS_KEY"))?;
    Some(Secret::hiding(match text("AWS_SESSION_TOKEN") {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PlaceAddress;

    fn opened(address: &str, variables: &[(&str, &str)]) -> Result<String, ConnectError> {
        let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let PlaceAddress::Bucket(address) = PlaceAddress::parse(address, "--to").unwrap() else { unreachable!() };
        let client = WebClient::new(web::Proxies::default(), web::WebLimits::default());
        let bucket = SignedBucket::open(&address, &environment, client, Duration::ZERO)?;
        Ok(format!("{bucket:?}"))
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
        assert_eq!(wrong, Err(ConnectError::Endpoint { given: "AWS_ENDPOINT_URL" }));
    }
}
