//! The names in a folder, read once. They are compared letter by letter, also where the file system does not.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Names and whether each is a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderNames {
    folder: PathBuf,
    names: BTreeMap<String, bool>,
    unread: Option<String>,
}

impl FolderNames {
    /// Lists a folder; links count as what they lead to. A folder that is not there or cannot be listed has no names, since
    /// nothing of it could be used.
    pub fn read(folder: &Path) -> Self {
        let mut read = Self { folder: folder.to_owned(), ..Self::default() };
        let items = match std::fs::read_dir(folder) {
            Ok(items) => items.collect::<io::Result<Vec<_>>>(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let items = items.unwrap_or_else(|error| {
            read.unread = Some(error.to_string());
            Vec::new()
        });
        read.names.extend(items.iter().filter_map(|item| {
            let is_folder = std::fs::metadata(item.path()).ok()?.is_dir();
            Some((item.file_name().to_str()?.to_owned(), is_folder))
        }));
        read
    }

    /// The folder, and why it cannot be listed although it is there.
    pub fn unread(&self) -> Option<(&Path, &str)> {
        Some((&self.folder, self.unread.as_deref()?))
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
