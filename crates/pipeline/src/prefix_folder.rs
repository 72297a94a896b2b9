//! `python-<version string>/pydist/<platform key>`, the place of a finished prefix: one builder at a time, and the
//! former prefix stays until the new one is whole.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use disk::remove_tree;
use tree_table::TreeTable;
use vocab::{Digest, Fault, PlatformKey};

use crate::build_record::BuildRecord;
use store::Context;

/// The right to replace one prefix. Released when dropped, or when the process dies.
#[derive(Debug)]
pub struct PrefixFolder {
    target: PathBuf,
    staging: PathBuf,
    former: PathBuf,
    overlay: PathBuf,
    record: PathBuf,
    _lock: File,
}

/// Why the folder of a prefix cannot be used.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot replace the prefix `{}`", target.display())]
#[fault(transparent = kind)]
pub struct PrefixError {
    pub target: PathBuf,
    #[source]
    pub kind: PrefixErrorKind,
}

/// What was in the way. `action` is a verb.
#[derive(Debug, thiserror::Error, Fault)]
pub enum PrefixErrorKind {
    #[error("cannot {action} `{}`", path.display())]
    #[fault(
        "E_PREFIX",
        Build,
        hint("close the programs that run from it, and check its permissions and the free space")
    )]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error("interrupted while waiting for another build")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
}

impl PrefixFolder {
    /// Waits for another builder of the same prefix. `folder` is `python-<version string>/pydist`. Cleans up after an
    /// interrupted build: removes an unfinished tree, and restores a former prefix that was moved away.
    pub fn hold(context: &Context, folder: &Path, platform: PlatformKey) -> Result<Self, PrefixError> {
        let target = folder.join(platform.as_str());
        let failed = |action, path: &Path, source| PrefixError {
            target: target.clone(),
            kind: PrefixErrorKind::Disk { action, path: path.to_owned(), source },
        };
        fs::create_dir_all(folder).map_err(|error| failed("create", folder, error))?;
        let lock_path = folder.join(format!(".{platform}.lock"));
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|error| failed("open", &lock_path, error))?;
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed("lock", &lock_path, error)),
            }
            if context.is_cancelled() {
                return Err(PrefixError { target, kind: PrefixErrorKind::Cancelled });
            }
            if !told {
                context.note(format!("waiting for another builder of `{}`", target.display()));
                told = true;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let this = Self {
            staging: folder.join(format!(".{platform}.staging")),
            former: folder.join(format!(".{platform}.former")),
            overlay: folder.join(format!(".{platform}.overlay")),
            record: folder.join(record_name(platform)),
            target: target.clone(),
            _lock: lock,
        };
        if this.former.exists() && !this.target.exists() {
            disk::rename(&this.former, &this.target).map_err(|error| failed("restore", &this.former, error))?;
        }
        for left in [&this.staging, &this.former, &this.overlay] {
            remove_tree(left).map_err(|error| failed("remove", left, error))?;
        }
        Ok(this)
    }

    /// Removes what builders made in `folder` for this platform, and nothing else. Gives what was removed.
    ///
    /// # Errors
    /// The disk fails, or a builder is using it.
    pub fn clean(folder: &Path, platform: PlatformKey) -> io::Result<Vec<PathBuf>> {
        let lock_path = folder.join(format!(".{platform}.lock"));
        let lock = match File::options().write(true).open(&lock_path) {
            Ok(lock) => Some(lock),
            // Made by its first build.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if lock.as_ref().is_some_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock))) {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another builder is at work on it"));
        }
        let mut removed = Vec::new();
        for name in [
            platform.to_string(),
            format!(".{platform}.staging"),
            format!(".{platform}.former"),
            format!(".{platform}.overlay"),
        ] {
            let path = folder.join(name);
            if fs::symlink_metadata(&path).is_ok() {
                remove_tree(&path)?;
                removed.push(path);
            }
        }
        let _ = fs::remove_file(folder.join(record_name(platform)));
        drop(lock);
        let _ = fs::remove_file(lock_path);
        Ok(removed)
    }

    /// Where the finished prefix is.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the [`BuildRecord`] of the finished prefix is.
    pub(crate) fn record(&self) -> PathBuf {
        self.record.clone()
    }

    /// Before [`PrefixFolder::publish`].
    pub(crate) fn record_build(&self, key: Digest, tree: TreeTable, artifacts: &[PathBuf]) -> Result<(), PrefixError> {
        let write = || {
            let former = BuildRecord::read(&self.record);
            BuildRecord::of(key, tree, artifacts, former)?.write(&self.record)
        };
        write().map_err(|error| self.disk("write", &self.record, error))
    }

    /// An empty folder on the file system of the target.
    pub fn stage(&self) -> Result<&Path, PrefixError> {
        let failed = |source| self.disk("create", &self.staging, source);
        remove_tree(&self.staging).map_err(failed)?;
        disk::make_folder(&self.staging).map_err(failed)?;
        Ok(&self.staging)
    }

    /// An empty folder for a prefix that is only checked. Its user removes it.
    pub fn overlay(&self) -> Result<PathBuf, PrefixError> {
        let failed = |source| self.disk("create", &self.overlay, source);
        remove_tree(&self.overlay).map_err(failed)?;
        fs::create_dir(&self.overlay).map_err(failed)?;
        Ok(self.overlay.clone())
    }

    /// The staged tree takes the target's place; at every moment one of the two stands there, as far as the
    /// system can exchange folders, and else the former one is restored at the next start.
    pub fn publish(&self) -> Result<(), PrefixError> {
        if !self.target.exists() {
            return disk::rename(&self.staging, &self.target)
                .map_err(|error| self.disk("move into place", &self.staging, error));
        }
        match exchange(&self.staging, &self.target) {
            // Now the former prefix has the staging's name.
            Ok(()) => {}
            Err(_) => {
                disk::rename(&self.target, &self.former)
                    .map_err(|error| self.disk("move aside", &self.target, error))?;
                if let Err(error) = disk::rename(&self.staging, &self.target) {
                    let _ = disk::rename(&self.former, &self.target);
                    return Err(self.disk("move into place", &self.staging, error));
                }
            }
        }
        // What cannot be removed now (a file that a running program holds open on Windows) is removed by the next
        // build.
        let _ = remove_tree(&self.staging);
        let _ = remove_tree(&self.former);
        Ok(())
    }

    fn disk(&self, action: &'static str, path: &Path, source: io::Error) -> PrefixError {
        PrefixError {
            target: self.target.clone(),
            kind: PrefixErrorKind::Disk { action, path: path.to_owned(), source },
        }
    }
}

fn record_name(platform: PlatformKey) -> String {
    format!(".{platform}.record.json")
}

impl Drop for PrefixFolder {
    /// A failed build leaves nothing unfinished behind.
    fn drop(&mut self) {
        let _ = remove_tree(&self.staging);
        let _ = remove_tree(&self.overlay);
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(io::Error::from)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_in(folder: &Path) -> String {
        fs::read_to_string(folder.join("which")).unwrap_or_default()
    }

    fn staged(prefix: &PrefixFolder, text: &str) {
        let staging = prefix.stage().unwrap();
        fs::write(staging.join("which"), text).unwrap();
    }

    #[test]
    fn t11_a_build_that_fails_leaves_the_former_prefix() {
        let place = tempfile::tempdir().unwrap();
        let context = Context::quiet(place.path().join("store"));
        let folder = place.path().join("pydist");
        let prefix = PrefixFolder::hold(&context, &folder, PlatformKey::LinuxX64).unwrap();
        staged(&prefix, "first");
        prefix.publish().unwrap();
        staged(&prefix, "second");
        drop(prefix);
        assert_eq!(text_in(&folder.join("linux-x64")), "first");
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "the prefix and its lock, but {names:?}");
    }

    #[test]
    fn a_second_prefix_takes_the_place_of_the_first() {
        let place = tempfile::tempdir().unwrap();
        let context = Context::quiet(place.path().join("store"));
        let folder = place.path().join("pydist");
        let prefix = PrefixFolder::hold(&context, &folder, PlatformKey::LinuxX64).unwrap();
        for text in ["first", "second"] {
            staged(&prefix, text);
            prefix.publish().unwrap();
            assert_eq!(text_in(prefix.target()), text);
        }
    }

    #[test]
    fn what_a_killed_build_left_is_put_right() {
        let place = tempfile::tempdir().unwrap();
        let context = Context::quiet(place.path().join("store"));
        let folder = place.path().join("pydist");
        // Killed between the two renames of a system without exchange, with a half-made tree beside.
        for (name, text) in [(".linux-x64.former", "good"), (".linux-x64.staging", "half")] {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("which"), text).unwrap();
        }
        let prefix = PrefixFolder::hold(&context, &folder, PlatformKey::LinuxX64).unwrap();
        assert_eq!(text_in(prefix.target()), "good");
        assert!(!folder.join(".linux-x64.staging").exists());
    }
}
