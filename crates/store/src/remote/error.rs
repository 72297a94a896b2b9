//! Why the remote store could not be used.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use vocab::{Exit, Fault};

use crate::StoreError;

#[derive(Debug, thiserror::Error)]
#[error("the remote store `{place}` cannot be used for `{object}`")]
pub struct RemoteError {
    /// Without credentials.
    pub place: String,
    pub object: String,
    #[source]
    pub kind: RemoteErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum RemoteErrorKind {
    #[error("cannot {action} `{}`", path.display())]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{reason}")]
    Unreachable { reason: String },
    /// `said` is the code in the answer: `AccessDenied`, `NoSuchBucket`. May be empty.
    #[error("the server answered {status} {said}")]
    Refused { status: u16, said: String },
    #[error("the bucket is in another region{}", at(region.as_deref()))]
    Region { region: Option<String> },
    #[error("what it has is damaged and was not used: {reason}")]
    Damaged { reason: String },
    #[error("it was not done within {} s", limit.as_secs())]
    TimedOut { limit: Duration },
    #[error("the build was interrupted")]
    Cancelled,
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn at(region: Option<&str>) -> String {
    region.map_or_else(String::new, |region| format!(", {region}"))
}

impl Fault for RemoteError {
    fn code(&self) -> &'static str {
        match self.kind {
            RemoteErrorKind::Damaged { .. } => "E_REMOTE_STORE_DAMAGED",
            RemoteErrorKind::Cancelled => "E_INTERRUPTED",
            _ => "E_REMOTE_STORE",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            RemoteErrorKind::Cancelled => Exit::Interrupted,
            RemoteErrorKind::Damaged { .. } => Exit::Trust,
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match &self.kind {
            RemoteErrorKind::Damaged { .. } => {
                "remove this object from the remote store, and find out how it came to differ".into()
            }
            RemoteErrorKind::Refused { status: 401 | 403, .. } => {
                "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and this machine's clock; the \
                 key must be allowed to list the bucket and to read and write its objects"
                    .into()
            }
            RemoteErrorKind::Region { .. } => "set AWS_REGION to the bucket's region".into(),
            RemoteErrorKind::Store(error) => return error.hint(),
            RemoteErrorKind::Cancelled => return None,
            _ => "look at its address and at the network; only with `--strict` a build needs it".into(),
        })
    }
}
