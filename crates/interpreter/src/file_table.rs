//! What a finished base interpreter consists of, recorded when it is published: `bases/<identity>.json`.
//!
//! The files themselves become read-only and get one time stamp, as those of unpacked wheels do, because prefixes
//! hard-link them: a process that writes into one nevertheless changes its time stamp, which is noticed without
//! reading the file.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use disk::FileBeside;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vocab::{Digest, TreeLayout, TreePath};

use super::disk::{CopiedLinks, Result, at, walk};
use super::programs::is_program;
use wheel::{seal, stamp};

const FILE_TABLE_FORMAT: u32 = 2;

/// `format` is 2; a table with another number says nothing about the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTable {
    format: u32,
    /// Sorted by path.
    files: Vec<FileRow>,
    /// Path and target.
    links: Vec<(TreePath, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileRow {
    path: TreePath,
    sha256: Digest,
    /// In bytes.
    size: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    executable: bool,
}

impl FileTable {
    /// Reads every file and seals it. `copied` are the links that copies replaced. A link that the tree has lost since
    /// is forgotten, and one whose target it has lost is removed, as a dangling link would be.
    pub(super) fn make(tree: &Path, layout: TreeLayout, copied: CopiedLinks) -> Result<Self> {
        let (mut paths, mut links) = (Vec::new(), Vec::new());
        for (path, target) in copied {
            let place = path.below(tree);
            if place.with_file_name(&target).exists() {
                links.extend(place.exists().then_some((path, target)));
            } else {
                super::disk::remove(&place)?;
            }
        }
        let known: BTreeSet<TreePath> = links.iter().map(|(path, _)| path.clone()).collect();
        for entry in walk(tree)? {
            let name = || TreePath::relative(entry.path(), tree);
            let path = name().ok_or(io::ErrorKind::InvalidFilename).map_err(io::Error::from);
            let path = path.map_err(at("name", entry.path()))?;
            if entry.path_is_symlink() {
                let target = fs::read_link(entry.path()).map_err(at("read", entry.path()))?;
                links.push((path, target.to_string_lossy().into_owned()));
            } else if entry.file_type().is_file() && !known.contains(&path) {
                paths.push(path);
            }
        }
        let row = |path: TreePath| -> Result<FileRow> {
            let place = path.below(tree);
            let executable = is_program(&place, tree, layout)?;
            // Sealing needs a handle that is open for writing; on Unix the owner needs none.
            let file = File::options().read(true).write(cfg!(windows)).open(&place).map_err(at("read", &place))?;
            let (sha256, size) = Digest::of_reader(&file).map_err(at("read", &place))?;
            seal(&file, executable).map_err(at("seal", &place))?;
            Ok(FileRow { path, sha256, size, executable })
        };
        let mut files = paths.into_par_iter().map(row).collect::<Result<Vec<_>>>()?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        links.sort();
        Ok(Self { format: FILE_TABLE_FORMAT, files, links })
    }

    /// Makes the table of a tree from an older builder, which wrote none. From now on the tree is held to its present
    /// content, without bytecode.
    pub(super) fn adopt(tree: &Path, layout: TreeLayout, path: &Path) -> std::result::Result<bool, String> {
        let mut table = Self::make(tree, layout, CopiedLinks::new()).map_err(|error| error.to_string())?;
        table.files.retain(|row| row.path.parent().is_none_or(|folder| folder.file_name() != "__pycache__"));
        let tidied = table.tidy(tree)?;
        table.write(path).map_err(|error| error.to_string())?;
        Ok(tidied)
    }

    /// Written beside the tree before the tree takes its place: a tree without a table comes from an older builder.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).expect("the table is plain JSON");
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = FileBeside::within(folder, ".table-").map_err(at("create a file in", folder))?;
        io::Write::write_all(&mut file, &text).map_err(at("write", path))?;
        file.replace(path).map_err(at("write", path))?;
        // Left by builders that were killed here.
        disk::sweep(folder, &[".table-"]);
        Ok(())
    }

    /// `Ok(None)` if none was recorded; the error is the reason why the table cannot be used.
    pub fn read(path: &Path) -> std::result::Result<Option<Self>, String> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("the table of its files cannot be read: {error}")),
        };
        let table: Self = vocab::typed_json::read_record(&bytes)
            .map_err(|error| format!("the table of its files is damaged: {error}"))?;
        Ok(Some(table).filter(|table| table.format == FILE_TABLE_FORMAT))
    }

    /// Files that are executable wherever the tree is unpacked, also when this machine keeps no such bit.
    pub fn programs(&self) -> impl Iterator<Item = &TreePath> {
        self.files.iter().filter(|row| row.executable).map(|row| &row.path)
    }

    /// Makes the files read-only and gives them the one time stamp, after they were unpacked from elsewhere. The error is
    /// the reason why that failed.
    pub(super) fn seal(&self, tree: &Path) -> std::result::Result<(), String> {
        let seal_one = |row: &FileRow| {
            let place = row.path.below(tree);
            // As in `make`.
            let file = File::options().read(true).write(cfg!(windows)).open(&place);
            let sealed = file.and_then(|file| seal(&file, row.executable));
            sealed.map_err(|error| format!("its file `{}` cannot be sealed: {error}", row.path))
        };
        self.files.par_iter().try_for_each(seal_one)
    }

    /// Paths and SHA-256 of the regular files, sorted by path; links are not among them.
    pub fn digests(&self) -> impl Iterator<Item = (&TreePath, &Digest)> {
        self.files.iter().map(|row| (&row.path, &row.sha256))
    }

    /// Paths and targets. Where the system has no symbolic links (Windows), the tree holds copies instead.
    pub fn links(&self) -> impl Iterator<Item = (&TreePath, &str)> {
        self.links.iter().map(|(path, target)| (path, target.as_str()))
    }

    /// Compares every size and time stamp, and reads only the files whose stamp changed. The error is the reason why
    /// the tree must not be used.
    pub(super) fn glance(&self, tree: &Path) -> std::result::Result<(), String> {
        let damage = |row: &FileRow| {
            let place = row.path.below(tree);
            let Ok(metadata) = fs::symlink_metadata(&place) else {
                return Some(format!("its file `{}` is gone", row.path));
            };
            if !metadata.is_file() || metadata.len() != row.size {
                return Some(format!("its file `{}` has another size", row.path));
            }
            if metadata.modified().is_ok_and(|time| time == stamp()) {
                return None;
            }
            row.damage(tree)
        };
        self.files.par_iter().with_min_len(256).find_map_first(damage).map_or(Ok(()), Err)
    }

    /// Removes bytecode left by a Python that ran from the tree, because it names this machine's paths. True if there
    /// was any; the error is the reason why the tree must not be used.
    pub(super) fn tidy(&self, tree: &Path) -> std::result::Result<bool, String> {
        let known = self.known();
        let (mut strays, mut folders) = (Vec::new(), Vec::new());
        for entry in walkdir::WalkDir::new(tree).min_depth(1) {
            let entry = entry.map_err(|error| format!("it cannot be read: {error}"))?;
            let is_cache = |path: &Path| path.file_name() == Some(OsStr::new("__pycache__"));
            if entry.file_type().is_dir() {
                folders.extend(is_cache(entry.path()).then(|| entry.into_path()));
            } else if !TreePath::relative(entry.path(), tree).is_some_and(|path| known.contains(&path)) {
                if !entry.path().parent().is_some_and(is_cache) {
                    return Err(does_not_belong(entry.path()));
                }
                strays.push(entry.into_path());
            }
        }
        for stray in &strays {
            match fs::remove_file(stray) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("{}, and cannot be removed: {error}", does_not_belong(stray)));
                }
                _ => {}
            }
        }
        // Folders that hold files of the tree stay.
        let emptied = folders.iter().rev().filter(|folder| fs::remove_dir(folder).is_ok()).count();
        Ok(!strays.is_empty() || emptied > 0)
    }

    fn known(&self) -> BTreeSet<&TreePath> {
        let links = self.links.iter().map(|(path, _)| path);
        self.files.iter().map(|row| &row.path).chain(links).collect()
    }

    /// Reads every file and compares its digest. Gives the number of bytes read; the error is the reason why the tree
    /// must not be used.
    pub fn verify(&self, tree: &Path) -> std::result::Result<u64, String> {
        if let Some(damage) = self.files.par_iter().find_map_first(|row| row.damage(tree)) {
            return Err(damage);
        }
        // Without symbolic links, copies replace them, and those were just read.
        for (path, target) in self.links.iter().filter(|_| cfg!(unix)) {
            let found = fs::read_link(path.below(tree)).map(|found| found.to_string_lossy().into_owned());
            if found.ok().as_ref() != Some(target) {
                return Err(format!("its link `{path}` is another one"));
            }
        }
        let known = self.known();
        for entry in walkdir::WalkDir::new(tree).min_depth(1) {
            let entry = entry.map_err(|error| format!("it cannot be read: {error}"))?;
            let path = TreePath::relative(entry.path(), tree);
            if !entry.file_type().is_dir() && !path.as_ref().is_some_and(|path| known.contains(path)) {
                return Err(does_not_belong(entry.path()));
            }
        }
        Ok(self.files.iter().map(|row| row.size).sum())
    }
}

fn does_not_belong(path: &Path) -> String {
    format!("`{}` does not belong into it", path.display())
}

impl FileRow {
    fn damage(&self, tree: &Path) -> Option<String> {
        match File::open(self.path.below(tree)).and_then(Digest::of_reader) {
            Ok((digest, _)) if digest == self.sha256 => None,
            Ok(_) => Some(format!("its file `{}` has another content", self.path)),
            Err(error) => Some(format!("its file `{}` cannot be read: {error}", self.path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use vocab::PlatformKey;

    use super::*;

    #[test]
    fn a_copy_in_place_of_a_link_is_known_as_the_link() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("bin")).unwrap();
        for name in ["python3.14", "python", "idle"] {
            fs::write(tree.join("bin").join(name), "#!/bin/sh\n").unwrap();
        }
        let link = |place: &str, target: &str| (place.parse::<TreePath>().unwrap(), target.to_owned());
        let copied =
            vec![link("bin/python", "python3.14"), link("bin/idle", "idle3.14"), link("bin/gone", "python3.14")];
        let layout = TreeLayout { platform: PlatformKey::LinuxX64, python: "3.14.6".parse().unwrap() };
        let table = FileTable::make(&tree, layout, copied).unwrap();
        let links: Vec<_> = table.links().map(|(path, target)| format!("{path} {target}")).collect();
        assert_eq!(links, ["bin/python python3.14"]);
        let files: Vec<_> = table.files.iter().map(|row| row.path.as_str()).collect();
        assert_eq!(files, ["bin/python3.14"]);
        assert!(!tree.join("bin/idle").exists(), "a link to nothing is removed");
        assert_eq!(table.glance(&tree).and_then(|()| table.tidy(&tree)), Ok(false));
    }
}
