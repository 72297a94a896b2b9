//! The copy of a job that its code runs in. Laid out again, it is as the job is: what that code changed is copied anew, and nothing
//! else, since a job may be large.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use crate::job_folder::{JobFile, JobFolder, slashed};

#[derive(Debug)]
pub(crate) struct JobCopy {
    root: PathBuf,
    /// What each file was like when it was copied, by path, relative with `/`.
    stamps: RefCell<HashMap<String, Stamp>>,
}

/// Another one after a file was written to, replaced or given another mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    /// The file's number, and when anything about it changed, which no program can set back. `None` where the system does not
    /// say so: a file of such a stamp is copied again.
    own: Option<(u64, i64, i64)>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok(), own: own(metadata) }
    }
}

#[cfg(unix)]
fn own(metadata: &Metadata) -> Option<(u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn own(_: &Metadata) -> Option<(u64, i64, i64)> {
    None
}

impl JobCopy {
    /// Touches no disk.
    pub fn at(root: PathBuf) -> Self {
        Self { root, stamps: RefCell::default() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Frees what is known of the files, some 20 MiB for 100,000. Laid out once more, all are copied.
    pub fn forget(&self) {
        self.stamps.take();
    }

    /// Makes it as the job is. No code of the job runs meanwhile.
    pub fn lay_out(&self, job: &JobFolder) -> io::Result<()> {
        let mut stamps = std::mem::take(&mut *self.stamps.borrow_mut());
        // Code of the job may have put a link in its place, or made folders unreadable.
        let is_folder = fs::symlink_metadata(&self.root).is_ok_and(|it| it.is_dir());
        if stamps.is_empty() || !is_folder || self.clear(&mut stamps).is_err() {
            stamps.clear();
            match fs::symlink_metadata(&self.root) {
                Ok(metadata) if metadata.is_dir() => disk::remove_tree(&self.root)?,
                Ok(_) => fs::remove_file(&self.root)?,
                Err(_) => {}
            }
            fs::create_dir(&self.root)?;
        }
        job.copy_to(&self.root, &|name| stamps.contains_key(name))?;
        for (name, file) in job.files() {
            if matches!(file, JobFile::Regular { .. }) && !stamps.contains_key(name) {
                stamps.insert(name.clone(), Stamp::of(&fs::symlink_metadata(self.root.join(name))?));
            }
        }
        *self.stamps.borrow_mut() = stamps;
        Ok(())
    }

    /// Removes all but the files that are as they were copied, which then alone have a stamp, and their folders.
    fn clear(&self, stamps: &mut HashMap<String, Stamp>) -> io::Result<()> {
        let folders: BTreeSet<String> = stamps.keys().flat_map(|name| folders_of(name)).map(str::to_owned).collect();
        let mut same = HashMap::with_capacity(stamps.len());
        let mut walk = WalkDir::new(&self.root).min_depth(1).into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry?;
            let name = slashed(entry.path().strip_prefix(&self.root).unwrap_or(entry.path()));
            if entry.file_type().is_dir() {
                if !folders.contains(&name) {
                    walk.skip_current_dir();
                    disk::remove_tree(entry.path())?;
                }
                continue;
            }
            let stamp = entry.file_type().is_file().then(|| entry.metadata()).transpose()?.map(|it| Stamp::of(&it));
            match stamp.filter(|stamp| stamp.own.is_some() && stamps.get(&name) == Some(stamp)) {
                Some(stamp) => drop(same.insert(name, stamp)),
                None => fs::remove_file(entry.path())?,
            }
        }
        *stamps = same;
        Ok(())
    }
}

/// The folders that the file lies in, below the root.
fn folders_of(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn tree(root: &Path) -> Vec<(String, String)> {
        let walk = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter().flatten();
        let of = |entry: walkdir::DirEntry| {
            let text =
                if entry.file_type().is_file() { fs::read_to_string(entry.path()).unwrap() } else { "-".to_owned() };
            (slashed(entry.path().strip_prefix(root).unwrap()), text)
        };
        walk.map(of).collect()
    }

    #[test]
    fn what_code_of_the_job_did_is_undone_and_nothing_else_is_copied_again() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
        let (folder, work, outside) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["setup.py", "a/b/c.py", "a/d.py", "e/f.py", "same.py"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let job = JobFolder::open(folder.path(), None).unwrap();
        let copy = JobCopy::at(work.path().join("job"));
        copy.lay_out(&job).unwrap();
        let right = tree(copy.root());
        assert_eq!(right.len(), 5 + 3);
        let number = |name: &str| fs::metadata(copy.root().join(name)).unwrap().ino();
        let same = number("same.py");

        let at = |name: &str| copy.root().join(name);
        fs::write(at("setup.py"), "SETUP.PY").unwrap();
        fs::write(at("a/d.py"), "").unwrap();
        fs::set_permissions(at("a/b/c.py"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir_all(at("build/lib")).unwrap();
        fs::write(at("build/lib/x.py"), "").unwrap();
        fs::write(at("a/new.py"), "").unwrap();
        fs::remove_dir_all(at("e")).unwrap();
        symlink(outside.path(), at("e")).unwrap();
        symlink("setup.py", at("linked.py")).unwrap();
        copy.lay_out(&job).unwrap();
        assert_eq!(tree(copy.root()), right);
        assert_eq!(fs::metadata(at("a/b/c.py")).unwrap().mode() & 0o777, 0o644);
        assert_eq!(number("same.py"), same);
        assert_eq!(tree(outside.path()), [], "nothing was written through a link");

        fs::remove_dir_all(copy.root()).unwrap();
        symlink(outside.path(), copy.root()).unwrap();
        copy.lay_out(&job).unwrap();
        assert_eq!((tree(copy.root()), tree(outside.path())), (right, Vec::new()));
        assert!(fs::symlink_metadata(copy.root()).unwrap().is_dir());
    }
}
