//! What the tests of the publisher share: destinations of every kind, noise to send, a place to work.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

pub mod artifacts;
pub mod bench;
pub mod conformance;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use publisher::{
    Access, Destination, DestinationError, Former, Limits, ObjectKey, S3Destination, S3Settings, Upload, Uploaded, Work,
};
use testkit::S3Server;
use vocab::{Digest, Event, Fault, StoreAddress};

/// Quick to give up, and with parts small enough for tests.
pub fn settings(secret: &str) -> S3Settings {
    S3Settings {
        access: Access::Keys { key: S3Server::KEY.to_owned(), secret: secret.to_owned() },
        attempts: 3,
        first_pause: Duration::from_millis(5),
        patience: Duration::from_secs(20),
        limits: Limits { least: 5 << 20, sent: 10 << 20, copied: 10 << 20, steps: 10_000 },
        in_one: 6 << 20,
        ..S3Settings::default()
    }
}

pub fn bucket(endpoint: &str, prefix: &str, settings: S3Settings) -> S3Destination {
    bucket_named(S3Server::BUCKET, endpoint, prefix, settings)
}

pub fn bucket_named(bucket: &str, endpoint: &str, prefix: &str, settings: S3Settings) -> S3Destination {
    let address = format!("s3://{bucket}/{prefix}?region=eu-north-1&endpoint={endpoint}");
    match StoreAddress::parse(&address, "--to").unwrap() {
        StoreAddress::Bucket(address) => S3Destination::open(&address, settings).unwrap(),
        StoreAddress::Folder(_) => unreachable!("it begins with s3://"),
    }
}

pub fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

/// The same bytes for the same seed, and hard to compress.
pub fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state >> 16).to_le_bytes()[..4]);
    }
    bytes.truncate(size);
    bytes
}

/// What one upload needs, and what it told.
pub struct Sender {
    pub folder: tempfile::TempDir,
    pub cancelled: AtomicBool,
    pub events: Mutex<Vec<Event>>,
    next: AtomicU64,
}

impl Sender {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            cancelled: AtomicBool::new(false),
            events: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    pub fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(Digest::of(bytes).short());
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn send(
        &self,
        to: &dyn Destination,
        object: &ObjectKey,
        bytes: &[u8],
        former: Option<Former>,
    ) -> Result<Uploaded, DestinationError> {
        self.send_file(to, object, &self.file(bytes), bytes, former)
    }

    pub fn send_file(
        &self,
        to: &dyn Destination,
        object: &ObjectKey,
        file: &Path,
        bytes: &[u8],
        former: Option<Former>,
    ) -> Result<Uploaded, DestinationError> {
        let upload = Upload {
            key: object,
            file,
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
            former,
            overwrite: false,
            verdict: &|| Ok(()),
        };
        to.upload(&upload, &self.work(&|event| self.events.lock().unwrap().push(event)))
    }

    pub fn work<'a>(&'a self, tell: vocab::Tell<'a>) -> Work<'a> {
        Work { tell, cancelled: &self.cancelled, next: &self.next }
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
