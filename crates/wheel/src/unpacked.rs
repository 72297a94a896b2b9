//! An unpacked wheel in the store: `wheels/<sha256>/tree/…` and its table `wheels/<sha256>/entries.json`.
//!
//! Files there are read-only, because prefixes hard-link them, and all have the same time stamp: writing into one
//! nevertheless, through a link in some prefix, changes the time stamp, so it is noticed without reading the file.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vocab::{Digest, TreePath};

use super::{EntryPoint, Remark, WheelFileName, WheelMetadata};

/// A wheel whose files are in the store and were checked against its RECORD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpackedWheel {
    /// Contains the files at their paths in the wheel.
    pub tree: PathBuf,
    pub contents: WheelContents,
}

/// The table of an unpacked wheel, `entries.json`. `format` is 3; with any other the wheel is unpacked again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelContents {
    pub(super) format: u32,
    /// Digest of the wheel file.
    pub sha256: Digest,
    /// Size of the wheel file, in bytes.
    pub size: u64,
    pub file_name: WheelFileName,
    /// `numpy-2.2.6`, the name of the `.dist-info` and `.data` folders without their endings.
    pub stem: String,
    pub metadata: WheelMetadata,
    pub entry_points: Vec<EntryPoint>,
    /// Repeated at every build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
    /// Sorted by path. Without RECORD and its signatures, which installing replaces.
    pub entries: Vec<WheelEntry>,
}

/// One file of a wheel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelEntry {
    /// Below the wheel's root, `.data` folders included.
    pub path: TreePath,
    /// Digest of the content, as RECORD lists it or computed.
    pub sha256: Digest,
    /// In bytes, uncompressed.
    pub size: u64,
    /// By the mode in the zip.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

impl WheelContents {
    /// Whether installing it creates scripts.
    pub fn has_scripts(&self) -> bool {
        // Folders in `.data/data` are the platform's: `Scripts` on Windows.
        let folders =
            ["scripts/", "data/Scripts/", "data/scripts/"].map(|folder| format!("{}.data/{folder}", self.stem));
        let is_script = |path: &TreePath| folders.iter().any(|folder| path.as_str().starts_with(folder));
        !self.entry_points.is_empty() || self.entries.iter().any(|entry| is_script(&entry.path))
    }
}

pub(super) const UNPACKED_FORMAT: u32 = 3;
pub(super) const TABLE: &str = "entries.json";
pub(super) const TREE: &str = "tree";

impl UnpackedWheel {
    /// The file of `entry` on disk.
    pub fn path_of(&self, entry: &WheelEntry) -> PathBuf {
        entry.path.below(&self.tree)
    }

    /// The same bytes under another name have other tags, never other files.
    pub(super) fn named(mut self, file_name: &WheelFileName) -> Self {
        self.contents.file_name = file_name.clone();
        self
    }

    /// `Ok(None)` if there is none; the text of the error if there is one that must not be used.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, String> {
        let bytes = match fs::read(folder.join(TABLE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => return Ok(None),
            Err(error) => return Err(format!("its table cannot be read: {error}")),
        };
        let contents: WheelContents =
            vocab::typed_json::read_record(&bytes).map_err(|error| format!("its table is damaged: {error}"))?;
        if contents.format != UNPACKED_FORMAT {
            return Err(format!("its table has format {}, not {UNPACKED_FORMAT}", contents.format));
        }
        let wheel = Self { tree: folder.join(TREE), contents };
        match wheel.contents.entries.par_iter().find_map_first(|entry| wheel.damage(entry)) {
            None => Ok(Some(wheel)),
            Some(damage) => Err(damage),
        }
    }

    /// Reads all of its files, and looks for others.
    pub(super) fn verify(&self) -> Result<(), String> {
        let changed = |entry: &WheelEntry| {
            let read = fs::File::open(self.path_of(entry)).and_then(Digest::of_reader);
            match read {
                Ok((digest, _)) if digest == entry.sha256 => None,
                Ok(_) => Some(format!("its file `{}` has another content", entry.path)),
                Err(error) => Some(format!("its file `{}` cannot be read: {error}", entry.path)),
            }
        };
        if let Some(damage) = self.contents.entries.par_iter().find_map_first(changed) {
            return Err(damage);
        }
        let known: HashSet<&TreePath> = self.contents.entries.iter().map(|entry| &entry.path).collect();
        for entry in walkdir::WalkDir::new(&self.tree).min_depth(1) {
            let entry = entry.map_err(|error| format!("it cannot be read: {error}"))?;
            let path = TreePath::relative(entry.path(), &self.tree);
            if !entry.file_type().is_dir() && !path.as_ref().is_some_and(|path| known.contains(path)) {
                return Err(format!("`{}` does not belong into it", entry.path().display()));
            }
        }
        Ok(())
    }

    /// Reads a file only if its time stamp shows that something touched it (a copied store, for example).
    fn damage(&self, entry: &WheelEntry) -> Option<String> {
        let path = self.path_of(entry);
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            return Some(format!("its file `{}` is gone", entry.path));
        };
        if !metadata.is_file() || metadata.len() != entry.size {
            return Some(format!("its file `{}` has another size", entry.path));
        }
        if metadata.modified().is_ok_and(|time| time == stamp()) {
            return None;
        }
        let sound = fs::File::open(&path).and_then(Digest::of_reader).is_ok_and(|(digest, _)| digest == entry.sha256);
        (!sound).then(|| format!("its file `{}` has another content", entry.path))
    }
}

/// Reads an unpacked wheel's folder completely. The error is the reason why it must not be used.
pub fn verify_unpacked(folder: &Path) -> Result<WheelContents, String> {
    let wheel = UnpackedWheel::open(folder)?.ok_or("it is gone")?;
    wheel.verify()?;
    Ok(wheel.contents)
}

/// 1980-01-01, the earliest time that a zip archive can store, and the time stamp of files in artifacts.
pub fn stamp() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(315_532_800)
}
