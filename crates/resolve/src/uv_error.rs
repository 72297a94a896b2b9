//! Why uv gave no answer.

use std::io;
use std::path::PathBuf;

use process::{ProcessError, shortened};
use store::download;
use store::pinned_tool::SetUpError;
use vocab::Fault;

use crate::pinned_uv::UV_VERSION;

/// Why uv gave no answer.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum UvError {
    #[error("uv {UV_VERSION} is not on PATH and cannot be set up")]
    #[fault("E_RESOLVER_SET_UP", hint_with = Self::hint_of_set_up)]
    SetUp {
        #[source]
        kind: SetUpError,
    },
    #[error("uv could not resolve: {}", shortened(reason))]
    #[fault("E_RESOLVE", hint("check the requirements it names; `builder plan -v` shows the question"))]
    Refused {
        /// uv's own words, all of them.
        reason: String,
    },
    /// Nothing is known about the distributions themselves, so no policy may take it for their absence.
    #[error("an index or a file could not be fetched: {}", shortened(reason))]
    #[fault("E_INDEX_UNREACHABLE", hint_with = Self::hint_of_index)]
    Unreachable {
        /// uv's own words, with the URL and the number of attempts.
        reason: String,
    },
    #[error(transparent)]
    #[fault(transparent)]
    Process(#[from] ProcessError),
    #[error("cannot write `{}`", path.display())]
    #[fault("E_STORE")]
    Write { path: PathBuf, source: io::Error },
}

impl UvError {
    fn hint_of_set_up(&self) -> Option<String> {
        let Self::SetUp { kind } = self else { return None };
        let of_pip = match kind {
            SetUpError::Pip { output, proxy } => of_connection(output, *proxy),
            _ => None,
        };
        Some(match of_pip {
            Some(hint) => format!("{hint}; or install uv {UV_VERSION} and put it on PATH"),
            None => format!("install uv {UV_VERSION} and put it on PATH"),
        })
    }

    fn hint_of_index(&self) -> Option<String> {
        let Self::Unreachable { reason } = self else { return None };
        let usual = "check the network, the proxy and which index uv uses (UV_DEFAULT_INDEX)";
        Some(of_connection(reason, None).unwrap_or_else(|| usual.to_owned()))
    }
}

/// What a program's words say of a proxy or of TLS. `proxy` is the variable that names the proxy, where it is known.
fn of_connection(words: &str, proxy: Option<&str>) -> Option<String> {
    // "Tunnel connection failed: 407 …", "tunnel error: proxy authorization required".
    let lower = words.to_lowercase();
    if lower.contains("407 proxy")
        || lower.contains("proxy authorization required")
        || lower.contains("proxy authentication")
    {
        let variable = proxy.unwrap_or("HTTPS_PROXY, HTTP_PROXY or ALL_PROXY");
        return Some(format!("give the proxy's user and password in {variable}: `http://user:password@host:port`"));
    }
    download::tls_advice(words).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_variable_of_a_proxy_and_what_tls_wants() {
        let of_pip = |output: &str, proxy| {
            let kind = SetUpError::Pip { output: output.to_owned(), proxy };
            UvError::SetUp { kind }.hint().unwrap_or_default()
        };
        let refused = "OSError('Tunnel connection failed: 407 Proxy Authentication Required')";
        let expected = "give the proxy's user and password in https_proxy: `http://user:password@host:port`";
        assert!(of_pip(refused, Some("https_proxy")).starts_with(expected));
        let verified = "certificate verify failed: self-signed certificate";
        assert!(of_pip(verified, None).contains("SSL_CERT_FILE"), "{}", of_pip(verified, None));
        assert_eq!(of_pip("No space left", None), format!("install uv {UV_VERSION} and put it on PATH"));
        let of_uv = |reason: &str| UvError::Unreachable { reason: reason.to_owned() }.hint().unwrap_or_default();
        assert!(of_uv("tunnel error: proxy authorization required").contains("HTTPS_PROXY"));
        assert!(of_uv("received fatal alert: UnknownCA").contains("SSL_CLIENT_CERT"));
        assert!(of_uv("dns error").contains("UV_DEFAULT_INDEX"));
    }
}
