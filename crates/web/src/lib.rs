//! One HTTP request and what its redirects lead to: connections, proxies, credentials, time limits.
//!
//! The one idea: every rule about talking to a server is here once, and every decision about content is the caller's. A
//! [`WebClient`] sends a [`WebRequest`] and returns a [`WebAnswer`], whatever its status; a [`WebFailure`] means that
//! there was no answer. Each hop of a redirect gets its own proxy and its own credentials, so a password never reaches
//! another server. Whether to repeat a request, which bytes to ask for and where they go is up to the caller;
//! [`Retries`] says how to repeat.
//!
//! Nothing here reads the environment: the caller supplies proxies and credentials.
//!
//! ```
//! use web::{Proxies, Secret, without_secrets};
//!
//! let proxies = Proxies { https: Some(Secret::new("http://proxy.example:3128")), ..Proxies::of(&|_| None) };
//! let url = url::Url::parse("https://user:password@index.example/simple/?token=1")?;
//! assert!(proxies.for_url(&url).is_some());
//! assert_eq!(without_secrets(url.as_str()), "https://index.example/simple/");
//! # Ok::<(), url::ParseError>(())
//! ```
//!
//! Callers block. Without TLS, a request runs on the thread that waits for it; with TLS, on two threads that all clients of
//! a process share, so that requests to one HTTP/2 server share one connection. So nothing here may be called from within
//! an async runtime.

mod answer;
mod client;
mod connections;
mod content;
mod credentials;
mod failure;
mod host_names;
#[cfg(test)]
mod http2_tests;
mod lane;
mod limits;
mod pace;
mod proxies;
mod retry;
mod shown_url;
mod tls;
mod tls_advice;
mod upload;

pub use answer::{AnswerBody, WebAnswer};
pub use client::{WebClient, WebRequest};
pub use content::{ContentStream, RequestContent};
pub use credentials::{Credentials, Secret};
pub use failure::{FailureKind, WebFailure};
pub use http::{HeaderMap, HeaderName, Method, StatusCode, header};
pub use limits::WebLimits;
pub use pace::{Deadline, OverLimit, Pace, PaceMeter};
pub use proxies::Proxies;
pub use retry::{Retries, RetryChance, Setback, may_pass};
pub use shown_url::{without_credentials, without_secrets};
pub use tls::{ClientIdentity, Tls, TlsTrust, UnverifiedHost, system_bundle, system_has_authorities};
pub use tls_advice::tls_advice;
