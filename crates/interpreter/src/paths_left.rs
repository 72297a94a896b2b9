//! Whether a tree still names the machine it was made on.

use std::fs;
use std::path::Path;

use memchr::memmem;
use rayon::prelude::*;
use vocab::TreePath;

use super::disk::walk;

/// Files whose content, and links whose target, hold one of `needles` (absolute folders of the building machine: an
/// interpreter's former prefix, the store, a home folder). Sorted; a file that cannot be read counts as well.
///
/// No file is exempt: a base interpreter's binaries are cleared too, debug information included. The absolute paths
/// that remain in them are not folders of the building machine: `/install` and `/build` of python-build-standalone's
/// own build, `/usr/…` folders of the operating system where its libraries look for their settings, and
/// `/pydist___/<name>`, which replaces the prefix.
pub fn absolute_paths_left(root: &Path, needles: &[impl AsRef<str> + Sync]) -> Vec<TreePath> {
    let entries = walk(root).unwrap_or_default();
    let mut left: Vec<TreePath> = entries
        .par_iter()
        .filter(|entry| !entry.file_type().is_dir())
        .filter(|entry| {
            let content = if entry.path_is_symlink() {
                fs::read_link(entry.path()).map(|target| target.into_os_string().into_encoded_bytes())
            } else {
                fs::read(entry.path())
            };
            content.map_or(true, |bytes| needles.iter().any(|needle| holds(&bytes, needle.as_ref().as_bytes())))
        })
        .filter_map(|entry| TreePath::relative(entry.path(), root))
        .collect();
    left.sort();
    left
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && memmem::find(bytes, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_links_that_name_a_folder_are_found() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("a"), "x=/home/me/py/lib").unwrap();
        fs::write(tree.path().join("b"), b"\x7fELF\0/home/me/py\0").unwrap();
        fs::write(tree.path().join("c"), "/home/you").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/home/me/py/x", tree.path().join("d")).unwrap();
        let left = absolute_paths_left(tree.path(), &["/home/me/py"]);
        let names: Vec<&str> = left.iter().map(TreePath::as_str).collect();
        assert_eq!(names, if cfg!(unix) { vec!["a", "b", "d"] } else { vec!["a", "b"] });
    }
}
