//! What the Python of a distribution said when it was installed, so that a start of an unchanged one does not ask again.

use std::fs;
use std::path::{Path, absolute};

use serde::{Deserialize, Serialize};
use tree_table::TreeTable;
use vocab::TreePath;

use super::interpreter::PythonFacts;

/// Holds in whatever folder the distribution stands, as long as its interpreter is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownPython {
    /// As it is started.
    path: TreePath,
    /// The file behind it, after all links.
    file: TreePath,
    version: String,
    system: String,
    processor: String,
    prefix: TreePath,
}

impl KnownPython {
    /// `None` if the interpreter's file or its prefix is outside of `folder`: then it has to be asked at each start.
    pub(super) fn of(python: &Path, facts: &PythonFacts, folder: &Path) -> Option<Self> {
        let PythonFacts { version, system, processor, prefix } = facts.clone();
        let prefix = TreePath::relative(&prefix, &absolute(folder).ok()?)?;
        let path = TreePath::relative(python, folder)?;
        Some(Self { path, file: file_behind(python, folder)?, version, system, processor, prefix })
    }

    /// After all links.
    pub(super) fn file(&self) -> &TreePath {
        &self.file
    }

    /// What `python` would say. `None` if it is not the one that was asked, or has changed since.
    pub(super) fn facts(&self, python: &Path, folder: &Path, table: &TreeTable) -> Option<PythonFacts> {
        let is_it = TreePath::relative(python, folder)? == self.path && file_behind(python, folder)? == self.file;
        if !is_it || !table.is_unchanged(folder, &self.file) || is_led_elsewhere(python, folder, table) {
            return None;
        }
        let (version, system, processor) = (self.version.clone(), self.system.clone(), self.processor.clone());
        Some(PythonFacts { version, system, processor, prefix: self.prefix.below(&absolute(folder).ok()?) })
    }
}

/// Whether a `pyvenv.cfg`, which takes a Python to another place, is not as it was installed.
fn is_led_elsewhere(python: &Path, folder: &Path, table: &TreeTable) -> bool {
    let is_other = |place: &Path| {
        let file = place.join("pyvenv.cfg");
        let is_same = |path| table.is_unchanged(folder, &path);
        file.exists() && !TreePath::relative(&file, folder).is_some_and(is_same)
    };
    python.ancestors().skip(1).take(2).any(is_other)
}

fn file_behind(python: &Path, folder: &Path) -> Option<TreePath> {
    TreePath::relative(&fs::canonicalize(python).ok()?, &fs::canonicalize(folder).ok()?)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn facts(prefix: PathBuf) -> PythonFacts {
        let (version, system) = ("3.12.1".to_owned(), "linux".to_owned());
        PythonFacts { version, system, processor: String::new(), prefix }
    }

    #[test]
    fn it_holds_for_the_file_behind_the_links_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("bin")).unwrap();
        for name in ["python3.12", "python3.13"] {
            fs::write(root.join("bin").join(name), name).unwrap();
        }
        let python = root.join("bin/python3");
        symlink("python3.12", &python).unwrap();
        let table = TreeTable::of(root, vocab::DigestKinds::Blake3).unwrap();
        let known = KnownPython::of(&python, &facts(root.join("inner")), root).unwrap();
        assert_eq!(known.facts(&python, root, &table), Some(facts(root.join("inner"))));
        assert_eq!(known.facts(&root.join("bin/python3.12"), root, &table), None, "another name");
        fs::remove_file(&python).unwrap();
        symlink("python3.13", &python).unwrap();
        assert_eq!(known.facts(&python, root, &table), None);
        fs::remove_file(&python).unwrap();
        symlink("python3.12", &python).unwrap();
        fs::write(root.join("bin/python3.12"), "other").unwrap();
        assert_eq!(known.facts(&python, root, &table), None);
    }

    #[test]
    fn what_lies_outside_of_the_distribution_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("in"), folder.path().join("out"));
        fs::create_dir(&root).unwrap();
        fs::write(&outside, "").unwrap();
        fs::write(root.join("own"), "").unwrap();
        symlink(&outside, root.join("python3")).unwrap();
        assert_eq!(KnownPython::of(&root.join("python3"), &facts(root.clone()), &root), None);
        assert_eq!(KnownPython::of(&root.join("own"), &facts(outside), &root), None);
        assert!(KnownPython::of(&root.join("own"), &facts(root.clone()), &root).is_some());
    }
}
