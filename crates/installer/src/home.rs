//! The folder where runtimes are installed side by side.
//!
//! `<version>-<build>` contains one build, complete or not at all: it is renamed into place. `<version>-current` leads
//! to the one that was installed last; the previous one stays, so that programs running from it continue. On Windows,
//! where links need a privilege, it is a text file `<version>-current.txt` with the folder's name. `.installed` has a
//! record of each build, `.catalogues` what was last read, `.partial` what an interrupted fetch received.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use disk::FileBeside;
use serde::Deserialize;
use vocab::INNER_MANIFEST;
use vocab::{Digest, Event, Manifest, VersionString};

use crate::install_record::InstallRecord;

/// Trees and links are made under these names; after a kill they are useless.
const STAGED: [&str; 3] = [".stage-", ".current-", REMOVED];

/// A build is moved here before it is removed. It is not brought back.
const REMOVED: &str = ".removed-";

/// Inside a folder of [`STAGED`]. No build has such a name.
pub(crate) const STAGED_TREE: &str = "tree";

/// Has a file for each build, with the name of its folder.
const RECORDS: &str = ".installed";

/// Partial downloads idle for this long belong to builds that are no longer wanted.
const PARTIAL_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// While a record is written.
const STAGED_RECORD: &str = ".record-";

/// The part of a record that says what was installed, without the table of its files.
#[derive(Deserialize)]
struct RecordHead {
    manifest: String,
}

/// One of [`STAGED`] and the six random characters of such a name.
fn is_staged(name: &str) -> bool {
    let random = STAGED.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or_default();
    random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A folder of installed runtimes. It need not exist before the first installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

/// While it is held, no other process installs here. The system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct HomeLock {
    _lock: File,
}

impl Home {
    /// Reads and creates nothing.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The folder as given to [`new`](Self::new).
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// `None` while another process installs.
    pub(crate) fn hold(&self) -> io::Result<Option<HomeLock>> {
        fs::create_dir_all(&self.0)?;
        let lock = File::options().create(true).write(true).truncate(false).open(self.0.join(".lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        self.clear_up()?;
        Ok(Some(HomeLock { _lock: lock }))
    }

    /// Like [`hold`](Self::hold), waiting for other processes. `None` if the user asks to stop.
    pub(crate) fn hold_when_free(
        &self,
        tell: &dyn Fn(Event),
        is_cancelled: &dyn Fn() -> bool,
    ) -> io::Result<Option<HomeLock>> {
        let mut told = false;
        loop {
            if let Some(hold) = self.hold()? {
                return Ok(Some(hold));
            }
            if is_cancelled() {
                return Ok(None);
            }
            if !told {
                let text = format!("waiting for another process that installs to `{}`", self.0.display());
                tell(Event::Note { text });
                told = true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether another process installs or removes right now. Creates nothing.
    pub(crate) fn is_held(&self) -> bool {
        let lock = File::open(self.0.join(".lock"));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Folders that killed processes left.
    pub(crate) fn unfinished(&self) -> Vec<PathBuf> {
        let items = fs::read_dir(&self.0).into_iter().flatten().flatten();
        // The folder may contain other things, too; a link is not ours.
        let is_folder = |item: &fs::DirEntry| item.file_type().is_ok_and(|kind| kind.is_dir());
        let staged = |item: &fs::DirEntry| is_folder(item) && item.file_name().to_str().is_some_and(is_staged);
        items.filter(staged).map(|item| item.path()).collect()
    }

    /// Removes what killed processes left. Only while no other process installs.
    fn clear_up(&self) -> io::Result<()> {
        for folder in self.unfinished() {
            self.bring_back(&folder)?;
            disk::remove_tree(&folder)?;
        }
        disk::sweep(&self.0.join(RECORDS), &[STAGED_RECORD]);
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

    /// Restores a build whose process was killed between the two steps of [`Home::exchange`].
    fn bring_back(&self, stage: &Path) -> io::Result<()> {
        if stage.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(REMOVED)) {
            return Ok(());
        }
        let Ok(items) = fs::read_dir(stage) else { return Ok(()) };
        for item in items.flatten() {
            let place = self.0.join(item.file_name());
            if item.file_name() != STAGED_TREE && self.has(&item.path()) && fs::symlink_metadata(&place).is_err() {
                disk::rename(&item.path(), &place)?;
            }
        }
        Ok(())
    }

    pub(crate) fn partial(&self) -> PathBuf {
        self.0.join(".partial")
    }

    /// Size on disk, in bytes.
    pub(crate) fn partial_size(&self) -> u64 {
        let sizes =
            fs::read_dir(self.partial()).into_iter().flatten().flatten().filter_map(|item| item.metadata().ok());
        sizes.map(|metadata| metadata.len()).sum()
    }

    /// The path of a build, whether or not it is installed.
    pub fn folder(&self, version: &VersionString, build_key: &Digest) -> PathBuf {
        self.0.join(format!("{version}-{}", build_key.short()))
    }

    /// Whether a build is installed in `folder`; its files are not checked.
    pub fn has(&self, folder: &Path) -> bool {
        folder.join(INNER_MANIFEST).is_file()
    }

    /// The path of the link or, on Windows, of the text file.
    pub fn current_path(&self, version: &VersionString) -> PathBuf {
        self.0.join(format!("{version}-current{}", if cfg!(windows) { ".txt" } else { "" }))
    }

    /// The build that was installed last. `None` if there is none, or it is gone.
    pub fn current(&self, version: &VersionString) -> Option<PathBuf> {
        let folder = self.0.join(self.current_name(version)?);
        self.has(&folder).then_some(folder)
    }

    /// The name of the folder that was made current, whether or not it is there.
    pub(crate) fn current_name(&self, version: &VersionString) -> Option<OsString> {
        let path = self.current_path(version);
        let name = if cfg!(windows) {
            PathBuf::from(fs::read_to_string(path).ok()?.trim())
        } else {
            fs::read_link(path).ok()?
        };
        // A plain name, which cannot lead elsewhere.
        name.file_name().filter(|plain| *plain == name.as_os_str()).map(OsStr::to_owned)
    }

    /// Removes the link or, on Windows, the text file.
    pub(crate) fn clear_current(&self, version: &VersionString) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.current_path(version)))
    }

    /// Versions with a current build, in ascending order.
    pub(crate) fn current_versions(&self) -> Vec<VersionString> {
        let items = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let version = |item: fs::DirEntry| {
            let name = item.file_name();
            let name = name.to_str()?.strip_suffix(".txt").or(name.to_str())?;
            name.strip_suffix("-current")?.parse::<VersionString>().ok()
        };
        let mut versions: Vec<_> = items.filter_map(version).filter(|it| self.current(it).is_some()).collect();
        versions.sort();
        versions.dedup();
        versions
    }

    /// The newest version with a current build whose artifacts have this key.
    pub fn newest_of(&self, key: &str) -> Option<VersionString> {
        self.current_versions().into_iter().rfind(|it| it.artifact_key() == key)
    }

    /// Makes `folder` the current build, in one step.
    pub(crate) fn set_current(&self, version: &VersionString, folder: &Path) -> io::Result<()> {
        let name = folder.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let path = self.current_path(version);
        let beside = tempfile::Builder::new().prefix(".current-").tempdir_in(&self.0)?;
        let staged = beside.path().join("link");
        link(Path::new(name), &staged)?;
        disk::rename(&staged, &path)
    }

    pub(crate) fn catalogue_path(&self, id: &Digest) -> PathBuf {
        self.0.join(".catalogues").join(format!("{}.json", id.short()))
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.0.join(RECORDS)
    }

    pub(crate) fn record_path(&self, folder: &Path) -> PathBuf {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        self.0.join(RECORDS).join(format!("{name}.json"))
    }

    /// `None` for what was installed without a record, or if it cannot be read: then nothing is known about the tree.
    pub(crate) fn record(&self, folder: &Path) -> Option<InstallRecord> {
        serde_json::from_slice(&fs::read(self.record_path(folder)).ok()?).ok()
    }

    /// The manifest of what was installed there, with its artifact. `None` without a record that can be read.
    pub(crate) fn manifest_of(&self, folder: &Path) -> Option<Manifest> {
        let head: RecordHead = serde_json::from_slice(&fs::read(self.record_path(folder)).ok()?).ok()?;
        archive::read_manifest(head.manifest.as_bytes()).ok()
    }

    /// Folders of builds that have a record, by name.
    pub(crate) fn builds(&self) -> Vec<PathBuf> {
        let items = fs::read_dir(self.0.join(RECORDS)).into_iter().flatten().flatten();
        let name = |item: fs::DirEntry| item.file_name().to_str()?.strip_suffix(".json").map(str::to_owned);
        let mut names: Vec<String> = items.filter_map(name).filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names.into_iter().map(|name| self.0.join(name)).collect()
    }

    pub(crate) fn save_record(&self, folder: &Path, record: &InstallRecord) -> io::Result<()> {
        let mut beside = FileBeside::within(&self.0.join(RECORDS), STAGED_RECORD)?;
        beside.write_all(serde_json::to_string(record)?.as_bytes())?;
        beside.replace(&self.record_path(folder))
    }

    /// Removes the record of a build.
    pub(crate) fn forget(&self, folder: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.record_path(folder)))
    }

    /// Moves a build out of sight, in one step, into a folder that is removed with the value or by the next process.
    pub(crate) fn take_away(&self, folder: &Path) -> io::Result<tempfile::TempDir> {
        let taken = tempfile::Builder::new().prefix(REMOVED).tempdir_in(&self.0)?;
        disk::rename(folder, &taken.path().join(folder.file_name().ok_or(io::ErrorKind::InvalidInput)?))?;
        Ok(taken)
    }

    /// A tree is made in it as [`STAGED_TREE`]; removed with the value, or by the next process.
    pub(crate) fn stage(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(STAGED[0]).tempdir_in(&self.0)
    }

    /// Moves the tree in `stage` to `folder`. What was there is moved into `stage`, and moved back if that fails.
    pub(crate) fn exchange(&self, stage: &Path, folder: &Path) -> io::Result<()> {
        let former = stage.join(folder.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        let stood = match disk::rename(folder, &former) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let placed = disk::rename(&stage.join(STAGED_TREE), folder);
        if placed.is_err() && stood {
            disk::rename(&former, folder)?;
        }
        placed
    }
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
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
