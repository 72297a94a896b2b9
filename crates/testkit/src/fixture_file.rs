//! A named file in memory: a wheel, an sdist, an archive.

use std::fs;
use std::path::{Path, PathBuf};

use vocab::Digest;

/// A file with a name and content, not on disk yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixtureFile {
    pub file_name: String,
    pub bytes: Vec<u8>,
    /// From the metadata; the index repeats it.
    pub requires_python: Option<String>,
}

impl FixtureFile {
    /// A file without `Requires-Python`.
    pub fn new(file_name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { file_name: file_name.into(), bytes: bytes.into(), requires_python: None }
    }

    /// Digest of the content.
    pub fn sha256(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Writes the file into `folder`, which is made if missing.
    pub fn write_to(&self, folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).expect("the fixture's folder can be made");
        let path = folder.join(&self.file_name);
        fs::write(&path, &self.bytes).expect("the fixture can be written");
        path
    }
}
