//! Why a runtime could not be installed.

use std::io;
use std::path::PathBuf;

use archive::{ExtractErrorKind, ManifestError};
use catalogue::{Channel, LookUpError, Moment, ReadError};
use fetch::{FetchError, FetchErrorKind};
use vocab::{Digest, Fault, PlatformKey, RuntimeRequest, VersionString};

use crate::{TreeDamage, TrustError};

/// A runtime was not installed; the current build is as it was.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot get {asked} for {platform} from `{from}`")]
#[fault(transparent = kind)]
pub struct GetError {
    pub asked: RuntimeRequest,
    pub platform: PlatformKey,
    /// Without user, password and query.
    pub from: String,
    #[source]
    pub kind: Box<GetErrorKind>,
}

/// Why: access, trust, or the disk of this machine.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Trust)]
pub enum GetErrorKind {
    #[error(transparent)]
    #[fault(transparent, hint_with = Self::hint_of_fetch)]
    Fetch(Box<FetchError>),
    #[error(transparent)]
    #[fault(transparent)]
    Catalogue(#[from] ReadError),
    #[error(transparent)]
    #[fault(transparent)]
    Missing(Box<LookUpError>),
    #[error(transparent)]
    #[fault(transparent)]
    NotOffered(Box<NotOffered>),
    #[error(transparent)]
    #[fault(transparent)]
    Manifest(#[from] ManifestError),
    #[error("it was published without a signature, and a public key was given")]
    #[fault("E_GET_UNSIGNED", hint("ask the publisher to sign it, or leave out --public-key to rely on digests"))]
    Unsigned,
    #[error("the catalogue there is not signed, and a public key was given")]
    #[fault(
        "E_GET_UNSIGNED",
        hint("the publisher signs it with `publisher reindex --key FILE`; without --public-key nothing is verified")
    )]
    UnsignedCatalogue,
    #[error(
        "the catalogue there is old: it was signed at {signed} and has the counter {found}; {known} was seen before"
    )]
    #[fault(
        "E_GET_ROLLBACK",
        hint("somebody serves an old copy, so retracted builds may come back; report it to the publisher")
    )]
    Rollback { found: u64, known: u64, signed: Moment },
    #[error("the catalogue there expired at {at}")]
    #[fault(
        "E_GET_EXPIRED",
        hint("the publisher renews it with `publisher reindex --key FILE`, or somebody serves an old copy")
    )]
    Expired { at: Moment },
    #[error("the build {} is refused: {reason}", build.short())]
    #[fault("E_GET_OLDER", hint("if that is what you want, pass --allow-older"))]
    Older { build: Digest, reason: String },
    /// At least one.
    #[error("`{}` has changed since it was installed: {}", folder.display(), tree_table::first_few(damage))]
    #[fault(
        "E_GET_DAMAGED",
        hint("pass --reinstall to repair it; only damaged parts are fetched, and what was added to it is lost")
    )]
    Damaged { folder: PathBuf, damage: Vec<TreeDamage> },
    #[error("`{}` exists and was not installed by this program", path.display())]
    #[fault("E_GET_OCCUPIED", Build, hint("remove it, or choose another folder with --to"))]
    Occupied { path: PathBuf },
    #[error("{what}: {source}")]
    #[fault(
        "E_GET_SIGNATURE",
        hint("do not use it before you know why: the key is another one, or what is published was changed")
    )]
    Signature { what: &'static str, source: TrustError },
    #[error("the SHA-256 of the {what} is {actual}, the catalogue says {expected}")]
    #[fault("E_GET_CHECKSUM", hint("{NOT_AS_OFFERED}"))]
    Digest { what: &'static str, expected: Digest, actual: Digest },
    #[error("the manifest is of {found}, not of what the catalogue offers")]
    #[fault("E_GET_OTHER_RUNTIME", hint("{NOT_AS_OFFERED}"))]
    OtherRuntime { found: String },
    #[error("offline: {reason}")]
    #[fault("E_GET_OFFLINE", Build, hint("run it once without --offline"))]
    Offline { reason: String },
    #[error("cannot write `{}`: {source}", path.display())]
    #[fault("E_GET_WRITE", Build, hint("choose another folder with --to, or make this one writable"))]
    Write { path: PathBuf, source: io::Error },
    /// In bytes.
    #[error("{needed} bytes are needed in `{}`, and {free} are free", path.display())]
    #[fault("E_GET_NO_ROOM", Build, hint("make room there, or choose another folder with --to"))]
    NoRoom { path: PathBuf, needed: u64, free: u64 },
    #[error("interrupted")]
    #[fault("E_INTERRUPTED", Interrupted, hint("{GO_ON}"))]
    Cancelled,
}

/// Nothing is on offer that a request which leaves the version open can mean.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("no {asked} is on offer for {platform} in the channel {channel}")]
#[fault("E_GET_NOT_OFFERED", Usage, hint_with = Self::hint_of_offer)]
pub struct NotOffered {
    pub asked: RuntimeRequest,
    pub platform: PlatformKey,
    pub channel: Channel,
    /// What is on offer, nearest first.
    pub nearest: Vec<String>,
    /// In the other channel.
    pub candidate: Option<VersionString>,
    /// For others.
    pub platforms: Vec<PlatformKey>,
}

impl NotOffered {
    fn hint_of_offer(&self) -> Option<String> {
        let Self { nearest, candidate, platforms, channel, .. } = self;
        let mut hints = Vec::new();
        if let Some(candidate) = candidate.as_ref().filter(|_| *channel == Channel::Stable) {
            hints.push(format!("{candidate} is on offer as a candidate: pass --channel candidate"));
        }
        if !platforms.is_empty() {
            let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            hints.push(format!("it is on offer for {}", platforms.join(", ")));
        }
        hints.push(match nearest.as_slice() {
            [] => "nothing is on offer for this platform and channel".to_owned(),
            nearest => format!("on offer, nearest first: {}", nearest.join(", ")),
        });
        Some(hints.join("; "))
    }
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

const GO_ON: &str = "run it again; what has arrived is kept";
const NOT_AS_OFFERED: &str = "the server offers something else than its catalogue says; report it to the publisher";

impl GetErrorKind {
    fn hint_of_fetch(&self) -> Option<String> {
        let Self::Fetch(error) = self else { return None };
        error.hint().or_else(|| hint_of_fetch(&error.kind).map(str::to_owned))
    }
}

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

pub(crate) fn offline(reason: &str) -> GetErrorKind {
    GetErrorKind::Offline { reason: reason.to_owned() }
}
