//! Looking up the names of hosts.

use std::fmt;
use std::io;
use std::net::ToSocketAddrs as _;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver, with an error that can be distinguished from others.
pub(crate) struct SystemResolver;

/// Also when no name server answers.
#[derive(Debug)]
pub(crate) struct NameUnknown(io::Error);

impl fmt::Display for NameUnknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the name does not resolve: {}", self.0)
    }
}

impl std::error::Error for NameUnknown {}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || (name.as_str(), 0).to_socket_addrs()).await?;
            let addresses: Addrs = Box::new(found.map_err(NameUnknown)?);
            Ok(addresses)
        })
    }
}
