//! Why an archive was not extracted.

use std::io;
use std::path::PathBuf;

use vocab::{Digest, Exit, Fault};

use crate::name_rules::EntryFault;
use crate::tar_stream::TarFault;
use crate::zip_directory::ZipFault;
use crate::zip_member::MemberFault;

/// An archive was not extracted; the destination is as it was before.
#[derive(Debug, thiserror::Error)]
#[error("cannot extract `{}`", archive.display())]
pub struct ExtractError {
    pub archive: PathBuf,
    #[source]
    pub kind: ExtractErrorKind,
}

/// What is wrong with the archive, its destination, or the disk.
#[derive(Debug, thiserror::Error)]
pub enum ExtractErrorKind {
    #[error("it cannot be read: {source}")]
    Read { source: io::Error },
    #[error("its SHA-256 is {actual}, expected {expected}")]
    Digest { expected: Digest, actual: Digest },
    #[error("unknown archive format; use tar.zst, tar.gz, tar or zip")]
    Format,
    #[error("it is truncated or damaged: {reason}")]
    Corrupt { reason: String },
    #[error("its entry `{entry}` is refused: {fault}")]
    Entry { entry: String, fault: EntryFault },
    /// Like [`Entry`](Self::Entry), for rules that only zips have.
    #[error("its entry `{entry}` is refused: {fault}")]
    Member { entry: String, fault: MemberFault },
    #[error("it holds more than {limit} {what}")]
    Limit { what: &'static str, limit: u64 },
    /// `found` holds the names at the top, sorted; at most twenty, then `…`.
    #[error("expected exactly one top-level folder, found {}", listed(found))]
    TopFolder { found: Vec<String> },
    #[error("`{}` already exists", path.display())]
    DestinationExists { path: PathBuf },
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

fn listed(found: &[String]) -> String {
    if found.is_empty() { "nothing".to_owned() } else { format!("`{}`", found.join("`, `")) }
}

impl From<TarFault> for ExtractErrorKind {
    fn from(fault: TarFault) -> Self {
        Self::Corrupt { reason: fault.to_string() }
    }
}

impl From<ZipFault> for ExtractErrorKind {
    fn from(fault: ZipFault) -> Self {
        Self::Corrupt { reason: fault.to_string() }
    }
}

impl ExtractErrorKind {
    /// An error with a system error number comes from the system, any other from the decoder.
    pub(crate) fn of_read(source: io::Error) -> Self {
        if source.raw_os_error().is_some() {
            Self::Read { source }
        } else {
            Self::Corrupt { reason: source.to_string() }
        }
    }
}

/// What a member's fault says about its archive.
enum MemberVerdict {
    /// This program cannot read it.
    Unsupported,
    Damaged,
    /// It was made to deceive.
    Deceptive,
}

fn verdict(fault: &MemberFault) -> MemberVerdict {
    match fault {
        MemberFault::Encrypted | MemberFault::Method { .. } => MemberVerdict::Unsupported,
        MemberFault::Field { .. }
        | MemberFault::Stream
        | MemberFault::Longer { .. }
        | MemberFault::Shorter { .. }
        | MemberFault::Trailing
        | MemberFault::Crc { .. } => MemberVerdict::Damaged,
        MemberFault::Disagrees { .. } | MemberFault::NoHeader | MemberFault::Overlap => MemberVerdict::Deceptive,
    }
}

impl Fault for ExtractError {
    fn code(&self) -> &'static str {
        match self.kind {
            ExtractErrorKind::Read { .. } => "E_ARCHIVE_READ",
            ExtractErrorKind::Digest { .. } => "E_ARCHIVE_CHECKSUM",
            ExtractErrorKind::Format => "E_ARCHIVE_FORMAT",
            ExtractErrorKind::Corrupt { .. } => "E_ARCHIVE_CORRUPT",
            ExtractErrorKind::Entry { .. } => "E_ARCHIVE_UNSAFE",
            ExtractErrorKind::Member { ref fault, .. } => match verdict(fault) {
                MemberVerdict::Unsupported => "E_ARCHIVE_FORMAT",
                MemberVerdict::Damaged => "E_ARCHIVE_CORRUPT",
                MemberVerdict::Deceptive => "E_ARCHIVE_UNSAFE",
            },
            ExtractErrorKind::Limit { .. } => "E_ARCHIVE_LIMIT",
            ExtractErrorKind::TopFolder { .. } => "E_ARCHIVE_LAYOUT",
            ExtractErrorKind::DestinationExists { .. } | ExtractErrorKind::Write { .. } => "E_ARCHIVE_WRITE",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            ExtractErrorKind::Digest { .. }
            | ExtractErrorKind::Format
            | ExtractErrorKind::Corrupt { .. }
            | ExtractErrorKind::Entry { .. }
            | ExtractErrorKind::Member { .. }
            | ExtractErrorKind::Limit { .. } => Exit::Trust,
            ExtractErrorKind::Read { .. }
            | ExtractErrorKind::TopFolder { .. }
            | ExtractErrorKind::DestinationExists { .. }
            | ExtractErrorKind::Write { .. } => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &self.kind {
            ExtractErrorKind::Digest { .. } | ExtractErrorKind::Corrupt { .. } => {
                "delete the archive and fetch it again"
            }
            ExtractErrorKind::Format => "check that the download is not an error page",
            ExtractErrorKind::Entry { fault: EntryFault::Clash { .. } | EntryFault::NotOnWindows { .. }, .. } => {
                "extract it on the platform that it was made for"
            }
            ExtractErrorKind::Member { fault, .. } => match verdict(fault) {
                MemberVerdict::Unsupported => "create the zip again, without encryption and with deflate",
                MemberVerdict::Damaged => "delete the archive and fetch it again",
                MemberVerdict::Deceptive => "do not use this archive; programs would not agree on what it holds",
            },
            ExtractErrorKind::Entry { .. } => "do not use this archive; it could write outside its folder",
            ExtractErrorKind::Limit { .. } => "if you trust its origin, raise the limit",
            ExtractErrorKind::DestinationExists { .. } => "remove it, or extract to another place",
            ExtractErrorKind::TopFolder { .. } | ExtractErrorKind::Read { .. } | ExtractErrorKind::Write { .. } => {
                return None;
            }
        };
        Some(hint.to_owned())
    }
}
