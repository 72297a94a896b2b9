//! The folder where runtimes are installed side by side.
//!
//! `<version>-<build>` holds one build, whole or not at all: it comes by rename. `<version>-current` leads to the one
//! that was installed last; the one before stays, so that what runs from it goes on. On Windows, where links need a
//! privilege, it is a text file `<version>-current.txt` with the folder's name. `.installed` holds a record of each build,
//! `.catalogues` what was last read, `.partial` what an interrupted fetch had brought.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use archive::FileBeside;
use vocab::INNER_MANIFEST;
use vocab::{Digest, VersionString};

use crate::install_record::InstallRecord;

/// Under these names trees and links are made; after a kill they are of no use.
const STAGED: [&str; 2] = [".stage-", ".current-"];

/// Inside a folder of [`STAGED`]. No build has such a name.
pub(crate) const STAGED_TREE: &str = "tree";

/// Holds a file for each build, named as its folder.
const RECORDS: &str = ".installed";

/// What nobody has gone on with for so long is of a build that nobody wants any more.
const PARTIAL_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// While a record is written.
const STAGED_RECORD: &str = ".record-";

/// One of [`STAGED`] and the six characters that make such a name unlike all others.
fn is_staged(name: &str) -> bool {
    let random = STAGED.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or_default();
    random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

/// Nobody else installs here while it is held. The system lets go of it when the process ends, in whatever way.
#[derive(Debug)]
pub(crate) struct Hold {
    _lock: File,
}

impl Home {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    /// `None` while another process installs.
    pub(crate) fn hold(&self) -> io::Result<Option<Hold>> {
        fs::create_dir_all(&self.0)?;
        let lock = File::options().create(true).write(true).truncate(false).open(self.0.join(".lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        self.clear_up()?;
        Ok(Some(Hold { _lock: lock }))
    }

    /// What killed processes left. Only while nobody else installs.
    fn clear_up(&self) -> io::Result<()> {
        for item in fs::read_dir(&self.0)?.flatten() {
            // The folder may be one that holds something else, too; a link is nobody's stage.
            let is_folder = item.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && item.file_name().to_str().is_some_and(is_staged) {
                self.bring_back(&item.path())?;
                fs::remove_dir_all(item.path())?;
            }
        }
        archive::sweep(&self.0.join(RECORDS), &[STAGED_RECORD]);
        if fs::symlink_metadata(self.partial()).is_ok_and(|metadata| metadata.is_symlink()) {
            return Ok(());
        }
        let Ok(items) = fs::read_dir(self.partial()) else { return Ok(()) };
        for item in items.flatten() {
            if item.path().extension().is_none_or(|extension| extension != "part") {
                continue;
            }
            let age = item.metadata().and_then(|it| it.modified()).ok().and_then(|it| it.elapsed().ok());
            if age.is_some_and(|age| age > PARTIAL_AGE) {
                fs::remove_file(item.path())?;
            }
        }
        Ok(())
    }

    /// A build that was killed between the two steps of [`Home::exchange`].
    fn bring_back(&self, stage: &Path) -> io::Result<()> {
        let Ok(items) = fs::read_dir(stage) else { return Ok(()) };
        for item in items.flatten() {
            let place = self.0.join(item.file_name());
            if item.file_name() != STAGED_TREE && self.has(&item.path()) && fs::symlink_metadata(&place).is_err() {
                archive::rename(&item.path(), &place)?;
            }
        }
        Ok(())
    }

    pub(crate) fn partial(&self) -> PathBuf {
        self.0.join(".partial")
    }

    /// In bytes, on disk.
    pub(crate) fn partial_size(&self) -> u64 {
        let sizes =
            fs::read_dir(self.partial()).into_iter().flatten().flatten().filter_map(|item| item.metadata().ok());
        sizes.map(|metadata| metadata.len()).sum()
    }

    /// Where a build is or would be.
    pub fn folder(&self, version: &VersionString, build_key: &Digest) -> PathBuf {
        self.0.join(format!("{version}-{}", build_key.short()))
    }

    pub fn has(&self, folder: &Path) -> bool {
        folder.join(INNER_MANIFEST).is_file()
    }

    /// The link or, on Windows, the file.
    pub fn current_path(&self, version: &VersionString) -> PathBuf {
        self.0.join(format!("{version}-current{}", if cfg!(windows) { ".txt" } else { "" }))
    }

    /// The build that was installed last. `None` when there is none, or it is gone.
    pub fn current(&self, version: &VersionString) -> Option<PathBuf> {
        let path = self.current_path(version);
        let name = if cfg!(windows) {
            PathBuf::from(fs::read_to_string(path).ok()?.trim())
        } else {
            fs::read_link(path).ok()?
        };
        // A plain name: whoever wrote it, it leads nowhere else.
        let folder = self.0.join(name.file_name().filter(|plain| *plain == name.as_os_str())?);
        self.has(&folder).then_some(folder)
    }

    /// Makes `folder` the current one, in one step.
    pub fn set_current(&self, version: &VersionString, folder: &Path) -> io::Result<()> {
        let name = folder.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let path = self.current_path(version);
        let beside = tempfile::Builder::new().prefix(".current-").tempdir_in(&self.0)?;
        let staged = beside.path().join("link");
        link(Path::new(name), &staged)?;
        archive::rename(&staged, &path)
    }

    pub(crate) fn catalogue_path(&self, id: &Digest) -> PathBuf {
        self.0.join(".catalogues").join(format!("{}.json", id.short()))
    }

    fn record_path(&self, folder: &Path) -> PathBuf {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        self.0.join(RECORDS).join(format!("{name}.json"))
    }

    /// `None` for what was installed without one, or when it cannot be read: then nothing is known of the tree.
    pub(crate) fn record(&self, folder: &Path) -> Option<InstallRecord> {
        serde_json::from_slice(&fs::read(self.record_path(folder)).ok()?).ok()
    }

    pub(crate) fn save_record(&self, folder: &Path, record: &InstallRecord) -> io::Result<()> {
        let mut beside = FileBeside::within(&self.0.join(RECORDS), STAGED_RECORD)?;
        beside.write_all(serde_json::to_string(record)?.as_bytes())?;
        beside.replace(&self.record_path(folder))
    }

    /// In it a tree grows as [`STAGED_TREE`]; gone with the value, or cleared up by the next process.
    pub(crate) fn stage(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(STAGED[0]).tempdir_in(&self.0)
    }

    /// Puts the tree that grew in `stage` in the place of `folder`. What stood there goes by way of `stage`, and comes
    /// back should that fail.
    pub(crate) fn exchange(&self, stage: &Path, folder: &Path) -> io::Result<()> {
        let former = stage.join(folder.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        let stood = match archive::rename(folder, &former) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let placed = archive::rename(&stage.join(STAGED_TREE), folder);
        if placed.is_err() && stood {
            archive::rename(&former, folder)?;
        }
        placed
    }
}

#[cfg(unix)]
fn link(name: &Path, place: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(name, place)
}

#[cfg(not(unix))]
fn link(name: &Path, place: &Path) -> io::Result<()> {
    fs::write(place, format!("{}\n", name.display()))
}
