//! A folder: on this machine, or one that machines share over a network file system.
//!
//! An object is a file. It is written beside its place and then takes it in one step. Replacing holds a lock on one
//! file of the folder, which the system releases when its holder dies.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek as _, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use archive::FileBeside;
use vocab::{Digest, DigestWriter};

use crate::{
    Expected, Head, Leftover, Listed, Object, ObjectKey, Place, PlaceError, PlaceErrorKind, Placed, Replaced, Result,
    Tag, Turn, Upload, Uploaded, Waiting, Watch, Work,
};

/// Names of files that are being written; keys never begin with a dot.
const STAGED: &str = ".put-";

/// Held while an object is replaced.
const LOCK: &str = ".lock";

/// Held while the index is written.
const TURN: &str = ".turn";

/// A file being written that is older than this was abandoned. Locks of other machines may be invisible here.
const IDLE: Duration = Duration::from_secs(24 * 3600);

type Inner<T> = std::result::Result<T, PlaceErrorKind>;

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

    fn named(&self, action: &'static str, key: &ObjectKey) -> impl Fn(PlaceErrorKind) -> PlaceError + use<> {
        let (place, key) = (self.place.clone(), key.to_string());
        move |kind| PlaceError { action, key: Some(key.clone()), place: place.clone(), kind }
    }

    /// A file that will take the place of `target`, in the same folder.
    fn staged(&self, target: &Path) -> Inner<FileBeside> {
        let folder = target.parent().unwrap_or(&self.root);
        let staged = FileBeside::within(folder, STAGED).map_err(disk("create a file in", folder))?;
        self.sweep(folder, &staged);
        Ok(staged)
    }

    /// Removes what killed writers left in `folder`. Uses the folder's own clock: `staged` was made just now.
    fn sweep(&self, folder: &Path, staged: &FileBeside) {
        let is_new = self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        let now = staged.as_file().metadata().and_then(|metadata| metadata.modified());
        if let Some(since) = now.ok().filter(|_| is_new).and_then(|now| now.checked_sub(IDLE)) {
            archive::sweep_idle(folder, &[STAGED], since);
        }
    }

    fn staged_with(&self, target: &Path, bytes: &[u8]) -> Inner<FileBeside> {
        let mut staged = self.staged(target)?;
        let written = staged.write_all(bytes).and_then(|()| staged.as_file().sync_all());
        written.map_err(disk("write", staged.path()))?;
        Ok(staged)
    }

    fn replace_inner(&self, key: &ObjectKey, bytes: &[u8], expected: &Expected) -> Inner<Replaced> {
        let target = self.path(key);
        let staged = self.staged_with(&target, bytes)?;
        let lock = self.root.join(LOCK);
        // Windows locks no file that was opened for appending alone.
        let lock_file = File::options().create(true).write(true).truncate(false).open(&lock);
        let lock_file = lock_file.map_err(disk("open", &lock))?;
        lock_file.lock().map_err(disk("lock", &lock))?;
        let current = read(&target)?.map(|bytes| tag_of(&bytes));
        let holds = match expected {
            Expected::Absent => current.is_none(),
            Expected::State(tag) => current.as_ref() == Some(tag),
            Expected::Anything => true,
        };
        if !holds {
            return Ok(Replaced::Changed);
        }
        staged.replace(&target).map_err(disk("write", &target))?;
        Ok(Replaced::Done)
    }

    fn try_turn_inner(&self) -> Inner<Option<FileTurn>> {
        fs::create_dir_all(&self.root).map_err(disk("create", &self.root))?;
        let path = self.root.join(TURN);
        let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(disk("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(FileTurn { _lock: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(disk("lock", &path)(error)),
        }
    }

    fn upload_inner(&self, upload: &Upload<'_>, work: &Work<'_>) -> Inner<Uploaded> {
        let target = self.path(upload.key);
        let there = Uploaded { placed: Placed::Theirs, sent: 0, copied: 0, resumed: 0 };
        if !upload.overwrite && target.exists() {
            return Ok(there);
        }
        let staged = self.staged(&target)?;
        let from = File::open(upload.file).map_err(disk("read", upload.file))?;
        let id = work.begin(upload.key.file_name(), upload.size);
        let mut writer = DigestWriter::new(staged.as_file());
        copy(from, upload.file, &mut writer, staged.path(), &mut |count| {
            work.advance(id, count);
            (work.watch)()
        })?;
        work.finish(id);
        let (_, sha256) = writer.finish();
        if sha256 != upload.sha256 {
            let reason = format!("its SHA-256 is {sha256}, the manifest says {}", upload.sha256);
            return Err(PlaceErrorKind::GivenUp { reason });
        }
        (upload.verdict)().map_err(|reason| PlaceErrorKind::GivenUp { reason })?;
        staged.as_file().sync_all().map_err(disk("write", staged.path()))?;
        let ours = Uploaded { placed: Placed::Ours, sent: upload.size, ..there };
        if upload.overwrite {
            staged.replace(&target).map_err(disk("write", &target))?;
            return Ok(ours);
        }
        let claimed = staged.claim(&target).map_err(disk("write", &target))?;
        Ok(if claimed { ours } else { there })
    }

    fn walk(&self, prefix: &str) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> + use<> {
        let start = self.root.join(prefix.trim_end_matches('/'));
        let absent = !start.exists();
        walkdir::WalkDir::new(start).into_iter().filter(move |_| !absent)
    }

    fn list_inner(&self, prefix: &str) -> Inner<Vec<Listed>> {
        let mut rows = Vec::new();
        for entry in self.walk(prefix) {
            let Some((path, metadata)) = file_of(entry, &self.root)? else { continue };
            let Ok(below) = path.strip_prefix(&self.root) else { continue };
            let names: Option<Vec<&str>> = below.components().map(|it| it.as_os_str().to_str()).collect();
            // Not an object: for example a file that is being written.
            let Some(key) = names.and_then(|names| names.join("/").parse::<ObjectKey>().ok()) else { continue };
            let modified = metadata.modified().map_err(disk("read", &path))?;
            rows.push(Listed { key, size: metadata.len(), modified });
        }
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(rows)
    }

    fn leftovers_inner(&self, before: SystemTime, dry_run: bool) -> Inner<Vec<Leftover>> {
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
}

impl Place for FolderPlace {
    fn place(&self) -> &str {
        &self.place
    }

    fn get(&self, key: &ObjectKey) -> Result<Option<Object>> {
        let bytes = read(&self.path(key)).map_err(self.named("read", key))?;
        Ok(bytes.map(|bytes| Object { tag: tag_of(&bytes), bytes }))
    }

    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: Watch<'_>,
    ) -> Result<Option<u64>> {
        let path = self.path(key);
        let inner = || -> Inner<Option<u64>> {
            let opened = present(archive::open_regular(&path)).map_err(disk("read", &path))?;
            let Some(mut file) = opened else { return Ok(None) };
            let length = match range {
                Some(range) => {
                    file.seek(io::SeekFrom::Start(range.start)).map_err(disk("read", &path))?;
                    range.end.saturating_sub(range.start)
                }
                None => u64::MAX,
            };
            copy(file.take(length), &path, to, &path, &mut |_| watch()).map(Some)
        };
        inner().map_err(self.named("read", key))
    }

    fn head(&self, key: &ObjectKey) -> Result<Option<Head>> {
        let path = self.path(key);
        let metadata = present(fs::metadata(&path)).map_err(disk("read", &path)).map_err(self.named("read", key))?;
        if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
            let source = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(self.named("read", key)(disk("read", &path)(source)));
        }
        // An artifact is never replaced by other bytes, so size and time identify its state.
        Ok(metadata.map(|it| Head { size: it.len(), tag: Tag(format!("{}-{:?}", it.len(), it.modified().ok())) }))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        self.list_inner(prefix).map_err(|kind| PlaceError {
            action: "list",
            key: Some(prefix.to_owned()),
            place: self.place.clone(),
            kind,
        })
    }

    fn create(&self, key: &ObjectKey, bytes: &[u8]) -> Result<Placed> {
        let target = self.path(key);
        let inner = || -> Inner<Placed> {
            if target.exists() {
                return Ok(Placed::Theirs);
            }
            let claimed = self.staged_with(&target, bytes)?.claim(&target).map_err(disk("write", &target))?;
            Ok(if claimed { Placed::Ours } else { Placed::Theirs })
        };
        inner().map_err(self.named("write", key))
    }

    fn replace(&self, key: &ObjectKey, bytes: &[u8], expected: &Expected) -> Result<Replaced> {
        self.replace_inner(key, bytes, expected).map_err(self.named("write", key))
    }

    fn delete(&self, key: &ObjectKey) -> Result<bool> {
        let path = self.path(key);
        let removed = present(fs::remove_file(&path)).map_err(disk("remove", &path));
        removed.map(|it| it.is_some()).map_err(self.named("remove", key))
    }

    fn try_turn(&self, _waiting: &mut Waiting) -> Result<Option<Box<dyn Turn + '_>>> {
        let turn = self.try_turn_inner().map_err(|kind| PlaceError {
            action: "take a turn",
            key: None,
            place: self.place.clone(),
            kind,
        })?;
        Ok(turn.map(|turn| Box::new(turn) as Box<dyn Turn>))
    }

    fn upload(&self, upload: &Upload<'_>, work: &Work<'_>) -> Result<Uploaded> {
        self.upload_inner(upload, work).map_err(self.named("write", upload.key))
    }

    fn conditional_puts(&self) -> Result<bool> {
        Ok(true)
    }

    fn leftovers(&self, before: SystemTime, dry_run: bool) -> Result<Vec<Leftover>> {
        self.leftovers_inner(before, dry_run).map_err(|kind| PlaceError {
            action: "look for what interrupted uploads left",
            key: None,
            place: self.place.clone(),
            kind,
        })
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

/// Copies everything; calls `go_on` with the size of each piece, and with 0 at the beginning. Paths are for messages.
fn copy(
    mut from: impl Read,
    from_path: &Path,
    to: &mut dyn Write,
    to_path: &Path,
    go_on: &mut dyn FnMut(u64) -> Inner<()>,
) -> Inner<u64> {
    let (mut buffer, mut copied) = (vec![0; 1 << 18], 0);
    go_on(0)?;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(disk("read", from_path)(error)),
        };
        to.write_all(&buffer[..count]).map_err(disk("copy", to_path))?;
        copied += count as u64;
        go_on(count as u64)?;
    }
}

fn tag_of(bytes: &[u8]) -> Tag {
    Tag(Digest::of(bytes).to_string())
}

fn read(path: &Path) -> Inner<Option<Vec<u8>>> {
    let bytes = archive::open_regular(path).and_then(|mut file| {
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
fn file_of(entry: walkdir::Result<walkdir::DirEntry>, root: &Path) -> Inner<Option<(PathBuf, fs::Metadata)>> {
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
