//! The table of contents of a wheel's zip archive, with every rule that can be checked before inflating anything.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use archive::{NameRules, ZipErrorKind, ZipMember};
use vocab::TreePath;
use zip::ZipArchive;

use super::unpack_error::UnpackErrorKind;

/// A regular file in the archive.
#[derive(Clone, Debug)]
pub(super) struct WheelMember {
    /// In the archive's table.
    pub index: usize,
    pub path: TreePath,
    /// Uncompressed, as the table claims; enforced while reading.
    pub size: u64,
    pub executable: bool,
}

/// A wheel may always inflate to this size, and beyond it to `HIGHEST_RATIO` times its own size.
const ALWAYS_FINE: u64 = 512 << 20;
const HIGHEST_RATIO: u64 = 200;

/// Opens the archive and lists its files; folders are omitted, since they follow from the files.
///
/// Two programs read the archive: the reader of our own zips, which compares each entry with its local header, and the
/// one that inflates. They must see the same.
pub(super) fn open(
    file: &SharedFile,
    path: &Path,
) -> Result<(ZipArchive<SharedFile>, Vec<WheelMember>), UnpackErrorKind> {
    let listed = archive::zip_members_of(&file.file).map_err(|kind| match kind {
        ZipErrorKind::Read { source } => UnpackErrorKind::Read { path: path.to_owned(), source },
        ZipErrorKind::Malformed { fault } => UnpackErrorKind::Zip { reason: fault.to_string() },
        ZipErrorKind::Entry { entry, fault } => UnpackErrorKind::Entry { path: entry, reason: fault.to_string() },
        ZipErrorKind::TooMany { limit } => {
            UnpackErrorKind::TooLarge { reason: format!("it has more than {limit} entries") }
        }
    })?;
    let packed = file.length;
    let archive = ZipArchive::new(file.clone()).map_err(|error| UnpackErrorKind::Zip { reason: error.to_string() })?;
    if archive.has_duplicate_names() {
        return Err(UnpackErrorKind::Zip { reason: "two of its entries have the same name".into() });
    }
    let mut members = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        members.extend(member(&archive, index, &listed)?);
    }
    check_size(&members, packed)?;
    check_names(&members)?;
    Ok((archive, members))
}

/// `None` for a folder.
fn member(
    archive: &ZipArchive<SharedFile>,
    index: usize,
    listed: &BTreeMap<String, ZipMember>,
) -> Result<Option<WheelMember>, UnpackErrorKind> {
    let entry = archive.by_index_data(index).map_err(|error| UnpackErrorKind::Zip { reason: error.to_string() })?;
    let shown = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let refuse = |reason: &str| Err(UnpackErrorKind::Entry { path: shown.clone(), reason: reason.to_owned() });
    let Ok(name) = std::str::from_utf8(entry.name_raw()) else {
        return refuse("its name is not UTF-8");
    };
    let path = match NameRules::of_host().check(name) {
        Ok(path) => path,
        Err(fault) => return refuse(&fault.to_string()),
    };
    let mode = entry.unix_mode().unwrap_or(0);
    // The file type bits; archives made on Windows leave them empty.
    let kind = mode & 0o170_000;
    if entry.is_symlink() || kind == 0o120_000 {
        return refuse("it is a symbolic link, which wheels do not have");
    }
    if name.ends_with('/') || kind == 0o040_000 {
        return if entry.size() == 0 { Ok(None) } else { refuse("it is a folder with content") };
    }
    if !matches!(kind, 0 | 0o100_000) {
        return refuse("it is neither a file nor a folder");
    }
    if entry.encrypted() {
        return refuse("it is encrypted");
    }
    if path.is_root() {
        return refuse("it has no name");
    }
    let same =
        |it: &ZipMember| (it.size, it.packed, it.crc32) == (entry.size(), entry.compressed_size(), entry.crc32());
    if !listed.get(name).is_some_and(same) {
        return refuse("programs would not agree on what it is");
    }
    Ok(Some(WheelMember { index, path, size: entry.size(), executable: mode & 0o111 != 0 }))
}

fn check_size(members: &[WheelMember], packed: u64) -> Result<(), UnpackErrorKind> {
    let total = members.iter().fold(0_u64, |sum, member| sum.saturating_add(member.size));
    if total > ALWAYS_FINE.max(packed.saturating_mul(HIGHEST_RATIO)) {
        let reason = format!("its {packed} bytes claim to hold {total}, more than {HIGHEST_RATIO} times as many");
        return Err(UnpackErrorKind::TooLarge { reason });
    }
    Ok(())
}

fn check_names(members: &[WheelMember]) -> Result<(), UnpackErrorKind> {
    let refuse = |path: &TreePath, reason: &str| {
        Err(UnpackErrorKind::Entry { path: path.to_string(), reason: reason.to_owned() })
    };
    let mut files = HashSet::new();
    let mut folders = HashSet::new();
    for member in members {
        if !files.insert(&member.path) {
            return refuse(&member.path, "another entry has the same path");
        }
        let mut parent = member.path.parent();
        while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
            parent = folder.parent();
            if !folders.insert(folder) {
                break;
            }
        }
    }
    if let Some(path) = files.iter().find(|path| folders.contains(**path)) {
        return refuse(path, "it is a file and a folder at once");
    }
    // What this machine's disk cannot represent would otherwise be lost while it is written.
    if cfg!(any(windows, target_os = "macos")) {
        let mut keys = HashSet::new();
        for member in members {
            if !keys.insert(NameRules::of_host().key(member.path.as_str())) {
                return refuse(&member.path, "another entry differs from it only in upper and lower case");
            }
        }
    }
    Ok(())
}

/// One open file that many threads read at positions of their own.
#[derive(Clone, Debug)]
pub(super) struct SharedFile {
    file: Arc<File>,
    position: u64,
    length: u64,
}

impl SharedFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), position: 0, length })
    }

    /// In bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// From start to end, in long pieces.
    pub(super) fn buffered(&self) -> BufReader<Self> {
        BufReader::with_capacity(1 << 18, Self { position: 0, ..self.clone() })
    }
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let count = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.position)?;
        #[cfg(windows)]
        let count = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
