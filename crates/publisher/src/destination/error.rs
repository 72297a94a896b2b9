//! What can go wrong at a destination, told apart by what the reader has to do.

use std::io;
use std::path::PathBuf;

use vocab::{Exit, Fault};

#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}at `{place}`", key.as_ref().map_or(String::new(), |key| format!("`{key}` ")))]
pub struct DestinationError {
    /// A verb: `read`, `list`, `write`.
    pub action: &'static str,
    /// Absent when it is not about one object.
    pub key: Option<String>,
    pub place: String,
    #[source]
    pub kind: DestinationErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum DestinationErrorKind {
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
    #[error("interrupted")]
    Cancelled,
}

impl Fault for DestinationError {
    fn code(&self) -> &'static str {
        match self.kind {
            DestinationErrorKind::Disk { .. } => "E_DESTINATION_DISK",
            DestinationErrorKind::Unreachable { .. } => "E_DESTINATION_UNREACHABLE",
            DestinationErrorKind::TooSlow { .. } => "E_DESTINATION_SLOW",
            DestinationErrorKind::Busy { .. } => "E_DESTINATION_BUSY",
            DestinationErrorKind::NoCredentials
            | DestinationErrorKind::SignIn { .. }
            | DestinationErrorKind::Credentials { .. }
            | DestinationErrorKind::Expired => "E_DESTINATION_CREDENTIALS",
            DestinationErrorKind::ClockSkew => "E_DESTINATION_CLOCK",
            DestinationErrorKind::NoBucket => "E_DESTINATION_BUCKET",
            DestinationErrorKind::NoPermission => "E_DESTINATION_PERMISSION",
            DestinationErrorKind::Region { .. } => "E_DESTINATION_REGION",
            DestinationErrorKind::Checksum { .. } => "E_DESTINATION_CHECKSUM",
            DestinationErrorKind::Refused { .. }
            | DestinationErrorKind::Nonsense { .. }
            | DestinationErrorKind::TooLarge { .. } => "E_DESTINATION_REFUSED",
            DestinationErrorKind::GivenUp { .. } => "E_ARTIFACT_CHANGED",
            DestinationErrorKind::Cancelled => "E_INTERRUPTED",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            DestinationErrorKind::Cancelled => Exit::Interrupted,
            DestinationErrorKind::Checksum { .. } | DestinationErrorKind::GivenUp { .. } => Exit::Trust,
            DestinationErrorKind::NoCredentials
            | DestinationErrorKind::SignIn { .. }
            | DestinationErrorKind::Region { .. } => Exit::Usage,
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match &self.kind {
            DestinationErrorKind::Disk { .. } => "look at the path, its permissions and the space on its disk",
            DestinationErrorKind::Unreachable { .. } => {
                "look at the endpoint (`?endpoint=` or AWS_ENDPOINT_URL_S3) and the network; run it again, what has \
                 arrived is kept"
            }
            DestinationErrorKind::TooSlow { .. } | DestinationErrorKind::Busy { .. } => {
                "run it again later; what has arrived is kept"
            }
            DestinationErrorKind::NoCredentials => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with AWS_PROFILE or `?profile=`, or \
                 read a public bucket with `?anonymous=true`"
            }
            DestinationErrorKind::SignIn { .. } => {
                "sign in with the AWS command line and export what it got: `eval \"$(aws configure export-credentials \
                 --profile NAME --format env)\"`; or make a profile with `credential_process = aws configure \
                 export-credentials --profile NAME --format process`"
            }
            DestinationErrorKind::Credentials { .. } => {
                "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or at the profile"
            }
            DestinationErrorKind::Expired => "get new credentials and run it again; what has arrived is kept",
            DestinationErrorKind::ClockSkew => "set this machine's clock right",
            DestinationErrorKind::NoBucket => "make the bucket first, or look at its name in the address",
            DestinationErrorKind::NoPermission => {
                "the key needs s3:ListBucket on the bucket, and s3:GetObject and s3:PutObject on its objects"
            }
            DestinationErrorKind::Region { .. } => "set AWS_REGION or `?region=` to the bucket's region",
            DestinationErrorKind::Checksum { .. } => {
                "something between here and the server changes data; nothing was made visible"
            }
            DestinationErrorKind::GivenUp { .. } => "build the artifact again",
            DestinationErrorKind::Refused { .. }
            | DestinationErrorKind::Nonsense { .. }
            | DestinationErrorKind::TooLarge { .. } => "look at the address; is this a server that speaks S3?",
            DestinationErrorKind::Cancelled => "run it again; what has arrived is kept",
        };
        Some(text.to_owned())
    }
}
