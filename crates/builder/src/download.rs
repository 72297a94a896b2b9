//! Files by URL and digest, into the store. Skeleton: see the module's owner.

#[derive(Clone, Debug, Default)]
pub struct Downloader {}
