//! The job's folder: what lies in it, and a copy of it for code that is not trusted.
//!
//! It is only read. Links inside of it are followed, those that leave it are not.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use vocab::Fault;
use walkdir::WalkDir;

/// A folder with a job.
#[derive(Clone, Debug)]
pub struct JobFolder {
    /// Absolute, without links.
    root: PathBuf,
    /// By path, relative with `/`.
    files: BTreeMap<String, JobFile>,
    leftovers: Vec<String>,
}

/// A file of the job, or what stands in the place of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobFile {
    /// A regular file. `at` is where it lies if that is not its path in the job: by way of a link.
    Regular { at: Option<Box<Path>>, executable: bool },
    /// A link that leads out of the job folder.
    Outside,
    /// A link that leads nowhere.
    Broken,
    /// A pipe, a device or a socket.
    Special,
}

/// The folder cannot be read.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot read the job folder `{}`", path.display())]
#[fault("E_JOB_FOLDER", Usage, hint("name a folder with klio-job.yaml and setup.py"))]
pub struct JobFolderError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

/// Folders that no job consists of, by name, anywhere.
const NEVER: [&str; 5] = [".git", "__pycache__", ".venv", "venv", ".tox"];
/// Folders of earlier builds, at the root.
const BUILT: [&str; 2] = ["build", "dist"];
/// Followed links and files; a job with more is refused.
const MOST_FILES: usize = 1_000_000;
/// They mostly wait for the disk.
const COPIES_AT_ONCE: usize = 4;

impl JobFolder {
    /// Looks through the folder. `out`, the folder for results, is left out if it lies in it.
    ///
    /// # Errors
    /// If it is missing, no folder, or cannot be read.
    pub fn open(path: &Path, out: Option<&Path>) -> Result<Self, JobFolderError> {
        let failed = |source| JobFolderError { path: path.to_owned(), source };
        let root = fs::canonicalize(path).map_err(failed)?;
        if !root.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        let out = out.and_then(|out| fs::canonicalize(out).ok());
        let mut folder = Self { root, files: BTreeMap::new(), leftovers: Vec::new() };
        let root = folder.root.clone();
        folder.read(&root, "", out.as_deref(), &mut Vec::new()).map_err(failed)?;
        Ok(folder)
    }

    /// Absolute, without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// By path, relative with `/`.
    pub fn files(&self) -> &BTreeMap<String, JobFile> {
        &self.files
    }

    /// What earlier builds left at its root, which is not part of the job.
    pub fn leftovers(&self) -> &[String] {
        &self.leftovers
    }

    /// Whether there is such a regular file.
    pub fn has_file(&self, path: &str) -> bool {
        matches!(self.files.get(path), Some(JobFile::Regular { .. }))
    }

    /// Whether a file lies in such a folder.
    pub fn has_folder(&self, path: &str) -> bool {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        self.files.range(prefix.clone()..).next().is_some_and(|(name, _)| name.starts_with(&prefix))
    }

    fn read(&mut self, folder: &Path, shown: &str, out: Option<&Path>, links: &mut Vec<PathBuf>) -> io::Result<()> {
        let walk = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter().filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            !(NEVER.contains(&name.as_ref()) || out.is_some_and(|out| out == entry.path()))
        });
        let mut walk = walk;
        while let Some(entry) = walk.next() {
            let entry = entry?;
            let path = entry.path();
            let below = path.strip_prefix(folder).unwrap_or(path);
            let name = join(shown, &slashed(below));
            let file_type = entry.file_type();
            if self.is_leftover(&name, file_type.is_dir()) {
                if file_type.is_dir() {
                    walk.skip_current_dir();
                }
                self.leftovers.push(name);
            } else if file_type.is_symlink() {
                self.link(path, name, out, links)?;
            } else if file_type.is_file() {
                let executable = is_executable(&entry.metadata().map_err(io::Error::from)?);
                // Large jobs have many, and few links.
                let at = (self.root.join(&name) != path).then(|| path.into());
                self.add(name, JobFile::Regular { at, executable })?;
            } else if !file_type.is_dir() {
                self.add(name, JobFile::Special)?;
            }
        }
        Ok(())
    }

    fn is_leftover(&self, name: &str, is_folder: bool) -> bool {
        let at_root = !name.contains('/');
        let is_built = BUILT.contains(&name) && is_folder;
        (at_root && (is_built || name.ends_with(".egg-info"))) || name.ends_with(".pyc")
    }

    fn link(&mut self, path: &Path, name: String, out: Option<&Path>, links: &mut Vec<PathBuf>) -> io::Result<()> {
        let Ok(target) = fs::canonicalize(path) else { return self.add(name, JobFile::Broken) };
        if !target.starts_with(&self.root) {
            return self.add(name, JobFile::Outside);
        }
        let metadata = fs::metadata(&target)?;
        if metadata.is_file() {
            let executable = is_executable(&metadata);
            return self.add(name, JobFile::Regular { at: Some(target.into()), executable });
        }
        if !metadata.is_dir() {
            return self.add(name, JobFile::Special);
        }
        // A link to a folder that holds it has no end.
        if links.contains(&target) || path.starts_with(&target) {
            return self.add(name, JobFile::Broken);
        }
        links.push(target.clone());
        self.read(&target, &name, out, links)?;
        links.pop();
        Ok(())
    }

    fn add(&mut self, name: String, file: JobFile) -> io::Result<()> {
        if self.files.len() >= MOST_FILES {
            return Err(io::Error::other(format!("it has more than {MOST_FILES} files")));
        }
        self.files.insert(name, file);
        Ok(())
    }

    fn place<'a>(&self, name: &str, at: Option<&'a Path>) -> Cow<'a, Path> {
        at.map_or_else(|| Cow::Owned(self.root.join(name)), Cow::Borrowed)
    }

    /// How many regular files it has, and how many bytes they have together.
    pub(crate) fn size(&self) -> io::Result<(u64, u64)> {
        let mut sum = (0, 0_u64);
        for (name, file) in &self.files {
            if let JobFile::Regular { at, .. } = file {
                sum = (sum.0 + 1, sum.1.saturating_add(fs::metadata(self.place(name, at.as_deref()))?.len()));
            }
        }
        Ok(sum)
    }

    /// Copies the regular files into a folder of ours, which has nothing but those that are there already.
    pub fn copy_to(&self, target: &Path, is_there: &dyn Fn(&str) -> bool) -> io::Result<()> {
        let (mut made, mut wanted) = (BTreeSet::new(), Vec::new());
        for (name, file) in &self.files {
            let JobFile::Regular { at, executable } = file else { continue };
            if is_there(name) {
                continue;
            }
            let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
            if made.insert(parent) {
                fs::create_dir_all(target.join(parent))?;
            }
            wanted.push((name, at, *executable));
        }
        let shares_blocks = AtomicBool::new(true);
        vocab::side_by_side(
            COPIES_AT_ONCE,
            wanted.len(),
            || (),
            |(), index| {
                let (name, at, executable) = &wanted[index];
                let to = &target.join(name);
                let failed = |error: io::Error| io::Error::new(error.kind(), format!("`{name}`: {error}"));
                copy(&self.place(name, at.as_deref()), to, &shares_blocks).map_err(failed)?;
                disk::set_mode(to, if *executable { 0o755 } else { 0o644 })
            },
        )?;
        Ok(())
    }
}

/// A path of `data_files` and the like, without `.` and with `/`. `None` if it leaves the job folder or is absolute.
pub fn inside(path: &str) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::ParentDir => {
                names.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(names.join("/"))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

pub(crate) fn slashed(path: &Path) -> String {
    let names: Vec<_> = path.components().map(|it| it.as_os_str().to_string_lossy().into_owned()).collect();
    names.join("/")
}

/// Shares the blocks where the file system can, which is tried until it fails.
fn copy(from: &Path, to: &Path, shares_blocks: &AtomicBool) -> io::Result<()> {
    // A pipe may have taken the file's place.
    let mut source = vocab::open_regular(from)?;
    if shares_blocks.load(Ordering::Relaxed) {
        match reflink_copy::reflink(from, to) {
            Ok(()) => return Ok(()),
            Err(_) => shares_blocks.store(false, Ordering::Relaxed),
        }
    }
    let mut target = File::create_new(to)?;
    io::copy(&mut source, &mut target).map(drop)
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_folder_are_told_from_those_that_do_not() {
        assert_eq!(inside("./a//b.h5").as_deref(), Some("a/b.h5"));
        assert_eq!(inside("a/../b").as_deref(), Some("b"));
        assert_eq!((inside("../x"), inside("/etc/passwd")), (None, None));
    }

    #[test]
    fn klio_49_leftovers_are_left_out_and_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in
            ["setup.py", "x.egg-info/SOURCES.txt", "build/lib/x.py", "dist/x.tar.gz", "a/__pycache__/x.pyc", "a/x.py"]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let job = JobFolder::open(folder.path(), None).unwrap();
        assert_eq!(job.files().keys().collect::<Vec<_>>(), ["a/x.py", "setup.py"]);
        assert_eq!(job.leftovers(), ["build", "dist", "x.egg-info"]);
        assert!(job.has_folder("a") && !job.has_folder("b"));
    }

    #[cfg(unix)]
    #[test]
    fn klio_35_and_57_links_are_followed_inside_alone_and_nothing_is_written() {
        use std::os::unix::fs::symlink;
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::write(outside.path().join("x"), "secret").unwrap();
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/f"), "f").unwrap();
        for (target, name) in
            [("d/f", "inside"), ("d", "folder"), (".", "loop"), ("nowhere", "broken"), ("/dev/zero", "device")]
        {
            symlink(target, at(name)).unwrap();
        }
        symlink(outside.path().join("x"), at("outside")).unwrap();
        let job = JobFolder::open(folder.path(), None).unwrap();
        let of = |name: &str| job.files().get(name).cloned();
        assert!(
            matches!(of("inside"), Some(JobFile::Regular { .. }))
                && matches!(of("folder/f"), Some(JobFile::Regular { .. }))
        );
        assert_eq!(
            [of("outside"), of("device"), of("broken"), of("loop")].map(Option::unwrap),
            [JobFile::Outside, JobFile::Outside, JobFile::Broken, JobFile::Broken]
        );
        let copy = tempfile::tempdir().unwrap();
        job.copy_to(copy.path(), &|_| false).unwrap();
        assert_eq!(fs::read(copy.path().join("inside")).unwrap(), b"f");
        assert!(!copy.path().join("outside").exists() && !copy.path().join("device").exists());
    }
}
