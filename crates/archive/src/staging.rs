//! A folder under a temporary name, in which a tree is made beside its final place.
//!
//! What a killed process leaves is removed by the next one that stages beside it. Inside are a file that is locked as
//! long as its process lives, and the tree.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use disk::{RANDOM_CHARACTERS, has_passing_name, hold, take_abandoned};

const STAGED: &str = ".stage-";
const LOCK: &str = "lock";
const TREE: &str = "tree";

/// Dropping it removes it and everything left in it.
pub struct StagingFolder {
    // In this order: Windows cannot remove a folder in which a file is open.
    _lock: File,
    folder: TempDir,
}

impl StagingFolder {
    /// Creates it beside `destination`, and the folder if necessary. Removes what killed processes left there.
    pub fn beside(destination: &Path) -> io::Result<Self> {
        let folder = folder_of(destination);
        fs::create_dir_all(folder)?;
        sweep(folder);
        loop {
            let staged = tempfile::Builder::new().prefix(STAGED).rand_bytes(RANDOM_CHARACTERS).tempdir_in(folder)?;
            let path = staged.path().join(LOCK);
            match File::options().read(true).write(true).create_new(true).open(&path) {
                Ok(lock) if hold(&lock, &path) => return Ok(Self { _lock: lock, folder: staged }),
                // A sweep was faster.
                Ok(_) => {}
                Err(_) if !staged.path().exists() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// For temporary files on the way.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Not created yet: the tree that is moved to the destination.
    pub fn tree(&self) -> PathBuf {
        self.folder.path().join(TREE)
    }
}

/// The folder that holds `destination`; `.` for a bare name.
pub fn folder_of(destination: &Path) -> &Path {
    destination.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // A link does not count as a folder here.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().to_str().is_some_and(|name| has_passing_name(name, &[STAGED])) {
            remove_abandoned(&entry.path());
        }
    }
}

/// What cannot be read or removed stays until the next time.
fn remove_abandoned(staged: &Path) {
    let lock = staged.join(LOCK);
    match fs::symlink_metadata(&lock) {
        Ok(metadata) if metadata.is_file() => {
            let Some(held) = take_abandoned(&lock) else { return };
            // The lock is removed last, so that what a kill leaves of this is still recognised.
            let others = fs::read_dir(staged).into_iter().flatten().flatten().filter(|entry| entry.file_name() != LOCK);
            for entry in others {
                let _ = match entry.file_type() {
                    Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
                    _ => fs::remove_file(entry.path()),
                };
            }
            // Windows cannot remove an open file.
            let held = cfg!(unix).then_some(held);
            let _ = fs::remove_file(&lock).and_then(|()| fs::remove_dir(staged));
            drop(held);
        }
        // Left by a process that was killed before it could lock anything. One that is about to lock creates another.
        Err(error) if error.kind() == io::ErrorKind::NotFound => drop(fs::remove_dir(staged)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kill leaves it.
    fn killed(destination: &Path) -> PathBuf {
        let StagingFolder { _lock, folder } = StagingFolder::beside(destination).unwrap();
        fs::create_dir_all(folder.path().join(TREE).join("a")).unwrap();
        fs::write(folder.path().join(TREE).join("a/file"), "half").unwrap();
        folder.keep()
    }

    #[test]
    fn attack_9_what_killed_processes_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        let destination = folder.join("runtime");
        let abandoned = killed(&destination);
        let before_its_lock = folder.join(".stage-0123456789abcdef");
        fs::create_dir(&before_its_lock).unwrap();
        let foreign =
            [".stage-", ".stage-backup", ".stage-Ab12Cd", ".stage-0123456789-bcdef", ".other-0123456789abcdef"];
        for name in foreign {
            fs::create_dir(folder.join(name)).unwrap();
        }
        // Named as ours, and somebody else's.
        let unlike = folder.join(".stage-1123456789abcdef");
        fs::create_dir(&unlike).unwrap();
        fs::write(unlike.join("file"), "").unwrap();
        fs::write(folder.join(".stage-2123456789abcdef"), "").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let linked_to = killed(&elsewhere.path().join("runtime"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&linked_to, folder.join(".stage-3123456789abcdef")).unwrap();
            // Inside what is removed, a link to what is not.
            std::os::unix::fs::symlink(elsewhere.path(), abandoned.join("link")).unwrap();
            std::os::unix::fs::symlink(elsewhere.path(), abandoned.join("tree/link")).unwrap();
        }

        let at_work = StagingFolder::beside(&destination).unwrap();
        let second = StagingFolder::beside(&destination).unwrap();
        assert!(at_work.path().exists() && second.path().exists());
        assert!(!abandoned.exists() && !before_its_lock.exists());
        assert!(foreign.iter().all(|name| folder.join(name).exists()) && unlike.join("file").exists());
        assert!(folder.join(".stage-2123456789abcdef").exists() && linked_to.join("tree/a/file").exists());
        assert!(cfg!(not(unix)) || folder.join(".stage-3123456789abcdef").is_symlink());
        let gone = at_work.path().to_owned();
        drop(at_work);
        assert!(!gone.exists());
    }
}
