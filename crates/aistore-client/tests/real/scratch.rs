//! Clients of a real cluster, and buckets that do not stay there.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aistore_client::{Bucket, BucketHandle, Client, CreateOptions, DestroyOptions, Settings};
use testkit::aistore::Cluster;

const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

/// For all tests that leave its configuration alone: two targets.
pub fn shared() -> Option<&'static Cluster> {
    Cluster::shared(TEMPORARY)
}

/// For tests that change its configuration, one after the other: one target.
pub fn changeable() -> Option<(&'static Cluster, MutexGuard<'static, ()>)> {
    Cluster::changeable(TEMPORARY)
}

/// For one test alone.
pub fn own(targets: usize) -> Option<Cluster> {
    Cluster::start(TEMPORARY, targets)
}

pub fn settings_of(cluster: &Cluster) -> Settings {
    let mut settings = Settings::new(cluster.endpoint());
    settings.retries.first_pause = Duration::from_millis(50);
    settings
}

pub fn client_of(cluster: &Cluster) -> Client {
    Client::new(settings_of(cluster)).unwrap()
}

/// A new bucket, destroyed at the end.
pub struct Scratch<'a> {
    pub bucket: BucketHandle<'a>,
}

impl<'a> Scratch<'a> {
    pub fn new(client: &'a Client) -> Self {
        Self::with(client, &CreateOptions::default())
    }

    pub fn with(client: &'a Client, options: &CreateOptions) -> Self {
        let bucket = client.bucket(Bucket::new(&fresh_name()).unwrap());
        bucket.create(options).unwrap();
        Self { bucket }
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        let _ = self.bucket.destroy(&DestroyOptions { missing_ok: true });
    }
}

/// Not used by another test.
pub fn fresh_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("s{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}
