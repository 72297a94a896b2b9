//! From settings to a client: region, endpoint, credentials, HTTP.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
    SharedCredentialsProvider,
};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use objects::BucketAddress;
use web::{Pace, Secret, WebLimits};

use crate::transfer_plan::TransferLimits;

/// Region of a server without regions; signatures need some name.
const NO_REGION: &str = "us-east-1";

/// Settings of a destination besides its address.
#[derive(Clone, Debug)]
pub struct S3Settings {
    pub access: AwsAccess,
    /// How often a request is tried before it fails.
    pub attempts: u32,
    /// Pause before the second attempt; later ones wait longer.
    pub first_pause: Duration,
    /// Limit for one attempt of one request, such as sending a part or joining thousands.
    pub patience: Duration,
    /// The longest silence in the middle of a request or its answer.
    pub stall: Duration,
    /// A transfer from a slower server fails.
    pub pace: Pace,
    /// Number of parts in flight at once.
    pub side_by_side: usize,
    /// A PEM file of certificates to trust in addition to the system's.
    pub certificates: Option<PathBuf>,
    pub limits: TransferLimits,
    /// Files smaller than this, in bytes, are sent in one request.
    pub in_one: u64,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            access: AwsAccess::Usual,
            attempts: 6,
            first_pause: Duration::from_millis(200),
            patience: Duration::from_secs(600),
            stall: WebLimits::default().stall,
            pace: Pace::default(),
            side_by_side: 8,
            certificates: None,
            limits: TransferLimits::S3,
            in_one: 12 << 20,
        }
    }
}

/// Where credentials come from.
#[derive(Clone, Debug, Default)]
pub enum AwsAccess {
    /// Environment, profile (also with a process or a role), web identity, container, instance: as the AWS tools do.
    #[default]
    Usual,
    Keys {
        key: String,
        secret: Secret,
    },
}

/// Makes no connection, except to fetch credentials. The error is a sentence.
pub(super) async fn client(address: &BucketAddress, settings: &S3Settings) -> Result<aws_sdk_s3::Client, String> {
    let mut regions = RegionProviderChain::first_try(address.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new());
    let mut profile_region = ProfileFileRegionProvider::builder();
    if let Some(profile) = &address.profile {
        profile_region = profile_region.profile_name(profile);
    }
    // Not the instance's own region: asking for it takes seconds everywhere else.
    regions = regions.or_else(profile_region.build()).or_else(Region::new(NO_REGION));

    let timeouts = TimeoutConfig::builder()
        .connect_timeout(WebLimits::default().connect.min(settings.patience))
        .operation_attempt_timeout(settings.patience)
        .build();
    let retries =
        RetryConfig::standard().with_max_attempts(settings.attempts).with_initial_backoff(settings.first_pause);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(regions)
        .http_client(http_client(settings)?)
        .timeout_config(timeouts)
        // It holds for a byte a second or less; what is slow beyond that is for `Bucket::receive`.
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(settings.stall).build())
        .retry_config(retries);
    if let Some(profile) = &address.profile {
        loader = loader.profile_name(profile);
    }
    match &settings.access {
        _ if address.anonymous => loader = loader.no_credentials(),
        AwsAccess::Usual => {}
        AwsAccess::Keys { key, secret } => {
            let credentials = Credentials::new(key, secret.reveal(), None, None, "given");
            loader = loader.credentials_provider(SharedCredentialsProvider::new(credentials));
        }
    }
    let shared = loader.load().await;
    let endpoint = endpoint_of(address, &shared);
    // A name with a dot in it does not fit the certificate of the bucket's own host name.
    let own = endpoint.is_some() || address.bucket.contains('.');
    let mut builder = aws_sdk_s3::config::Builder::from(&shared);
    builder.set_endpoint_url(endpoint);
    let config = builder
        .force_path_style(address.path_style.unwrap_or(own))
        // Checksums are known before a request begins, and given with it.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenSupported)
        .build();
    Ok(aws_sdk_s3::Client::from_conf(config))
}

/// The address's own, or what environment or profile say. It ends with `/`: the client puts the bucket right behind it,
/// whatever its path.
fn endpoint_of(address: &BucketAddress, shared: &SdkConfig) -> Option<String> {
    // As the client itself looks it up.
    let of_s3 = || {
        let key = ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        shared.service_config()?.load_config(key.ok()?)
    };
    let given = address.endpoint.as_ref().map(|url| url.as_str().to_owned());
    let endpoint = given.or_else(of_s3).or_else(|| shared.endpoint_url().map(str::to_owned))?;
    Some(format!("{}/", endpoint.trim_end_matches('/')))
}

fn http_client(settings: &S3Settings) -> Result<aws_sdk_s3::config::SharedHttpClient, String> {
    let mut trusted = TrustStore::default();
    if let Some(path) = &settings.certificates {
        let pem = std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        trusted = trusted.with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(trusted).build().map_err(|error| error.to_string())?;
    let proxies = ProxyConfig::from_env();
    Ok(aws_smithy_http_client::Builder::new().build_with_connector_fn(move |given, components| {
        let mut connector = Connector::builder().proxy_config(proxies.clone()).enable_tcp_nodelay(true);
        if let Some(given) = given {
            connector = connector.connector_settings(given.clone());
        }
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context.clone()).build()
    }))
}
