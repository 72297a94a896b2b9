//! `ais://bucket/prefix?endpoint=http://host:port`: a place in a cluster, as one text.

use std::fmt;

use crate::client::endpoint;
use crate::names::invalid;
use crate::{Bucket, Error, Namespace, ObjectName, Provider};

/// Parsing touches no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub bucket: Bucket,
    /// Without `/` at its ends; may be empty.
    pub prefix: String,
    /// A URL, without user and password.
    pub endpoint: String,
}

impl Address {
    /// `default_endpoint` counts where the address names none.
    ///
    /// # Errors
    /// Another scheme, a user or password, an invalid bucket or prefix, an unknown setting, or no endpoint at all.
    pub fn parse(text: &str, default_endpoint: Option<&str>) -> Result<Self, Error> {
        let wrong = |reason: &str| invalid("address", &web::without_secrets(text), reason);
        let rest = text.strip_prefix("ais://").ok_or_else(|| wrong("it does not begin with `ais://`"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.contains('@') || bucket.contains(':') {
            return Err(wrong("it holds a user or a password; set AIS_AUTHN_TOKEN"));
        }
        if bucket.is_empty() {
            return Err(wrong("it names no bucket"));
        }
        let mut bucket = Bucket::new(bucket)?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.is_empty() {
            ObjectName::new(prefix)?;
            if prefix.contains(['%', '#']) {
                return Err(wrong("the prefix holds `%` or `#`; write plain components with `/` between them"));
            }
        }
        let (mut named, mut uuid, mut namespace) = (None, String::new(), String::new());
        for setting in query.split('&').filter(|setting| !setting.is_empty()) {
            match setting.split_once('=') {
                Some(("endpoint", value)) => named = Some(value),
                Some(("provider", value)) => bucket = bucket.of(value.parse::<Provider>()?),
                Some(("namespace", value)) => value.clone_into(&mut namespace),
                Some(("cluster", value)) => value.clone_into(&mut uuid),
                _ => return Err(wrong("known settings are endpoint, provider, namespace and cluster")),
            }
        }
        let server = named.or(default_endpoint);
        let server = server.ok_or_else(|| wrong("it has no endpoint: add `?endpoint=http://host:port`"))?;
        endpoint(server)?;
        let bucket = bucket.within(Namespace::new(&uuid, &namespace)?);
        Ok(Self { bucket, prefix: prefix.to_owned(), endpoint: server.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(formatter, "/{}", self.prefix)?;
        }
        write!(formatter, " at {}", self.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Option<&str> = Some("http://h:1");

    #[test]
    fn an_address_names_bucket_prefix_and_endpoint() {
        let address = Address::parse("ais://demo/a/b/?endpoint=http://h:8080/gate&provider=s3", None).unwrap();
        assert_eq!((address.bucket.name(), address.prefix.as_str()), ("demo", "a/b"));
        assert_eq!((address.bucket.provider(), address.endpoint.as_str()), (Provider::Aws, "http://h:8080/gate"));
        let bare = Address::parse("ais://demo", SERVER).unwrap();
        assert_eq!((bare.prefix.as_str(), bare.endpoint.as_str()), ("", "http://h:1"));
    }

    #[test]
    fn ais_a12_a_wrong_address_is_one_clear_error_before_any_request() {
        let cases = [
            ("ais://b", None, "it has no endpoint"),
            ("ais:///x", SERVER, "it names no bucket"),
            ("ais://", SERVER, "it names no bucket"),
            ("ais://B%2F", SERVER, "`B%2F` is not a valid bucket name"),
            ("ais://ada:pw@b/x", SERVER, "it holds a user or a password"),
            ("ais://b/x?endpoint=http://ada:pw@h:1", None, "it holds a user or a password"),
            ("ais://b/x?endpoint=ftp://h", None, "write http://host:port"),
            ("ais://b/../x", SERVER, "it has a component `.` or `..`"),
            ("ais://b/x%20y", SERVER, "the prefix holds `%`"),
            ("ais://b?what=x", SERVER, "known settings are"),
            ("s3://b", SERVER, "does not begin with `ais://`"),
        ];
        for (text, server, expected) in cases {
            let error = Address::parse(text, server).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("pw"), "{error}");
        }
    }
}
