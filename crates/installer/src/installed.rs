//! What is installed in a home: every build, by its folder and by its record.
//!
//! A build is ours if it has a record, even one that cannot be read: a folder that merely looks like a build was put
//! there by somebody else, and nothing here changes it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use catalogue::{Channel, Moment};
use serde::Serialize;
use tree_table::{CompareDepth, TreeDamage};
use vocab::{INNER_MANIFEST, PlatformKey, TreeLayout, VersionString};

use crate::install_record::InstallRecord;
use crate::{DiskUse, Home, InstallSource, InstalledError};

/// Digits of a build key in the name of a folder.
const BUILD_DIGITS: usize = 12;

/// One build of one version.
#[derive(Clone, Debug)]
pub struct InstalledBuild {
    pub version: VersionString,
    /// The first digits of its build key.
    pub build: String,
    /// Where it is, or was.
    pub folder: PathBuf,
    /// Whether its version leads to it.
    pub is_current: bool,
    home: Home,
    /// Read when it is first asked for: a record is long, and finding an interpreter needs none.
    record: OnceLock<Result<Box<InstallRecord>, RecordFault>>,
}

/// Why nothing is known about the files of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// It was not installed by this program, or its record was removed.
    Missing,
    /// The record was changed, or a newer version of this program wrote it.
    Unreadable,
}

/// Whether a build can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// As it was installed; with [`CompareDepth::Quick`], as far as sizes and times tell.
    Intact,
    /// At least one path.
    Damaged(Vec<TreeDamage>),
    /// It has a record, and its folder is gone or empty.
    Gone,
    Unknown(RecordFault),
}

/// All builds in a home.
#[derive(Clone, Debug)]
pub struct Installed {
    pub home: Home,
    /// By version and build.
    pub builds: Vec<InstalledBuild>,
}

/// What lies in a home besides builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HomeRemains {
    /// Another process changes the home right now, so that what looks unfinished may be its work.
    pub is_busy: bool,
    /// Folders of commands that were killed.
    pub unfinished: usize,
    pub unfinished_bytes: u64,
    /// Received by interrupted downloads, and used by the next.
    pub partial_bytes: u64,
}

impl Installed {
    /// Reads which folders and records there are. A home that does not exist is empty.
    pub fn read(home: &Home) -> Result<Self, InstalledError> {
        let failed = |source| InstalledError::Read { path: home.root().to_owned(), source };
        let mut names = names_in(home.root()).map_err(failed)?;
        // A folder may be gone, its record is not.
        names.extend(names_in(&home.records()).map_err(failed)?.iter().filter_map(|name| {
            let name = name.strip_suffix(".json")?;
            Some(name.to_owned())
        }));
        let mut builds = BTreeMap::new();
        for name in names {
            let Some((version, build)) = read_name(&name) else { continue };
            let folder = home.root().join(&name);
            let is_folder = fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir());
            // What has neither a record nor a manifest only has such a name; a link is not ours.
            if !(has_record(home, &folder) || is_folder && home.has(&folder)) {
                continue;
            }
            let is_current = home.current_name(&version).is_some_and(|current| *current == *name);
            let found = InstalledBuild {
                version: version.clone(),
                build: build.clone(),
                folder,
                is_current,
                home: home.clone(),
                record: OnceLock::new(),
            };
            builds.insert((version, build), found);
        }
        Ok(Self { home: home.clone(), builds: builds.into_values().collect() })
    }

    /// What interrupted commands left.
    pub fn remains(&self) -> HomeRemains {
        let unfinished = self.home.unfinished();
        let used = DiskUse::of(unfinished.iter().map(PathBuf::as_path));
        HomeRemains {
            is_busy: self.home.is_held(),
            unfinished: unfinished.len(),
            unfinished_bytes: used.total(),
            partial_bytes: self.home.partial_size(),
        }
    }

    /// Every version with a build, sorted.
    pub fn versions(&self) -> Vec<&VersionString> {
        let mut versions: Vec<&VersionString> = self.builds.iter().map(|build| &build.version).collect();
        versions.dedup();
        versions
    }

    /// All builds of one version.
    pub fn of_version<'a>(&'a self, version: &'a VersionString) -> impl Iterator<Item = &'a InstalledBuild> {
        self.builds.iter().filter(move |build| build.version == *version)
    }
}

impl InstalledBuild {
    pub(crate) fn record(&self) -> Result<&InstallRecord, RecordFault> {
        match self.record.get_or_init(|| read_record(&self.home, &self.folder)) {
            Ok(record) => Ok(record),
            Err(fault) => Err(*fault),
        }
    }

    /// `3.12.10-atls-2f9c1d0e7a44`, the name of its folder.
    pub fn name(&self) -> String {
        format!("{}-{}", self.version, self.build)
    }

    /// Where it came from; `None` if that was not recorded.
    pub fn source(&self) -> Option<&InstallSource> {
        self.record().ok()?.source.as_ref()
    }

    /// `None` if that was not recorded.
    pub fn channel(&self) -> Option<Channel> {
        self.source().map(|source| source.channel)
    }

    /// When it was published.
    pub fn created(&self) -> Option<Moment> {
        Some(self.record().ok()?.created)
    }

    /// Whose signature was verified, in minisign's one-line form.
    pub fn verified_by(&self) -> Option<&str> {
        self.record().ok()?.verified_by.as_deref()
    }

    /// This machine's if that was not recorded.
    pub fn platform(&self) -> Option<PlatformKey> {
        self.record().map(|record| record.platform).ok().or_else(PlatformKey::host)
    }

    /// How many files and links it consists of; 0 if that was not recorded.
    pub fn file_count(&self) -> usize {
        self.record().map_or(0, |record| record.tree.len())
    }

    /// Whether this program installed it.
    pub fn is_ours(&self) -> bool {
        has_record(&self.home, &self.folder)
    }

    /// Its Python; an error if it is not there.
    pub fn interpreter(&self) -> Result<PathBuf, InstalledError> {
        let platform = self.platform().unwrap_or(PlatformKey::LinuxX64);
        let layout = TreeLayout { platform, python: self.version.python() };
        let path = layout.interpreter().below(&self.folder);
        match path.is_file() {
            true => Ok(path),
            false => {
                Err(InstalledError::Damaged { name: self.name(), what: format!("`{}` is missing", path.display()) })
            }
        }
    }

    /// Its folders with programs, in the order of `PATH`. On Windows, `python.exe` is at the root.
    pub fn program_folders(&self) -> Vec<PathBuf> {
        let platform = self.platform().unwrap_or(PlatformKey::LinuxX64);
        let layout = TreeLayout { platform, python: self.version.python() };
        match platform.is_windows() {
            true => vec![self.folder.clone(), layout.scripts().below(&self.folder), layout.bin().below(&self.folder)],
            false => vec![layout.bin().below(&self.folder)],
        }
    }

    /// Compares it with its record.
    pub fn state(&self, depth: CompareDepth) -> BuildState {
        match self.record() {
            Err(fault) => BuildState::Unknown(fault),
            Ok(_) if fs::read_dir(&self.folder).map_or(true, |mut items| items.next().is_none()) => BuildState::Gone,
            Ok(record) => match record.tree.compare(&self.folder, depth).damage {
                damage if damage.is_empty() => BuildState::Intact,
                damage => BuildState::Damaged(damage),
            },
        }
    }
}

/// An absent folder has none. Names that are not Unicode are none of ours.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(items) => Ok(items.flatten().filter_map(|item| item.file_name().into_string().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// `<version>-<build>`.
fn read_name(name: &str) -> Option<(VersionString, String)> {
    let (version, build) = name.rsplit_once('-')?;
    let is_build =
        build.len() == BUILD_DIGITS && build.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let version = version.parse().ok().filter(|_| is_build)?;
    Some((version, build.to_owned()))
}

fn has_record(home: &Home, folder: &Path) -> bool {
    fs::symlink_metadata(home.record_path(folder)).is_ok()
}

fn read_record(home: &Home, folder: &Path) -> Result<Box<InstallRecord>, RecordFault> {
    match home.record(folder) {
        Some(record) if record.is_sound() => Ok(Box::new(record)),
        Some(_) => Err(RecordFault::Unreadable),
        None if has_record(home, folder) => Err(RecordFault::Unreadable),
        None => Err(RecordFault::Missing),
    }
}

/// The manifest inside of a build, which every complete one has.
pub(crate) fn has_manifest(folder: &Path) -> bool {
    folder.join(INNER_MANIFEST).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_by_its_version_and_twelve_digits() {
        let cases = [
            // (name, version)
            ("3.12.10-0123456789ab", Some("3.12.10")),
            ("3.12.10-atls-0123456789ab", Some("3.12.10-atls")),
            ("3.12.10-torch-cuda-0123456789ab", Some("3.12.10-torch-cuda")),
            ("3.12.10-current", None),
            ("3.12.10-atls", None),
            ("3.12.10-0123456789AB", None),
            ("3.12.10-0123456789abc", None),
            ("3.12-0123456789ab", None),
            (".stage-Ab12Cd", None),
            ("my notes", None),
        ];
        for (name, version) in cases {
            let read = read_name(name).map(|(version, _)| version.to_string());
            assert_eq!(read.as_deref(), version, "for {name:?}");
        }
    }
}
