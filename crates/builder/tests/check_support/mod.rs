//! What the tests of checks and copies share.

use std::fs;
use std::path::{Path, PathBuf};

/// Writes a file with its parents.
pub fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}
