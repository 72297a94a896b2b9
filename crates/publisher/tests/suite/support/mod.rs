//! What the tests of the publisher share: destinations of every kind, noise to send, a place to work.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

pub mod artifacts;
pub mod bench;
pub mod crowd;

use std::time::Duration;

use objects::PlaceAddress;
use objects_aws::{AwsAccess, AwsBucket, S3Settings, TransferLimits};
use testkit::S3Server;
use vocab::Fault;

pub use testkit::conformance::noise;

/// Quick to give up, and with parts small enough for tests.
pub fn settings(secret: &str) -> S3Settings {
    S3Settings {
        access: AwsAccess::Keys { key: S3Server::KEY.to_owned(), secret: objects_aws::Secret::new(secret) },
        attempts: 3,
        first_pause: Duration::from_millis(5),
        patience: Duration::from_secs(20),
        limits: TransferLimits { least: 5 << 20, sent: 10 << 20, copied: 10 << 20, steps: 10_000 },
        in_one: 6 << 20,
        ..S3Settings::default()
    }
}

pub fn bucket(endpoint: &str, prefix: &str, settings: S3Settings) -> AwsBucket {
    bucket_named(S3Server::BUCKET, endpoint, prefix, settings)
}

pub fn bucket_named(bucket: &str, endpoint: &str, prefix: &str, settings: S3Settings) -> AwsBucket {
    let address = format!("s3://{bucket}/{prefix}?region=eu-north-1&endpoint={endpoint}");
    match PlaceAddress::parse(&address, "--to").unwrap() {
        PlaceAddress::Bucket(address) => AwsBucket::open(&address, settings).unwrap(),
        _ => unreachable!("it begins with s3://"),
    }
}

/// An error as a user reads it.
pub fn told(fault: &dyn Fault) -> String {
    let mut text = fault.to_string();
    let mut source = std::error::Error::source(fault);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
