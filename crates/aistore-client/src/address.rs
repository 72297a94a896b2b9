//! `ais://bucket/prefix?endpoint=http://host:port`: a place in a cluster, as one text.

use std::fmt;

use crate::endpoint::endpoint;
use crate::names::invalid;
use crate::{Bucket, Error, Namespace, ObjectName, Provider};

/// Parsing touches no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub bucket: Bucket,
    /// Without `/` at its ends; may be empty.
    pub prefix: String,
    /// A URL, without user and password. Absent: that of `AIS_ENDPOINT`.
    pub endpoint: Option<String>,
}

impl Address {
    /// # Errors
    /// Another scheme, a user or password, an invalid bucket or prefix, an unknown setting, or an endpoint that is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| invalid("address", &web::without_secrets(text), reason);
        let rest = text.strip_prefix("ais://").ok_or_else(|| wrong("it does not begin with `ais://`"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if path.contains('@') || bucket.contains(':') {
            return Err(invalid("address", "ais://…", "it contains a user name or password; set AIS_AUTHN_TOKEN"));
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
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "endpoint" => named = Some(endpoint(&value).map(|_| value.into_owned())?),
                "provider" => bucket = bucket.of(value.parse::<Provider>()?),
                "namespace" => namespace = value.into_owned(),
                "cluster" => uuid = value.into_owned(),
                _ => return Err(wrong("known settings are endpoint, provider, namespace and cluster")),
            }
        }
        let bucket = bucket.within(Namespace::new(&uuid, &namespace)?);
        Ok(Self { bucket, prefix: prefix.to_owned(), endpoint: named })
    }
}

/// Without its endpoint: `ais://bucket/prefix`.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(formatter, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn an_address_names_bucket_prefix_and_endpoint() {
        let address = Address::parse("ais://demo/a/b/?endpoint=http://h:8080/gate&provider=s3").unwrap();
        assert_eq!((address.bucket.name(), address.prefix.as_str()), ("demo", "a/b"));
        assert_eq!(
            (address.bucket.provider(), address.endpoint.as_deref()),
            (Provider::Aws, Some("http://h:8080/gate"))
        );
        let encoded = Address::parse("ais://demo?endpoint=http%3A%2F%2Fh%3A1").unwrap();
        assert_eq!(encoded.endpoint.as_deref(), Some("http://h:1"));
        let bare = Address::parse("ais://demo").unwrap();
        assert_eq!((bare.prefix.as_str(), &bare.endpoint, bare.to_string()), ("", &None, "ais://demo".to_owned()));
    }

    #[test]
    fn ais_a12_a_wrong_address_is_one_clear_error_before_any_request() {
        let cases = [
            ("ais:///x", "it names no bucket"),
            ("ais://", "it names no bucket"),
            ("ais://B%2F", "`B%2F` is not a valid bucket name"),
            ("ais://ada:pw@b/x", "it contains a user name or password"),
            ("ais://b/ada:pw@x", "it contains a user name or password"),
            ("ais://b/x?endpoint=http://ada:pw@h:1", "it contains a user name or password"),
            ("ais://b/x?endpoint=ftp://h", "write http://host:port"),
            ("ais://b/x?endpoint=", "is not a valid endpoint"),
            ("ais://b/../x", "it has a component `.` or `..`"),
            ("ais://b/x%20y", "the prefix holds `%`"),
            ("ais://b?what=x", "known settings are"),
            ("s3://b", "does not begin with `ais://`"),
        ];
        for (text, expected) in cases {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("pw"), "{error}");
        }
        // `ais://b` is an address where the variable names an endpoint, and nowhere else.
        let error = Settings::of(Address::parse("ais://b").unwrap().endpoint.as_deref(), &|_| None).unwrap_err();
        assert_eq!(error.to_string(), "no endpoint: add `?endpoint=http://host:port`, or set AIS_ENDPOINT");
    }
}
