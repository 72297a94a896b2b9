//! The URL of a server of the cluster.

use url::Url;

use crate::Error;
use crate::names::invalid;

/// Checks the URL of a server that is asked.
pub(crate) fn endpoint(text: &str) -> Result<Url, Error> {
    let unusable = |reason: &str| invalid("endpoint", &web::without_secrets(text), reason);
    let url = Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(unusable("write http://host:port or https://host:port"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("it contains a user name or password; AIStore takes a token"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("it has a query or a fragment"));
    }
    Ok(url)
}
