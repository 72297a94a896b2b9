//! Small things that the tests of several crates do with files and errors.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use vocab::TreePath;

/// Writes a file below `root`, with its parents.
pub fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = root.join(path);
    let folder = path.parent().expect("it lies below `root`");
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

/// Paths of all files and links below `folder`, sorted, `/`-separated.
pub fn files_below(folder: &Path) -> Vec<String> {
    fn collect(folder: &Path, root: &Path, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let entry = entry.expect("a folder that can be read");
            if entry.file_type().expect("it was just listed").is_dir() {
                collect(&entry.path(), root, files);
            } else {
                files.push(TreePath::relative(&entry.path(), root).expect("a path in UTF-8").to_string());
            }
        }
    }
    let mut files = Vec::new();
    collect(folder, folder, &mut files);
    files.sort();
    files
}

/// The message with all its causes, as the command line shows it.
pub fn told(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", told(cause)),
        None => error.to_string(),
    }
}
