//! Reasons why the remote store could not be used.

use objects::PlaceErrorKind;
use vocab::{Exit, Fault};

use crate::StoreError;

/// A fault of the remote store, with the object that was being read or written.
#[derive(Debug, thiserror::Error)]
#[error("the remote store `{place}` cannot be used for `{object}`")]
pub struct RemoteError {
    /// Without credentials.
    pub place: String,
    pub object: String,
    #[source]
    pub kind: RemoteErrorKind,
}

/// What is wrong: the place, the object, or the local store that it was to get into.
#[derive(Debug, thiserror::Error)]
pub enum RemoteErrorKind {
    #[error(transparent)]
    Place(#[from] PlaceErrorKind),
    #[error("what it has is damaged and was not used: {reason}")]
    Damaged { reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault for RemoteError {
    fn code(&self) -> &'static str {
        match self.kind {
            RemoteErrorKind::Damaged { .. } => "E_REMOTE_STORE_DAMAGED",
            RemoteErrorKind::Place(PlaceErrorKind::Cancelled) => "E_INTERRUPTED",
            _ => "E_REMOTE_STORE",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            RemoteErrorKind::Place(PlaceErrorKind::Cancelled) => Exit::Interrupted,
            RemoteErrorKind::Damaged { .. } => Exit::Trust,
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match &self.kind {
            RemoteErrorKind::Damaged { .. } => {
                "remove this object from the remote store, and find out how it came to differ".into()
            }
            RemoteErrorKind::Place(
                PlaceErrorKind::NoPermission
                | PlaceErrorKind::Credentials { .. }
                | PlaceErrorKind::Expired
                | PlaceErrorKind::ClockSkew,
            ) => "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and this machine's clock; the \
                 key must be allowed to list the bucket and to read and write its objects"
                .into(),
            RemoteErrorKind::Place(PlaceErrorKind::Token { .. } | PlaceErrorKind::TokenRights { .. }) => {
                "check AIS_AUTHN_TOKEN: it must allow to list the bucket and to read and write its objects".into()
            }
            RemoteErrorKind::Place(PlaceErrorKind::Region { .. }) => "set AWS_REGION to the bucket's region".into(),
            RemoteErrorKind::Store(error) => return error.hint(),
            RemoteErrorKind::Place(PlaceErrorKind::Cancelled) => return None,
            _ => "check its address and the network; a build needs it only with `--strict`".into(),
        })
    }
}
