//! What a zip contains, for copying from it without decompressing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use vocab::Fault;

use crate::extract_options::ExtractLimits;
use crate::window::ReadWindow;
use crate::zip_directory::{DirectoryError, ZipDirectory, ZipFault};
use crate::zip_local::check_local;
use crate::zip_member::{MemberError, MemberFault, ZipMember};

/// Consecutive local headers of small files are read together.
const AHEAD: usize = 8 << 10;

/// The files of the zip at `path`, by their names as the zip states them (`/`-separated in a wheel), for
/// [`crate::FileContent::Zipped`]. Every local header has been compared with the central directory; the content has not
/// been read.
///
/// Folders are left out, and everything that cannot be copied unchanged: encrypted files, methods other than stored and
/// deflated, names that are not UTF-8, and repeated names.
pub fn zip_members(path: &Path) -> Result<BTreeMap<String, ZipMember>, ZipError> {
    members_of(path).map_err(|kind| ZipError { archive: path.to_owned(), kind })
}

fn members_of(path: &Path) -> Result<BTreeMap<String, ZipMember>, ZipErrorKind> {
    zip_members_of(&File::open(path)?)
}

/// Like [`zip_members`], for an open file.
pub fn zip_members_of(file: &File) -> Result<BTreeMap<String, ZipMember>, ZipErrorKind> {
    let size = file.metadata()?.len();
    let limit = ExtractLimits::default().entries;
    let directory = ZipDirectory::read(file, size, limit).map_err(|error| match error {
        DirectoryError::Read(source) => ZipErrorKind::Read { source },
        DirectoryError::Fault(fault) => ZipErrorKind::Malformed { fault },
        DirectoryError::Entry { name, fault } => ZipErrorKind::Entry { entry: name, fault },
        DirectoryError::TooMany => ZipErrorKind::TooMany { limit },
    })?;
    let ends = directory.ends();
    let mut window = ReadWindow::new(AHEAD);
    // Absent for a name that cannot be offered.
    let mut members: BTreeMap<String, Option<ZipMember>> = BTreeMap::new();
    for (entry, end) in directory.entries.iter().zip(ends) {
        let name = directory.name(entry);
        let read = &mut |offset, out: &mut [u8]| window.read(file, size, offset, out);
        let member = match check_local(entry, name, end, read) {
            Ok(member) => Some(member),
            Err(MemberError::Fault(MemberFault::Encrypted | MemberFault::Method { .. })) => None,
            Err(MemberError::Read(source)) => return Err(source.into()),
            Err(MemberError::Fault(fault)) => {
                return Err(ZipErrorKind::Entry { entry: directory.shown_name(entry), fault });
            }
        };
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if !name.ends_with('/') {
            let twice = members.contains_key(name);
            members.insert(name.to_owned(), member.filter(|_| !twice));
        }
    }
    Ok(members.into_iter().filter_map(|(name, member)| Some((name, member?))).collect())
}

/// The zip cannot be copied from.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot list the zip `{}`", archive.display())]
#[fault(transparent = kind)]
pub struct ZipError {
    pub archive: PathBuf,
    #[source]
    pub kind: ZipErrorKind,
}

/// What is wrong with the zip as a whole or with one entry.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Trust)]
pub enum ZipErrorKind {
    #[error("it cannot be read: {source}")]
    #[fault("E_ARCHIVE_READ", Build)]
    Read { source: io::Error },
    #[error("{fault}")]
    #[fault("E_ARCHIVE_CORRUPT", hint("delete the zip and fetch it again"))]
    Malformed { fault: ZipFault },
    #[error("its entry `{entry}` is refused: {fault}")]
    #[fault("E_ARCHIVE_UNSAFE")]
    Entry { entry: String, fault: MemberFault },
    #[error("it holds more than {limit} entries")]
    #[fault("E_ARCHIVE_LIMIT")]
    TooMany { limit: u64 },
}

impl From<io::Error> for ZipErrorKind {
    fn from(source: io::Error) -> Self {
        Self::Read { source }
    }
}
