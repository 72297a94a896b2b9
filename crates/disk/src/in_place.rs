//! How a finished file or folder takes its place: in one step, so that no reader sees half of it, and what was there
//! stays until the new one is complete.
//!
//! Windows needs two measures of its own. A program that has a file open, a virus scanner above all, prevents renaming
//! or replacing it; mostly that passes within moments, so it is retried for a second. And calls that the standard
//! library does not make accept a path of more than 260 characters only in its long form.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

/// A file under a temporary name, in the folder that it is meant for. Dropping it removes it; what a killed process
/// leaves is removed by [`sweep`].
#[derive(Debug)]
pub struct FileBeside {
    file: NamedTempFile,
}

impl FileBeside {
    /// Creates it beside `target`, and the folder if necessary. The temporary name begins with `prefix`.
    pub fn beside(target: &Path, prefix: &str) -> io::Result<Self> {
        match target.parent() {
            Some(folder) if folder != Path::new("") => Self::within(folder, prefix),
            _ => Self::within(Path::new("."), prefix),
        }
    }

    /// Creates it in `folder`, and the folder if necessary.
    pub fn within(folder: &Path, prefix: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix);
        // Temporary files are private; the final file is for everyone who may read the folder.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        builder.rand_bytes(RANDOM_CHARACTERS);
        let folder = long_form(folder);
        loop {
            let file = builder.tempfile_in(&folder)?;
            if hold(file.as_file(), file.path()) {
                return Ok(Self { file });
            }
        }
    }

    /// For reading and seeking.
    pub fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// The temporary path.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Opens the same file again, with a position of its own.
    pub fn reopen(&self) -> io::Result<File> {
        self.file.reopen()
    }

    /// Moves it to `target`, replacing what is there.
    pub fn replace(self, target: &Path) -> io::Result<()> {
        self.replace_after(target, thread::sleep)
    }

    fn replace_after(self, target: &Path, pause: impl FnMut(Duration)) -> io::Result<()> {
        let target = long_form(target);
        let mut file = Some(self.file);
        patiently(cfg!(windows), pause, || match file.take().map(|file| file.persist(&target)) {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(refused)) => {
                file = Some(refused.file);
                Err(refused.error)
            }
        })
    }

    /// Moves it to `target` unless that exists; checking and moving are one step. False if it exists.
    pub fn claim(self, target: &Path) -> io::Result<bool> {
        match self.file.persist_noclobber(long_form(target)) {
            Ok(_) => Ok(true),
            // The kind of error differs by system; what counts is that the target exists.
            Err(_) if target.exists() => Ok(false),
            Err(refused) => Err(refused.error),
        }
    }
}

impl Write for FileBeside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Removes regular files in `folder` whose temporary names begin with one of `prefixes` and that no process is using.
/// Returns their paths. What cannot be read or removed stays until the next sweep.
pub fn sweep(folder: &Path, prefixes: &[&str]) -> Vec<PathBuf> {
    sweep_if(folder, prefixes, &|_| true)
}

/// Like [`sweep`], in a folder that other machines write to as well, whose locks may be invisible here: removes only
/// files that nobody has written to since `since`.
pub fn sweep_idle(folder: &Path, prefixes: &[&str], since: SystemTime) -> Vec<PathBuf> {
    let is_idle = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified <= since)
    };
    sweep_if(folder, prefixes, &is_idle)
}

fn sweep_if(folder: &Path, prefixes: &[&str], may_go: &dyn Fn(&fs::DirEntry) -> bool) -> Vec<PathBuf> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file
            && may_go(&entry)
            && entry.file_name().to_str().is_some_and(|name| has_passing_name(name, prefixes))
            && remove_abandoned(&entry.path())
        {
            removed.push(entry.path());
        }
    }
    removed.sort();
    removed
}

/// How many random characters a temporary name has: enough to be unlike any other, and any that a person would choose.
pub const RANDOM_CHARACTERS: usize = 16;

/// Whether the name is one of `prefixes` followed by the random characters.
pub fn has_passing_name(name: &str, prefixes: &[&str]) -> bool {
    let random = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or_default();
    random.len() == RANDOM_CHARACTERS && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Tells [`sweep`] that the file is in use, until it is closed or the process is killed. False if the sweep was faster.
#[cfg(unix)]
pub fn hold(file: &File, path: &Path) -> bool {
    // Waits for a sweep that is checking the file right now. A system without locks has no sweep either.
    let _ = file.lock();
    fs::symlink_metadata(path).is_ok()
}

/// On Windows an open file is protected as it is. A lock would keep our own other handles from it.
#[cfg(not(unix))]
pub fn hold(_: &File, _: &Path) -> bool {
    true
}

fn remove_abandoned(path: &Path) -> bool {
    let Some(held) = take_abandoned(path) else { return false };
    // Windows cannot remove an open file.
    let held = cfg!(unix).then_some(held);
    let removed = fs::remove_file(path).is_ok();
    drop(held);
    removed
}

/// Opens the file unless somebody [`hold`]s it; while it is open nobody else can.
#[cfg(unix)]
pub fn take_abandoned(path: &Path) -> Option<File> {
    // Read and write, since some systems require both for a lock.
    let file = File::options().read(true).write(true).open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}

#[cfg(windows)]
pub fn take_abandoned(path: &Path) -> Option<File> {
    use std::os::windows::fs::OpenOptionsExt;
    // Shared with nobody, it opens only if nobody has it open.
    File::options().read(true).write(true).share_mode(0).open(path).ok()
}

/// Renames a file or a folder, replacing what is at `to` as far as the system allows.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    patiently(cfg!(windows), thread::sleep, || match fs::rename(from, to) {
        // Windows reports "access denied" for a folder that is in the way, and waiting would not help.
        Err(error) if cfg!(windows) && to.is_dir() => Err(io::Error::new(io::ErrorKind::AlreadyExists, error)),
        other => other,
    })
}

/// The retries, and the pause before the first of them. Each pause is twice the previous one: 1.3 s in all.
const ATTEMPTS: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// What Windows returns while another program has a file open: access denied, sharing violation, lock violation. The
/// first may also mean missing permissions, which no waiting cures; then a second is lost.
const HELD_OPEN: [i32; 3] = [5, 32, 33];

fn patiently(
    windows: bool,
    mut pause: impl FnMut(Duration),
    mut attempt: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let held_open = |error: &io::Error| windows && error.raw_os_error().is_some_and(|code| HELD_OPEN.contains(&code));
    for round in 0..ATTEMPTS {
        match attempt() {
            Err(error) if held_open(&error) => pause(FIRST_PAUSE * 2_u32.pow(round)),
            other => return other,
        }
    }
    attempt().map_err(|error| match held_open(&error) {
        true => io::Error::new(error.kind(), format!("a program holds it open, or it may not be changed: {error}")),
        false => error,
    })
}

/// Windows accepts 260 characters, the terminator included; a temporary name is in the same folder and no longer than
/// this.
const LONG: usize = 260 - 40;

/// On Windows the form without a limit, for paths near the limit. Elsewhere the path itself.
fn long_form(path: &Path) -> PathBuf {
    if cfg!(windows)
        && path.as_os_str().len() > LONG
        && let Ok(absolute) = std::path::absolute(path)
        && let Some(text) = absolute.to_str()
    {
        return without_limit(text).into();
    }
    path.to_owned()
}

/// `absolute` is a path of Windows that `std::path::absolute` gave: with backslashes, and nothing relative in it.
fn without_limit(absolute: &str) -> String {
    match absolute.strip_prefix(r"\\") {
        // Such a form already, or a device.
        Some(rest) if rest.starts_with(['?', '.']) => absolute.to_owned(),
        Some(share) => format!(r"\\?\UNC\{share}"),
        None => format!(r"\\?\{absolute}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program that holds the file open for `rounds` attempts makes of it: the outcome, and the pauses in ms.
    fn held_for(rounds: usize, windows: bool) -> (io::Result<()>, Vec<u128>) {
        let (mut pauses, mut attempts) = (Vec::new(), 0);
        let outcome = patiently(
            windows,
            |pause| pauses.push(pause.as_millis()),
            || {
                attempts += 1;
                if attempts > rounds { Ok(()) } else { Err(io::Error::from_raw_os_error(32)) }
            },
        );
        (outcome, pauses)
    }

    #[test]
    fn a_file_that_is_held_open_is_tried_again_on_windows() {
        let (outcome, pauses) = held_for(3, true);
        assert!(outcome.is_ok());
        assert_eq!(pauses, [10, 20, 40]);
        let (outcome, pauses) = held_for(8, true);
        assert!(outcome.unwrap_err().to_string().starts_with("a program holds it open"));
        assert_eq!(pauses.iter().sum::<u128>(), 1270);
        let (outcome, pauses) = held_for(1, false);
        assert_eq!((outcome.unwrap_err().raw_os_error(), pauses.len()), (Some(32), 0));
    }

    #[test]
    fn long_paths_of_windows_get_the_form_without_a_limit() {
        for (path, expected) in [
            (r"C:\a\b", r"\\?\C:\a\b"),
            (r"\\server\share\a", r"\\?\UNC\server\share\a"),
            (r"\\?\C:\a", r"\\?\C:\a"),
            (r"\\.\pipe\a", r"\\.\pipe\a"),
        ] {
            assert_eq!(without_limit(path), expected);
        }
    }

    #[test]
    fn a_file_takes_its_place_in_a_folder_deeper_than_260_characters() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a".repeat(100)).join("b".repeat(100)).join("c".repeat(100));
        let target = folder.join("target");
        for text in ["first", "second"] {
            let mut staged = FileBeside::beside(&target, ".staged-").unwrap();
            staged.write_all(text.as_bytes()).unwrap();
            staged.replace(&target).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        assert!(!FileBeside::beside(&target, ".staged-").unwrap().claim(&target).unwrap());
        assert!(FileBeside::beside(&target, ".staged-").unwrap().claim(&folder.join("other")).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no passing name is left");
    }

    /// attack 9
    #[test]
    fn what_killed_processes_left_is_swept_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        let left = |prefix: &str| FileBeside::within(folder, prefix).unwrap().file.keep().unwrap();
        // Closed without being removed, as a kill does it.
        let killed = [left(".pack-").1, left(".manifest-").1];
        let (at_work, _) =
            (FileBeside::within(folder, ".pack-").unwrap(), FileBeside::within(folder, ".other-").unwrap());
        let other = left(".other-").1;
        let foreign =
            [".pack-", ".pack-backup", ".pack-0123456789abcde", ".pack-0123456789abcdef.x", ".pack-0123456789-bcdef"];
        foreign.iter().for_each(|name| fs::write(folder.join(name), "").unwrap());
        let named_as_ours = folder.join(".pack-0123456789abcdef");
        fs::create_dir(&named_as_ours).unwrap();
        fs::write(named_as_ours.join("file"), "").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(named_as_ours.join("file"), folder.join(".pack-fedcba9876543210")).unwrap();

        let mut expected = killed.to_vec();
        expected.sort();
        assert_eq!(sweep(folder, &[".pack-", ".manifest-"]), expected);
        assert!(expected.iter().all(|path| !path.exists()));
        assert!(at_work.path().exists() && other.exists() && named_as_ours.join("file").exists());
        assert!(foreign.iter().all(|name| folder.join(name).exists()));
        assert!(cfg!(not(unix)) || folder.join(".pack-fedcba9876543210").is_symlink());
        at_work.replace(&folder.join("whole")).unwrap();
        assert!(sweep(folder, &[".pack-"]).is_empty() && folder.join("whole").exists());
        assert!(sweep(&folder.join("nowhere"), &[".pack-"]).is_empty());
    }

    /// The sharing that Windows has, and a program that gives the file back after a while.
    #[cfg(windows)]
    #[test]
    fn a_file_that_a_program_holds_open_is_replaced_once_it_is_given_back() {
        use std::os::windows::fs::OpenOptionsExt;
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("target");
        fs::write(&target, "former").unwrap();
        let hold = || File::options().read(true).share_mode(1).open(&target).unwrap();
        let staged = |text: &str| {
            let mut staged = FileBeside::beside(&target, ".staged-").unwrap();
            staged.write_all(text.as_bytes()).unwrap();
            staged
        };

        let held = hold();
        let refused = staged("never").replace(&target).unwrap_err();
        assert!(refused.to_string().starts_with("a program holds it open"), "{refused}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "former");
        drop(held);

        let mut held = Some(hold());
        staged("new").replace_after(&target, |_| held = None).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "no passing name is left");
    }
}
