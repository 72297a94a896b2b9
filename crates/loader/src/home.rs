//! The folder where runtimes are installed side by side.
//!
//! `<version>-<build>` holds one build, whole or not at all: it comes by rename. `<version>-current` leads to the one
//! that was installed last; the one before stays, so that what runs from it goes on. On Windows, where links need a
//! privilege, it is a text file `<version>-current.txt` with the folder's name. `.catalogues` holds what was last
//! read, for work without a network.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use archive::FileBeside;
use vocab::{Digest, VersionString};

/// At the root of every runtime.
const INNER_MANIFEST: &str = "pydist.json";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    pub fn root(&self) -> &Path {
        &self.0
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

    fn catalogue_path(&self, place: &str) -> PathBuf {
        self.0.join(".catalogues").join(format!("{}.json", Digest::of(place).short()))
    }

    pub(crate) fn kept_catalogue(&self, place: &str) -> io::Result<Vec<u8>> {
        fs::read(self.catalogue_path(place))
    }

    pub(crate) fn keep_catalogue(&self, place: &str, text: &[u8]) -> io::Result<()> {
        let path = self.catalogue_path(place);
        let folder = path.parent().unwrap_or(&self.0);
        let mut beside = FileBeside::within(folder, ".catalogue-")?;
        beside.write_all(text)?;
        beside.replace(&path)
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
