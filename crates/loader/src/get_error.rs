//! Why a runtime could not be installed.

use std::io;
use std::path::PathBuf;

use archive::{ExtractErrorKind, ManifestError};
use catalogue::{LookUpError, Moment, ReadError};
use fetch::{FetchError, FetchErrorKind};
use vocab::{Digest, Exit, Fault, PlatformKey, VersionString};

use crate::{Damage, TrustError};

/// A runtime was not installed; the current build is as it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot get {version} for {platform} from `{from}`")]
pub struct GetError {
    pub version: VersionString,
    pub platform: PlatformKey,
    /// Without user, password and query.
    pub from: String,
    #[source]
    pub kind: Box<GetErrorKind>,
}

/// Why: access, trust, or the disk of this machine.
#[derive(Debug, thiserror::Error)]
pub enum GetErrorKind {
    #[error(transparent)]
    Fetch(Box<FetchError>),
    #[error(transparent)]
    Catalogue(#[from] ReadError),
    #[error(transparent)]
    Missing(Box<LookUpError>),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("it was published without a signature, and a public key was given")]
    Unsigned,
    #[error("the catalogue there is not signed, and a public key was given")]
    UnsignedCatalogue,
    #[error(
        "the catalogue there is an old one: it was signed at {signed} and has the counter {found}; {known} was seen before"
    )]
    Rollback { found: u64, known: u64, signed: Moment },
    #[error("the catalogue there expired at {at}")]
    Expired { at: Moment },
    #[error("the build {} is not taken: {reason}", build.short())]
    Older { build: Digest, reason: String },
    /// At least one.
    #[error("`{}` is not as it was installed: {}", folder.display(), tree_table::first_few(damage))]
    Damaged { folder: PathBuf, damage: Vec<Damage> },
    #[error("`{}` is there and was not installed by this program", path.display())]
    Occupied { path: PathBuf },
    #[error("{what}: {source}")]
    Signature { what: &'static str, source: TrustError },
    #[error("the SHA-256 of the {what} is {actual}, the catalogue says {expected}")]
    Digest { what: &'static str, expected: Digest, actual: Digest },
    #[error("the manifest is of {found}, not of what the catalogue offers")]
    OtherRuntime { found: String },
    #[error("without a network: {reason}")]
    Offline { reason: String },
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// In bytes.
    #[error("it takes {} below `{}`, where {} are free", cli::bytes(*needed), path.display(), cli::bytes(*free))]
    NoRoom { path: PathBuf, needed: u64, free: u64 },
    #[error("interrupted")]
    Cancelled,
}

impl From<FetchError> for GetErrorKind {
    fn from(error: FetchError) -> Self {
        Self::Fetch(Box::new(error))
    }
}

impl From<LookUpError> for GetErrorKind {
    fn from(error: LookUpError) -> Self {
        Self::Missing(Box::new(error))
    }
}

impl Fault for GetError {
    fn code(&self) -> &'static str {
        match &*self.kind {
            GetErrorKind::Fetch(error) => error.code(),
            GetErrorKind::Catalogue(error) => error.code(),
            GetErrorKind::Missing(error) => error.code(),
            GetErrorKind::Manifest(error) => error.code(),
            GetErrorKind::Unsigned | GetErrorKind::UnsignedCatalogue => "E_GET_UNSIGNED",
            GetErrorKind::Rollback { .. } => "E_GET_ROLLBACK",
            GetErrorKind::Expired { .. } => "E_GET_EXPIRED",
            GetErrorKind::Older { .. } => "E_GET_OLDER",
            GetErrorKind::Damaged { .. } => "E_GET_DAMAGED",
            GetErrorKind::Occupied { .. } => "E_GET_OCCUPIED",
            GetErrorKind::Signature { .. } => "E_GET_SIGNATURE",
            GetErrorKind::Digest { .. } => "E_GET_CHECKSUM",
            GetErrorKind::OtherRuntime { .. } => "E_GET_OTHER_RUNTIME",
            GetErrorKind::Offline { .. } => "E_GET_OFFLINE",
            GetErrorKind::Write { .. } => "E_GET_WRITE",
            GetErrorKind::NoRoom { .. } => "E_GET_NO_ROOM",
            GetErrorKind::Cancelled => "E_INTERRUPTED",
        }
    }

    fn exit(&self) -> Exit {
        match &*self.kind {
            GetErrorKind::Cancelled => Exit::Interrupted,
            GetErrorKind::Fetch(error) => error.exit(),
            GetErrorKind::Catalogue(error) => error.exit(),
            GetErrorKind::Missing(error) => error.exit(),
            GetErrorKind::Manifest(error) => error.exit(),
            GetErrorKind::Unsigned
            | GetErrorKind::UnsignedCatalogue
            | GetErrorKind::Rollback { .. }
            | GetErrorKind::Expired { .. }
            | GetErrorKind::Older { .. }
            | GetErrorKind::Damaged { .. }
            | GetErrorKind::Signature { .. }
            | GetErrorKind::Digest { .. }
            | GetErrorKind::OtherRuntime { .. } => Exit::Trust,
            GetErrorKind::Offline { .. }
            | GetErrorKind::Write { .. }
            | GetErrorKind::Occupied { .. }
            | GetErrorKind::NoRoom { .. } => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &*self.kind {
            GetErrorKind::Fetch(error) => {
                return error.hint().or_else(|| hint_of_fetch(&error.kind).map(str::to_owned));
            }
            GetErrorKind::Catalogue(error) => return error.hint(),
            GetErrorKind::Missing(error) => return error.hint(),
            GetErrorKind::Manifest(error) => return error.hint(),
            GetErrorKind::Unsigned => {
                "ask the publisher for a signed one, or leave out --public-key to rely on digests"
            }
            GetErrorKind::UnsignedCatalogue => {
                "the publisher signs it with `publisher reindex --key FILE`; without --public-key nothing is verified"
            }
            GetErrorKind::Rollback { .. } => {
                "somebody serves an old copy, so retracted builds may come back; tell the publisher"
            }
            GetErrorKind::Expired { .. } => {
                "the publisher renews it with `publisher reindex --key FILE`, or somebody serves an old copy"
            }
            GetErrorKind::Older { .. } => "if that is what you want, pass --allow-older",
            GetErrorKind::Damaged { .. } => {
                "pass --reinstall to repair it; only damaged parts are fetched, and what was added to it is lost"
            }
            GetErrorKind::Occupied { .. } => "remove it, or choose another folder with --to",
            GetErrorKind::Signature { .. } => {
                "do not use it before you know why: the key is another one, or what is published was changed"
            }
            GetErrorKind::Digest { .. } | GetErrorKind::OtherRuntime { .. } => {
                "the place gives something else than its catalogue says; tell who publishes there"
            }
            GetErrorKind::Offline { .. } => "run it once without --offline",
            GetErrorKind::Write { .. } => "choose another folder with --to, or make this one writable",
            GetErrorKind::NoRoom { .. } => "make room there, or choose another folder with --to",
            GetErrorKind::Cancelled => GO_ON,
        };
        Some(hint.to_owned())
    }
}

const GO_ON: &str = "run it again; what has arrived is kept";

/// For errors of the fetch itself that have no better hint.
fn hint_of_fetch(kind: &FetchErrorKind) -> Option<&'static str> {
    let full = |source: &io::Error| source.kind() == io::ErrorKind::StorageFull;
    let written = match kind {
        FetchErrorKind::Cancelled => return Some(GO_ON),
        FetchErrorKind::Write { source, .. } => source,
        FetchErrorKind::Extract(error) => match &error.kind {
            ExtractErrorKind::Write { source, .. } => source,
            _ => return None,
        },
        _ => return None,
    };
    Some(match full(written) {
        true => "make room there and run it again; what has arrived is kept",
        false => "choose another folder with --to, or make this one writable",
    })
}
