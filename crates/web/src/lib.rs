//! One request over HTTP and what its redirects lead to: connections, proxies, credentials, limits of time.
//!
//! What is tried again, ranges, digests and where the bytes go are the caller's business; how it is tried again, is
//! [`Retries`]. Nothing here reads the environment:
//! the caller says which proxies there are and which credentials a host gets.
//!
//! Callers block; HTTP itself runs on two threads that all clients of a process share. So nothing here may be called
//! from within an async runtime. Requests to one HTTP/2 server share one connection.

mod answer;
mod client;
mod connections;
mod content;
mod credentials;
mod failure;
#[cfg(test)]
mod http2_tests;
mod pace;
mod proxies;
mod retry;
mod shown_url;
mod tls;
mod upload;

pub use answer::{Answer, Body};
pub use client::{Ask, Client, Limits};
pub use content::{Content, Stream};
pub use credentials::{Credentials, Secret};
pub use failure::{Failure, FailureKind};
pub use http::{HeaderMap, HeaderName, Method, StatusCode, header};
pub use pace::{Deadline, Meter, OverLimit, Pace};
pub use proxies::Proxies;
pub use retry::{Chance, Retries, Setback, may_pass};
pub use shown_url::without_secrets;
pub use tls::{Identity, Tls, Trust};
