//! Why credentials are not at hand.

use std::time::Duration;

use vocab::Fault;

/// How to give credentials, for hints about servers that want some.
pub const HOW_TO_GIVE_CREDENTIALS: &str = "give its user and password as uv takes them: UV_INDEX_<NAME>_USERNAME and \
    UV_INDEX_<NAME>_PASSWORD, `uv auth login`, netrc, a keyring, or the index's URL in a variable or uv.toml \
    (docs/closed-networks.md)";

/// Why nothing was asked of a server that may want credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[fault("E_CREDENTIALS", Build)]
pub enum CredentialsError {
    #[error("`{program}` was asked for the credentials and did not answer within {} s", limit.as_secs_f32())]
    #[fault(hint(
        "unlock the keyring and run it again; or give user and password in UV_INDEX_<NAME>_USERNAME and \
         UV_INDEX_<NAME>_PASSWORD"
    ))]
    Silent { program: &'static str, limit: Duration },
    #[error("there are no credentials, and its index is asked with some only (`authenticate = \"always\"`)")]
    #[fault(hint_with = Self::how_to_give)]
    Missing,
}

impl CredentialsError {
    #[allow(clippy::unused_self, reason = "hints are made by methods")]
    fn how_to_give(&self) -> Option<String> {
        Some(HOW_TO_GIVE_CREDENTIALS.to_owned())
    }
}
