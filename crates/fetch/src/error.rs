//! Why an artifact could not be fetched.

use std::io;
use std::path::PathBuf;

use objects::PlaceErrorKind;
use vocab::{Digest, Fault};

use archive::VerifyErrorKind;
use archive::{ExtractError, ManifestError, ScanError};

/// An artifact was not fetched; the target is as it was before.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot fetch `{place}`")]
#[fault(transparent = kind)]
pub struct FetchError {
    /// Without user, password and query.
    pub place: String,
    #[source]
    pub kind: FetchErrorKind,
}

/// What went wrong. The exit code tells apart wrong usage, content that cannot be trusted, and failed access.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum FetchErrorKind {
    #[error("unsupported source: {reason}")]
    #[fault("E_FETCH_PLACE", Usage)]
    Place { reason: String },
    #[error("there is no manifest beside it: `{place}`")]
    #[fault(
        "E_FETCH_NO_MANIFEST",
        hint(
            "publish `<artifact>.json`, which the builder writes, beside the artifact; it lists the parts and \
             their digests"
        )
    )]
    NoManifest { place: String },
    #[error("it or its manifest is larger than {limit} bytes")]
    #[fault("E_MANIFEST_MALFORMED", Trust)]
    LargeManifest { limit: u64 },
    #[error("the SHA-256 of its manifest is {actual}, expected {expected}")]
    #[fault("E_FETCH_CHECKSUM", Trust, hint("{OTHER_ARTIFACT}"))]
    ManifestDigest { expected: Digest, actual: Digest },
    #[error("its SHA-256 is {actual} by its manifest, expected {expected}")]
    #[fault("E_FETCH_CHECKSUM", Trust, hint("{OTHER_ARTIFACT}"))]
    Digest { expected: Digest, actual: Digest },
    #[error(transparent)]
    #[fault(transparent)]
    Manifest(#[from] ManifestError),
    /// It differs from its manifest, or the manifest contradicts itself.
    #[error(transparent)]
    #[fault(
        transparent,
        hint(
            "the artifact and its manifest do not belong together, or one was changed on the way; if they are \
             being published right now, run it again later"
        )
    )]
    Untrusted(#[from] VerifyErrorKind),
    #[error("nothing can be reused from `{}`: {reason}", path.display())]
    #[fault("E_FETCH_FROM", Usage, hint("leave out this --from to fetch everything"))]
    Older { path: PathBuf, reason: String },
    #[error("the installed prefix `{}` can only be used with --to", path.display())]
    #[fault("E_FETCH_FROM", Usage, hint("give --to with a new folder, or --from with an older artifact"))]
    PrefixForFile { path: PathBuf },
    #[error("the server answered {status} for `{place}`")]
    #[fault("E_FETCH", hint_with = Self::hint_of_status)]
    Status { status: u16, place: String },
    /// An AIStore cluster wants a token, or another one.
    #[error("{reason}")]
    #[fault("E_FETCH", hint("give a valid token in AIS_AUTHN_TOKEN"))]
    Token { reason: String },
    /// With the reason of the last attempt.
    #[error("{reason}, after {attempts} attempts")]
    #[fault("E_FETCH", hint("check the network and the proxy variables, then run it again"))]
    Unreachable { reason: String, attempts: u32 },
    #[error("{reason}")]
    #[fault("E_FETCH")]
    Refused { reason: String },
    /// A bucket, or what it needs.
    #[error(transparent)]
    #[fault(transparent)]
    Bucket(Box<PlaceErrorKind>),
    /// The reason includes the rate.
    #[error("{reason}")]
    #[fault(
        "E_FETCH_SLOW",
        hint("run it again, or lower the limit: `--min-rate 100` gives up below 100 B/s, `--min-rate 0` never")
    )]
    TooSlow { reason: String },
    #[error("{reason}")]
    #[fault("E_FETCH_TIMEOUT", hint("allow more time with `--max-time`"))]
    TimedOut { reason: String },
    #[error("it kept changing while being fetched")]
    #[fault("E_FETCH_REPLACED", hint("run it again when nobody publishes"))]
    Replaced,
    #[error("the work was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
    #[error("`{}` already exists", path.display())]
    #[fault("E_ARCHIVE_WRITE", hint("remove it, or fetch to another place"))]
    DestinationExists { path: PathBuf },
    #[error("cannot read `{}`: {source}", path.display())]
    #[fault("E_ARCHIVE_READ")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`: {source}", path.display())]
    #[fault("E_ARCHIVE_WRITE")]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    #[fault(transparent)]
    Scan(#[from] ScanError),
    #[error(transparent)]
    #[fault(transparent)]
    Extract(#[from] ExtractError),
}

const OTHER_ARTIFACT: &str =
    "this is not the artifact whose digest you were given; check the digest with its publisher";

impl FetchErrorKind {
    fn hint_of_status(&self) -> Option<String> {
        let Self::Status { status, .. } = self else { return None };
        let hint = match status {
            401 | 403 => "give user and password in the URL: `https://user:password@host/…`",
            407 => "give the proxy's user and password in its variable: `http://user:password@host:port`",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
