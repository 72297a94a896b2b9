//! What can go wrong at a place, distinguished by what the user has to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use vocab::{Exit, Fault};

/// What failed at a place: the action, the object and the place, without anything secret.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}at `{place}`", key.as_ref().map_or(String::new(), |key| format!("`{key}` ")))]
pub struct PlaceError {
    /// A verb: `read`, `list`, `write`.
    pub action: &'static str,
    /// Absent if the error is not about one object.
    pub key: Option<String>,
    pub place: String,
    #[source]
    pub kind: PlaceErrorKind,
}

/// The cause, distinguished by what the user has to do about it.
#[derive(Debug, thiserror::Error)]
pub enum PlaceErrorKind {
    #[error("cannot {action} `{}`: {source}", path.display())]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the server cannot be reached: {reason}")]
    Unreachable { reason: String },
    #[error("it is too slow: {said}")]
    TooSlow { said: String },
    #[error("the server did not take the request after {attempts} attempts: {said}")]
    Busy { attempts: u32, said: String },
    #[error("no credentials were found")]
    NoCredentials,
    /// `how` is a way of signing in: `sso`.
    #[error("the profile signs in by `{how}`, which is not read here")]
    SignIn { how: String },
    #[error("the credentials are not valid: {said}")]
    Credentials { said: String },
    #[error("the credentials have expired")]
    Expired,
    #[error("this machine's clock and the server's are too far apart")]
    ClockSkew,
    #[error("the bucket does not exist")]
    NoBucket,
    #[error("the credentials do not allow this (AccessDenied)")]
    NoPermission,
    #[error("the bucket is in another region{}", region.as_ref().map_or(String::new(), |region| format!(", {region}")))]
    Region { region: Option<String> },
    #[error("the bytes that arrived are not those that were sent: {said}")]
    Checksum { said: String },
    #[error("the server refused: {said}")]
    Refused { said: String },
    #[error("the answer makes no sense: {said}")]
    Nonsense { said: String },
    #[error("given up before anything was visible: {reason}")]
    GivenUp { reason: String },
    #[error("it has {size} bytes, more than the {limit} that are read at once")]
    TooLarge { size: u64, limit: u64 },
    /// Something else stands at the name of an upload.
    #[error("an object of {size} bytes is there already, {expected} are expected")]
    Another { size: u64, expected: u64 },
    /// Ended by [`crate::Watch`], which has its own error.
    #[error("it was not done within {} s", limit.as_secs())]
    TimedOut { limit: Duration },
    #[error("interrupted")]
    Cancelled,
}

impl Fault for PlaceError {
    fn code(&self) -> &'static str {
        match self.kind {
            PlaceErrorKind::Disk { .. } => "E_DESTINATION_DISK",
            PlaceErrorKind::Unreachable { .. } => "E_DESTINATION_UNREACHABLE",
            PlaceErrorKind::TooSlow { .. } | PlaceErrorKind::TimedOut { .. } => "E_DESTINATION_SLOW",
            PlaceErrorKind::Busy { .. } => "E_DESTINATION_BUSY",
            PlaceErrorKind::NoCredentials
            | PlaceErrorKind::SignIn { .. }
            | PlaceErrorKind::Credentials { .. }
            | PlaceErrorKind::Expired => "E_DESTINATION_CREDENTIALS",
            PlaceErrorKind::ClockSkew => "E_DESTINATION_CLOCK",
            PlaceErrorKind::NoBucket => "E_DESTINATION_BUCKET",
            PlaceErrorKind::NoPermission => "E_DESTINATION_PERMISSION",
            PlaceErrorKind::Region { .. } => "E_DESTINATION_REGION",
            PlaceErrorKind::Checksum { .. } => "E_DESTINATION_CHECKSUM",
            PlaceErrorKind::Refused { .. } | PlaceErrorKind::Nonsense { .. } | PlaceErrorKind::TooLarge { .. } => {
                "E_DESTINATION_REFUSED"
            }
            PlaceErrorKind::Another { .. } => "E_DESTINATION_TAKEN",
            PlaceErrorKind::GivenUp { .. } => "E_ARTIFACT_CHANGED",
            PlaceErrorKind::Cancelled => "E_INTERRUPTED",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            PlaceErrorKind::Cancelled => Exit::Interrupted,
            PlaceErrorKind::Checksum { .. } | PlaceErrorKind::GivenUp { .. } => Exit::Trust,
            PlaceErrorKind::NoCredentials | PlaceErrorKind::SignIn { .. } | PlaceErrorKind::Region { .. } => {
                Exit::Usage
            }
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match &self.kind {
            PlaceErrorKind::Disk { .. } => "look at the path, its permissions and the space on its disk",
            PlaceErrorKind::Unreachable { .. } => {
                "look at the endpoint (`?endpoint=` or AWS_ENDPOINT_URL_S3) and the network; run it again, what has \
                 arrived is kept"
            }
            PlaceErrorKind::TooSlow { .. } | PlaceErrorKind::Busy { .. } | PlaceErrorKind::TimedOut { .. } => {
                "run it again later; what has arrived is kept"
            }
            PlaceErrorKind::NoCredentials => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with AWS_PROFILE or `?profile=`, or \
                 read a public bucket with `?anonymous=true`"
            }
            PlaceErrorKind::SignIn { .. } => {
                "sign in with the AWS command line and export what it got: `eval \"$(aws configure export-credentials \
                 --profile NAME --format env)\"`; or make a profile with `credential_process = aws configure \
                 export-credentials --profile NAME --format process`"
            }
            PlaceErrorKind::Credentials { .. } => {
                "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or at the profile"
            }
            PlaceErrorKind::Expired => "get new credentials and run it again; what has arrived is kept",
            PlaceErrorKind::ClockSkew => "set this machine's clock right",
            PlaceErrorKind::NoBucket => "make the bucket first, or look at its name in the address",
            PlaceErrorKind::NoPermission => {
                "the key needs s3:ListBucket on the bucket, and s3:GetObject and s3:PutObject on its objects"
            }
            PlaceErrorKind::Region { .. } => "set AWS_REGION or `?region=` to the bucket's region",
            PlaceErrorKind::Checksum { .. } => {
                "something between here and the server changes data; nothing was made visible"
            }
            PlaceErrorKind::Another { .. } => {
                "it was uploaded by something else, or damaged since: remove it, or use another name"
            }
            PlaceErrorKind::GivenUp { .. } => "build the artifact again",
            PlaceErrorKind::Refused { .. } | PlaceErrorKind::Nonsense { .. } | PlaceErrorKind::TooLarge { .. } => {
                "look at the address; is this a server that speaks S3?"
            }
            PlaceErrorKind::Cancelled => "run it again; what has arrived is kept",
        };
        Some(text.to_owned())
    }
}
