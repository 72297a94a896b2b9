//! Places a file of the store in a prefix, in the cheapest way that the two folders allow.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::unpacked::stamp;
use store::StoreError;

/// In order of preference. A reflink shares only disk blocks; a hard link is the store's own file and so read-only; a
/// copy always works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkMethod {
    /// Shares disk blocks until one of the two is written to (APFS, Btrfs, XFS).
    Reflink,
    /// Another name of the store's read-only file.
    HardLink,
    /// Shares nothing.
    Copy,
}

impl LinkMethod {
    /// In words, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reflink => "reflink",
            Self::HardLink => "hard link",
            Self::Copy => "copy",
        }
    }

    /// Tries the methods with `sample`, a file of the store, in a temporary folder below `prefix`.
    pub fn probe(sample: &Path, prefix: &Path) -> Result<Self, StoreError> {
        let folder = tempfile::Builder::new()
            .prefix(".pydist-probe-")
            .tempdir_in(prefix)
            .map_err(|source| StoreError::new("create a folder below", prefix, source))?;
        if reflink_copy::reflink(sample, folder.path().join("reflink")).is_ok() {
            return Ok(Self::Reflink);
        }
        let link = folder.path().join("link");
        if fs::hard_link(sample, &link).is_ok() {
            remove_link(&link, sample).map_err(|source| StoreError::new("remove", &link, source))?;
            return Ok(Self::HardLink);
        }
        Ok(Self::Copy)
    }
}

#[cfg(unix)]
fn remove_link(link: &Path, _file: &Path) -> io::Result<()> {
    fs::remove_file(link)
}

/// Before Windows 10 no read-only file could be removed; the mark belongs to the file, and so to the store's as well.
#[cfg(not(unix))]
fn remove_link(link: &Path, file: &Path) -> io::Result<()> {
    if fs::remove_file(link).is_ok() {
        return Ok(());
    }
    let permissions = fs::metadata(file)?.permissions();
    let mut writable = permissions.clone();
    writable.set_readonly(false);
    fs::set_permissions(link, writable)?;
    fs::remove_file(link)?;
    fs::set_permissions(file, permissions)
}

/// Creates `to`, which must not exist. A hard link has the executable bit of the store's file.
pub fn place(method: LinkMethod, from: &Path, to: &Path, executable: bool) -> io::Result<()> {
    match method {
        LinkMethod::Reflink => {
            reflink_copy::reflink(from, to)?;
            make_own(to, executable)
        }
        LinkMethod::HardLink => match fs::hard_link(from, to) {
            // The number of links to a file is limited (65,000 on ext4, 1,024 on NTFS).
            Err(error) if error.kind() == io::ErrorKind::TooManyLinks => copy(from, to, executable),
            other => other,
        },
        LinkMethod::Copy => copy(from, to, executable),
    }
}

/// Makes a writable file that shares nothing with the store.
pub(super) fn copy(from: &Path, to: &Path, executable: bool) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = fs::File::create_new(to)?;
    io::copy(&mut source, &mut target)?;
    drop(target);
    make_own(to, executable)
}

/// Sets 0755 or 0644, whatever the process's umask, and the time stamp of the store's file.
pub(super) fn make_own(path: &Path, executable: bool) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
    }
    #[cfg(not(unix))]
    let _ = executable;
    // Setting the time needs a handle with write access; on POSIX any handle of the owner will do.
    fs::File::options().write(true).open(path)?.set_modified(stamp())
}
