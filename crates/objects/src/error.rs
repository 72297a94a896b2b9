//! What can go wrong at a place, distinguished by what the user has to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use vocab::Fault;

/// What failed at a place: the action, the object and the place, without anything secret.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot {action} {}at `{place}`", key.as_ref().map_or(String::new(), |key| format!("`{key}` ")))]
#[fault(transparent = kind)]
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
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum PlaceErrorKind {
    #[error("cannot {action} `{}`: {source}", path.display())]
    #[fault("E_DESTINATION_DISK", hint("check the path, its permissions and the free space on its disk"))]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the server cannot be reached: {reason}")]
    #[fault(
        "E_DESTINATION_UNREACHABLE",
        hint(
            "check the endpoint (`?endpoint=`, AWS_ENDPOINT_URL_S3 or AIS_ENDPOINT) and the network; run it again, \
             what has arrived is kept"
        )
    )]
    Unreachable { reason: String },
    #[error("the server is too slow: {said}")]
    #[fault("E_DESTINATION_SLOW", hint("run it again later; what has arrived is kept"))]
    TooSlow { said: String },
    #[error("the server did not accept the request after {attempts} attempts: {said}")]
    #[fault("E_DESTINATION_BUSY", hint("run it again later; what has arrived is kept"))]
    Busy { attempts: u32, said: String },
    #[error("no credentials were found")]
    #[fault(
        "E_DESTINATION_CREDENTIALS",
        Usage,
        hint(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with AWS_PROFILE or `?profile=`, or \
             read a public bucket with `?anonymous=true`"
        )
    )]
    NoCredentials,
    /// `how` is a way of signing in: `sso`.
    #[error("the profile signs in with `{how}`, which is not supported")]
    #[fault(
        "E_DESTINATION_CREDENTIALS",
        Usage,
        hint(
            "sign in with the AWS command line and export the keys: `eval \"$(aws configure export-credentials \
             --profile NAME --format env)\"`; or make a profile with `credential_process = aws configure \
             export-credentials --profile NAME --format process`"
        )
    )]
    SignIn { how: String },
    #[error("the credentials are not valid: {said}")]
    #[fault(
        "E_DESTINATION_CREDENTIALS",
        hint("check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile")
    )]
    Credentials { said: String },
    /// An AIStore cluster, which knows no other credentials.
    #[error("the cluster does not accept the token: {said}")]
    #[fault("E_DESTINATION_CREDENTIALS", hint("set AIS_AUTHN_TOKEN to a valid token, and run it again"))]
    Token { said: String },
    #[error("the token does not allow this: {said}")]
    #[fault(
        "E_DESTINATION_PERMISSION",
        hint("the token needs rights to list the bucket, and to read and write objects")
    )]
    TokenRights { said: String },
    #[error("the credentials have expired")]
    #[fault("E_DESTINATION_CREDENTIALS", hint("get new credentials and run it again; what has arrived is kept"))]
    Expired,
    #[error("this machine's clock and the server's are too far apart")]
    #[fault("E_DESTINATION_CLOCK", hint("set this machine's clock"))]
    ClockSkew,
    #[error("the bucket does not exist")]
    #[fault("E_DESTINATION_BUCKET", hint("create the bucket first, or check its name in the address"))]
    NoBucket,
    #[error("the credentials do not allow this (AccessDenied)")]
    #[fault(
        "E_DESTINATION_PERMISSION",
        hint("the key needs s3:ListBucket on the bucket, and s3:GetObject and s3:PutObject on its objects")
    )]
    NoPermission,
    #[error("the bucket is in another region{}", region.as_ref().map_or(String::new(), |region| format!(", {region}")))]
    #[fault("E_DESTINATION_REGION", Usage, hint("set AWS_REGION or `?region=` to the bucket's region"))]
    Region { region: Option<String> },
    #[error("the bytes received differ from those sent: {said}")]
    #[fault(
        "E_DESTINATION_CHECKSUM",
        Trust,
        hint("something between here and the server changes data; nothing was published")
    )]
    Checksum { said: String },
    #[error("the destination has no space left: {said}")]
    #[fault("E_DESTINATION_FULL", hint("free space there, and run it again"))]
    Full { said: String },
    #[error("the server refused: {said}")]
    #[fault(
        "E_DESTINATION_REFUSED",
        hint("check the address: does this server speak S3, or for `ais:` AIStore's API?")
    )]
    Refused { said: String },
    #[error("the server's answer makes no sense: {said}")]
    #[fault(
        "E_DESTINATION_REFUSED",
        hint("check the address: does this server speak S3, or for `ais:` AIStore's API?")
    )]
    Nonsense { said: String },
    #[error("aborted; nothing was published: {reason}")]
    #[fault("E_ARTIFACT_CHANGED", Trust, hint("build the artifact again"))]
    GivenUp { reason: String },
    #[error("it has {size} bytes, more than the {limit} that are read at once")]
    #[fault(
        "E_DESTINATION_REFUSED",
        hint("check the address: does this server speak S3, or for `ais:` AIStore's API?")
    )]
    TooLarge { size: u64, limit: u64 },
    /// Something else stands at the name of an upload.
    #[error("an object of {size} bytes already exists, expected {expected}")]
    #[fault(
        "E_DESTINATION_TAKEN",
        hint("it was uploaded by something else, or damaged since: remove it, or use another name")
    )]
    Another { size: u64, expected: u64 },
    /// Ended by [`crate::TransferWatch`], which has its own error.
    #[error("it did not finish within {} s", limit.as_secs())]
    #[fault("E_DESTINATION_SLOW", hint("run it again later; what has arrived is kept"))]
    TimedOut { limit: Duration },
    #[error("interrupted")]
    #[fault("E_INTERRUPTED", Interrupted, hint("run it again; what has arrived is kept"))]
    Cancelled,
}
