//! Clients of the fake server.

use std::time::Duration;

use aistore_client::{Bucket, BucketHandle, Client, Retries, Settings};
pub use testkit::aistore::{AIStoreMishap, AIStoreReply, AIStoreRequest, FakeAIStore, error, redirect, reply};

/// What a client is made with.
pub trait Ask {
    fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }

    /// With retries that do not wait.
    fn settings(&self) -> Settings;
}

impl Ask for FakeAIStore {
    fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.url(""));
        settings.redirect_wait = Duration::from_millis(300);
        settings.retries = Retries { attempts: 5, first_pause: Duration::ZERO };
        settings
    }
}

/// The bucket `b`.
pub fn bucket(client: &Client) -> BucketHandle<'_> {
    client.bucket(Bucket::new("b").unwrap())
}
