//! A folder: on this machine, or one that machines share over a network file system.
//!
//! An object is a file that everybody may read, whatever the umask of its writer. It is written beside its place and then takes it in one step. Replacing holds a lock on one
//! file of the folder, which the system releases when its holder dies.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek as _, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use disk::FileBeside;
use vocab::{Digest, DigestWriter};

use crate::{
    Engine, ExpectedState, Leftover, ListedObject, Object, ObjectHead, ObjectKey, ObjectTag, ObjectUpload,
    PlaceErrorKind, Result, TransferWatch, TransferWork, Turn, TurnLock, UploadOutcome, pass_on, unwritten,
};

/// Names of files that are being written; keys never begin with a dot.
const STAGED: &str = ".put-";

/// Held while an object is replaced.
const LOCK: &str = ".lock";

/// Held while the index is written.
const TURN: &str = ".turn";

/// A file being written that is older than this was abandoned. Locks of other machines may be invisible here.
const IDLE: Duration = Duration::from_secs(24 * 3600);

type FolderResult<T> = std::result::Result<T, PlaceErrorKind>;

/// Objects as files below one folder. May be shared by several machines over a network file system with locks.
#[derive(Debug)]
pub struct FolderPlace {
    root: PathBuf,
    place: String,
    /// Folders that were swept of files of killed writers.
    swept: Mutex<BTreeSet<PathBuf>>,
}

impl FolderPlace {
    /// The folder is made with the first object.
    pub fn new(root: PathBuf) -> Self {
        Self { place: root.display().to_string(), root, swept: Mutex::default() }
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        key.as_str().split('/').fold(self.root.clone(), |path, component| path.join(component))
    }

    /// A file that will take the place of `target`, in the same folder.
    fn staged(&self, target: &Path) -> FolderResult<FileBeside> {
        let folder = target.parent().unwrap_or(&self.root);
        disk::make_shared_folders(folder).map_err(disk("create", folder))?;
        let staged = FileBeside::within(folder, STAGED).map_err(disk("create a file in", folder))?;
        disk::share_file(staged.path()).map_err(disk("create a file in", folder))?;
        self.sweep(folder, &staged);
        Ok(staged)
    }

    /// Removes what killed writers left in `folder`. Uses the folder's own clock: `staged` was made just now.
    fn sweep(&self, folder: &Path, staged: &FileBeside) {
        let is_new = self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        let now = staged.as_file().metadata().and_then(|metadata| metadata.modified());
        if let Some(since) = now.ok().filter(|_| is_new).and_then(|now| now.checked_sub(IDLE)) {
            disk::sweep_idle(folder, &[STAGED], since);
        }
    }

    fn staged_with(&self, target: &Path, bytes: &[u8]) -> FolderResult<FileBeside> {
        let mut staged = self.staged(target)?;
        let written = staged.write_all(bytes).and_then(|()| staged.as_file().sync_all());
        written.map_err(disk("write", staged.path()))?;
        Ok(staged)
    }

    fn walk(&self, prefix: &str) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> + use<> {
        let start = self.root.join(prefix.trim_end_matches('/'));
        let absent = !start.exists();
        walkdir::WalkDir::new(start).into_iter().filter(move |_| !absent)
    }
}

impl Engine for FolderPlace {
    type Failure = PlaceErrorKind;

    fn place(&self) -> &str {
        &self.place
    }

    fn get(&self, key: &ObjectKey) -> FolderResult<Option<Object>> {
        let bytes = read(&self.path(key))?;
        Ok(bytes.map(|bytes| Object { tag: tag_of(&bytes), bytes }))
    }

    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> FolderResult<Option<u64>> {
        let path = self.path(key);
        let opened = present(vocab::open_regular(&path)).map_err(disk("read", &path))?;
        let Some(mut file) = opened else { return Ok(None) };
        let length = match range {
            Some(range) => {
                file.seek(io::SeekFrom::Start(range.start)).map_err(disk("read", &path))?;
                range.end.saturating_sub(range.start)
            }
            None => u64::MAX,
        };
        pass_on(file.take(length), to, &mut |_| watch(), disk("read", &path), unwritten(key)).map(Some)
    }

    fn head(&self, key: &ObjectKey, _watch: TransferWatch<'_>) -> FolderResult<Option<ObjectHead>> {
        let path = self.path(key);
        let metadata = present(fs::metadata(&path)).map_err(disk("read", &path))?;
        if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(disk("read", &path)(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        // An artifact is never replaced by other bytes, so size and time identify its state.
        Ok(metadata
            .map(|it| ObjectHead { size: it.len(), tag: ObjectTag(format!("{}-{:?}", it.len(), it.modified().ok())) }))
    }

    fn list(&self, prefix: &str) -> FolderResult<Vec<ListedObject>> {
        let mut rows = Vec::new();
        for entry in self.walk(prefix) {
            let Some((path, metadata)) = file_of(entry, &self.root)? else { continue };
            let Ok(below) = path.strip_prefix(&self.root) else { continue };
            let names: Option<Vec<&str>> = below.components().map(|it| it.as_os_str().to_str()).collect();
            // Not an object: for example a file that is being written.
            let Some(key) = names.and_then(|names| names.join("/").parse::<ObjectKey>().ok()) else { continue };
            let modified = metadata.modified().map_err(disk("read", &path))?;
            rows.push(ListedObject { key, size: metadata.len(), modified });
        }
        Ok(rows)
    }

    fn put(&self, key: &ObjectKey, bytes: &[u8], expected: &ExpectedState) -> FolderResult<bool> {
        let target = self.path(key);
        if *expected == ExpectedState::Absent {
            // Nothing has to be compared, so one step does it, without a lock.
            return Ok(
                !target.exists() && self.staged_with(&target, bytes)?.claim(&target).map_err(disk("write", &target))?
            );
        }
        let staged = self.staged_with(&target, bytes)?;
        let lock = self.root.join(LOCK);
        // Windows locks no file that was opened for appending alone.
        let lock_file = File::options().create(true).write(true).truncate(false).open(&lock);
        let lock_file = lock_file.map_err(disk("open", &lock))?;
        lock_file.lock().map_err(disk("lock", &lock))?;
        let current = read(&target)?.map(|bytes| tag_of(&bytes));
        if expected.holds(current.as_ref()) {
            staged.replace(&target).map_err(disk("write", &target))?;
            return Ok(true);
        }
        Ok(false)
    }

    fn delete(&self, key: &ObjectKey) -> FolderResult<bool> {
        let path = self.path(key);
        let removed = present(fs::remove_file(&path)).map_err(disk("remove", &path))?;
        Ok(removed.is_some())
    }

    fn upload(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> FolderResult<UploadOutcome> {
        let target = self.path(upload.key);
        let staged = self.staged(&target)?;
        let from = File::open(upload.file).map_err(disk("read", upload.file))?;
        let id = work.begin(upload.key.file_name(), upload.size);
        let mut writer = DigestWriter::new(staged.as_file());
        let mut go_on = |count| {
            work.advance(id, count);
            (work.watch)()
        };
        pass_on(from, &mut writer, &mut go_on, disk("read", upload.file), disk("copy", staged.path()))?;
        work.finish(id);
        let (_, sha256) = writer.finish();
        if sha256 != upload.sha256 {
            let reason = format!("its SHA-256 is {sha256}, the manifest says {}", upload.sha256);
            return Err(PlaceErrorKind::GivenUp { reason });
        }
        upload.approve()?;
        staged.as_file().sync_all().map_err(disk("write", staged.path()))?;
        let ours = if upload.overwrite {
            staged.replace(&target).map_err(disk("write", &target))?;
            true
        } else {
            staged.claim(&target).map_err(disk("write", &target))?
        };
        Ok(if ours { UploadOutcome::sent(upload.size) } else { UploadOutcome::THEIRS })
    }

    fn conditional_puts(&self) -> FolderResult<bool> {
        Ok(true)
    }

    fn sweep_beside(&self, key: &ObjectKey) {
        let target = self.path(key);
        if target.exists() {
            let _ = self.staged(&target);
        }
    }

    fn leftovers(&self, before: SystemTime, dry_run: bool) -> FolderResult<Vec<Leftover>> {
        let mut rows = Vec::new();
        for entry in self.walk("") {
            let Some((path, metadata)) = file_of(entry, &self.root)? else { continue };
            let staged = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(STAGED));
            if !staged || metadata.modified().map_err(disk("read", &path))? >= before {
                continue;
            }
            if !dry_run {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(disk("remove", &path)(error)),
                    _ => {}
                }
            }
            rows.push(Leftover { what: path.display().to_string(), size: Some(metadata.len()) });
        }
        rows.sort_by(|a, b| a.what.cmp(&b.what));
        Ok(rows)
    }

    fn lock(&self) -> FolderResult<TurnLock> {
        fs::create_dir_all(&self.root).map_err(disk("create", &self.root))?;
        let path = self.root.join(TURN);
        let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(disk("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(TurnLock::Ours(Box::new(FileTurn { _lock: file }))),
            Err(TryLockError::WouldBlock) => Ok(TurnLock::Theirs),
            Err(TryLockError::Error(error)) => Err(disk("lock", &path)(error)),
        }
    }
}

/// The system releases it when its holder dies.
struct FileTurn {
    _lock: File,
}

impl Turn for FileTurn {
    fn keep(&mut self) -> Result<bool> {
        Ok(true)
    }
}

fn tag_of(bytes: &[u8]) -> ObjectTag {
    ObjectTag(Digest::of(bytes).to_string())
}

fn read(path: &Path) -> FolderResult<Option<Vec<u8>>> {
    let bytes = vocab::open_regular(path).and_then(|mut file| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    present(bytes).map_err(disk("read", path))
}

fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None` if it is not a file, or vanished while the folder was walked.
fn file_of(entry: walkdir::Result<walkdir::DirEntry>, root: &Path) -> FolderResult<Option<(PathBuf, fs::Metadata)>> {
    let inner = || -> walkdir::Result<Option<(PathBuf, fs::Metadata)>> {
        let entry = entry?;
        if !entry.file_type().is_file() {
            return Ok(None);
        }
        let metadata = entry.metadata()?;
        Ok(Some((entry.into_path(), metadata)))
    };
    match inner() {
        Ok(found) => Ok(found),
        Err(error) => {
            let path = error.path().unwrap_or(root).to_owned();
            match error.into_io_error() {
                Some(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
                Some(source) => Err(disk("read", &path)(source)),
                None => Err(disk("read", &path)(io::Error::other("a link leads to a folder above it"))),
            }
        }
    }
}

fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PlaceErrorKind + use<> {
    let path = path.to_owned();
    move |source| PlaceErrorKind::Disk { action, path, source }
}
