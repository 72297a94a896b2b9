//! The names in a folder, read once. They are compared letter by letter, also where the file system does not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names and whether each is a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderNames {
    folder: PathBuf,
    names: BTreeMap<String, bool>,
}

impl FolderNames {
    /// Lists a folder; links count as what they lead to. A folder that cannot be listed has no names, since nothing of it
    /// could be used.
    pub fn read(folder: &Path) -> Self {
        let items = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let named = items.filter_map(|item| {
            let is_folder = std::fs::metadata(item.path()).ok()?.is_dir();
            Some((item.file_name().to_str()?.to_owned(), is_folder))
        });
        Self { folder: folder.to_owned(), names: named.collect() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.names.get(name) == Some(&false)
    }

    pub(crate) fn has_folder(&self, name: &str) -> bool {
        self.names.get(name) == Some(&true)
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|(_, is_folder)| !**is_folder).map(|(name, _)| &**name)
    }

    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|(_, is_folder)| **is_folder).map(|(name, _)| &**name)
    }
}
