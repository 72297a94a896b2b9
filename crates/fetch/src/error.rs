//! Why an artifact could not be fetched.

use std::io;
use std::path::PathBuf;

use vocab::{Digest, Exit, Fault};

use archive::VerifyErrorKind;
use archive::{ExtractError, ManifestError, ScanError};

/// An artifact was not fetched; the target is as it was before.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch `{place}`")]
pub struct FetchError {
    /// Without user, password and query.
    pub place: String,
    #[source]
    pub kind: FetchErrorKind,
}

/// What went wrong. The exit code tells apart wrong usage, content that cannot be trusted, and failed access.
#[derive(Debug, thiserror::Error)]
pub enum FetchErrorKind {
    #[error("it is no place to fetch from: {reason}")]
    Place { reason: String },
    #[error("there is no manifest beside it: `{place}`")]
    NoManifest { place: String },
    #[error("it or its manifest has more than {limit} bytes, which none should")]
    LargeManifest { limit: u64 },
    #[error("the SHA-256 of its manifest is {actual}, expected is {expected}")]
    ManifestDigest { expected: Digest, actual: Digest },
    #[error("its SHA-256 is {actual} by its manifest, expected is {expected}")]
    Digest { expected: Digest, actual: Digest },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It differs from its manifest, or the manifest contradicts itself.
    #[error(transparent)]
    Untrusted(#[from] VerifyErrorKind),
    #[error("nothing can be taken over from `{}`: {reason}", path.display())]
    Older { path: PathBuf, reason: String },
    #[error("the installed prefix `{}` can serve a folder alone", path.display())]
    PrefixForFile { path: PathBuf },
    #[error("the server answered {status} for `{place}`")]
    Status { status: u16, place: String },
    /// An AIStore cluster wants a token, or another one.
    #[error("{reason}")]
    Token { reason: String },
    /// With the reason of the last attempt.
    #[error("{reason}, after {attempts} attempts")]
    Unreachable { reason: String, attempts: u32 },
    #[error("{reason}")]
    Refused { reason: String },
    /// The reason includes the rate.
    #[error("{reason}")]
    TooSlow { reason: String },
    #[error("{reason}")]
    TimedOut { reason: String },
    #[error("it was replaced while it was fetched, and not only once")]
    Replaced,
    #[error("the work was interrupted")]
    Cancelled,
    #[error("`{}` is there already", path.display())]
    DestinationExists { path: PathBuf },
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error(transparent)]
    Extract(#[from] ExtractError),
}

impl Fault for FetchError {
    fn code(&self) -> &'static str {
        match &self.kind {
            FetchErrorKind::Place { .. } => "E_FETCH_PLACE",
            FetchErrorKind::NoManifest { .. } => "E_FETCH_NO_MANIFEST",
            FetchErrorKind::LargeManifest { .. } => "E_MANIFEST_MALFORMED",
            FetchErrorKind::ManifestDigest { .. } | FetchErrorKind::Digest { .. } => "E_FETCH_CHECKSUM",
            FetchErrorKind::Manifest(error) => error.code(),
            FetchErrorKind::Untrusted(kind) => kind.code(),
            FetchErrorKind::Older { .. } | FetchErrorKind::PrefixForFile { .. } => "E_FETCH_FROM",
            FetchErrorKind::Status { .. }
            | FetchErrorKind::Token { .. }
            | FetchErrorKind::Unreachable { .. }
            | FetchErrorKind::Refused { .. } => "E_FETCH",
            FetchErrorKind::TooSlow { .. } => "E_FETCH_SLOW",
            FetchErrorKind::TimedOut { .. } => "E_FETCH_TIMEOUT",
            FetchErrorKind::Replaced => "E_FETCH_REPLACED",
            FetchErrorKind::Cancelled => "E_INTERRUPTED",
            FetchErrorKind::DestinationExists { .. } | FetchErrorKind::Write { .. } => "E_ARCHIVE_WRITE",
            FetchErrorKind::Read { .. } => "E_ARCHIVE_READ",
            FetchErrorKind::Scan(error) => error.code(),
            FetchErrorKind::Extract(error) => error.code(),
        }
    }

    fn exit(&self) -> Exit {
        match &self.kind {
            FetchErrorKind::Cancelled => Exit::Interrupted,
            FetchErrorKind::Place { .. } | FetchErrorKind::Older { .. } | FetchErrorKind::PrefixForFile { .. } => {
                Exit::Usage
            }
            FetchErrorKind::LargeManifest { .. }
            | FetchErrorKind::ManifestDigest { .. }
            | FetchErrorKind::Digest { .. } => Exit::Trust,
            FetchErrorKind::Manifest(error) => error.exit(),
            FetchErrorKind::Untrusted(kind) => kind.exit(),
            FetchErrorKind::Scan(error) => error.exit(),
            FetchErrorKind::Extract(error) => error.exit(),
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &self.kind {
            FetchErrorKind::NoManifest { .. } => {
                "publish `<artifact>.json`, which the builder writes, beside the artifact; it lists the parts and \
                 their digests"
            }
            FetchErrorKind::ManifestDigest { .. } | FetchErrorKind::Digest { .. } => {
                "this is not the artifact that you were told of; ask whoever told you the digest"
            }
            FetchErrorKind::Untrusted(_) => {
                "the artifact and its manifest do not belong together, or one was changed on the way; if they are \
                 being published right now, run it again later"
            }
            FetchErrorKind::Older { .. } => "leave out this --from to fetch everything",
            FetchErrorKind::PrefixForFile { .. } => "give --to with a new folder, or --from with an older artifact",
            FetchErrorKind::Status { status: 401 | 403, .. } => {
                "give user and password in the URL: `https://user:password@host/…`"
            }
            FetchErrorKind::Token { .. } => "give a valid token in AIS_AUTHN_TOKEN",
            FetchErrorKind::Status { status: 407, .. } => {
                "give the proxy's user and password in its variable: `http://user:password@host:port`"
            }
            FetchErrorKind::Unreachable { .. } => "check the network and the proxy variables, then run it again",
            FetchErrorKind::TooSlow { .. } => {
                "run it again, or be content with less: `--min-rate 100` gives up below 100 B/s, `--min-rate 0` never"
            }
            FetchErrorKind::TimedOut { .. } => "allow more time with `--max-time`",
            FetchErrorKind::Replaced => "run it again when nobody publishes",
            FetchErrorKind::DestinationExists { .. } => "remove it, or fetch to another place",
            FetchErrorKind::Manifest(error) => return error.hint(),
            FetchErrorKind::Extract(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
