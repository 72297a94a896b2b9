//! A folder that machines share, over a network file system or a CI cache.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use archive::FileBeside;
use vocab::Digest;

use super::{Placed, RemoteErrorKind, RemoteStore, Watch, copy};

/// Names of objects that are not whole yet begin so.
const STAGED: &str = ".put-";

/// After so long nobody is at work on one any more. Locks of other machines may not be seen here.
const IDLE: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub struct FolderStore {
    root: PathBuf,
    place: String,
    /// Folders in which there is nothing left of killed builders.
    swept: Mutex<BTreeSet<PathBuf>>,
}

impl FolderStore {
    /// Made with the first object that is put.
    pub fn new(root: PathBuf) -> Self {
        Self { place: root.display().to_string(), root, swept: Mutex::default() }
    }

    /// Removes what killed builders left in `folder`. By the clock that the folder itself has: `staged` was made just now.
    fn sweep(&self, folder: &Path, staged: &FileBeside) {
        let is_new = self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        let now = staged.as_file().metadata().and_then(|metadata| metadata.modified());
        if let Some(since) = now.ok().filter(|_| is_new).and_then(|now| now.checked_sub(IDLE)) {
            archive::sweep_idle(folder, &[STAGED], since);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        name.split('/').fold(self.root.clone(), |path, component| path.join(component))
    }
}

impl RemoteStore for FolderStore {
    fn place(&self) -> &str {
        &self.place
    }

    fn get(&self, name: &str, to: &mut File, limit: u64, watch: Watch<'_>) -> Result<bool, RemoteErrorKind> {
        let path = self.path(name);
        match archive::open_regular(&path) {
            Ok(from) => copy(from, to, limit, watch, |error| disk("read", &path, error)).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Err(RemoteErrorKind::Damaged { reason: error.to_string() })
            }
            Err(error) => Err(disk("read", &path, error)),
        }
    }

    fn put(&self, name: &str, from: &Path, _: &Digest, watch: Watch<'_>) -> Result<Placed, RemoteErrorKind> {
        let target = self.path(name);
        if target.exists() {
            return Ok(Placed::Theirs);
        }
        let folder = target.parent().unwrap_or(&self.root);
        let mut staged = FileBeside::within(folder, STAGED).map_err(|error| disk("create a file in", folder, error))?;
        self.sweep(folder, &staged);
        let source = File::open(from).map_err(|error| disk("read", from, error))?;
        copy(source, staged.as_file_mut(), u64::MAX, watch, |error| disk("read", from, error))?;
        let claimed = staged.claim(&target).map_err(|error| disk("write", &target, error))?;
        Ok(if claimed { Placed::Ours } else { Placed::Theirs })
    }
}

fn disk(action: &'static str, path: &Path, source: io::Error) -> RemoteErrorKind {
    RemoteErrorKind::Disk { action, path: path.to_owned(), source }
}
