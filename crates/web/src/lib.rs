//! One request over HTTP and what its redirects lead to: connections, proxies, credentials, limits of time.
//!
//! Trying again, ranges, digests and where the bytes go belong to who asks. Nothing here reads the environment: who
//! asks says which proxies there are and which credentials a host gets.

mod client;
mod credentials;
mod failure;
mod pace;
mod place;
mod proxies;

pub use client::{Answer, Ask, Client, Limits};
pub use credentials::{Credentials, Secret};
pub use failure::{Failure, FailureKind};
pub use pace::{Body, Deadline, Meter, OverLimit, Pace};
pub use place::without_secrets;
pub use proxies::Proxies;

pub use ureq;
