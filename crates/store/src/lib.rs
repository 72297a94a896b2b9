//! The content-addressed cache on the building machine, and what fills it: downloads, and a store that machines share.
//!
//! Layout below the root: `blobs/<2 digits>/<sha256>` downloaded files; `wheels/<sha256>/` unpacked wheels;
//! `bases/<digest>/` finished base interpreters, beside each the digests of its files; `built/<key>/` wheels compiled
//! here; `parts/<2 digits>/<key>` compressed parts of artifacts; `imports/<key>/` what import checks compiled;
//! `tools/`; `memory/` small dated facts; `used/` when what was last used; `locks/` who is at work on what; `tmp/`
//! work in progress, on the same file system, so that everything arrives by rename. `docs/store.md` is the page for
//! its users, `builder store` looks after it.
//!
//! Many builders, in many processes, share one store without knowing each other. Two habits make that safe, also
//! when one of them is killed: an entry is made in `tmp/` and renamed to its place when it is whole, so an entry
//! that exists is complete; and what a dead process left in `tmp/` is recognised by a lock that the system
//! released with it. Nothing here waits for the disk to be written through: after a power failure an entry may be
//! damaged, which [`Store::verify_blob`] and the size checks of its readers find.

mod context;
pub mod download;
mod empty;
mod entry_lock;
mod error;
mod fact;
mod mark;
mod move_in;
mod part_store;
pub mod pinned_tool;
pub mod remote;
mod root;
mod session;
mod used;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use vocab::Digest;

pub use context::Context;
pub use entry_lock::{LockOutcome, StoreLock};
pub use error::StoreError;
pub use move_in::{Published, bury};
pub use part_store::PartStore;
pub use root::{choose_root, default_root};
pub use session::{StagedDir, StagedFile};
pub use used::{EntryKind, Removal, SPARED};
pub use verify::{BlobState, Scrutiny};

use crate::remote::Remote;
use session::Session;

/// Cheap to clone; clones share their place in `tmp/`.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// Set once the folder was seen to be a store; nothing is written before.
    claimed: Arc<OnceLock<()>>,
    session: Arc<Mutex<Option<Session>>>,
    /// Says that a builder is at work; see `used`.
    _builders: Option<Arc<std::fs::File>>,
    remote: Option<Arc<Remote>>,
}

impl Store {
    /// The store in this folder, which need not exist yet. Touches no disk.
    pub fn at(root: PathBuf) -> Self {
        Self { root, claimed: Arc::default(), session: Arc::default(), _builders: None, remote: None }
    }

    /// The store in this folder, if there is one or nothing at all. Changes nothing.
    ///
    /// # Errors
    /// The folder may be somebody's: it holds something and has not the mark of a store.
    pub fn existing(root: PathBuf) -> Result<Self, StoreError> {
        mark::look(&root)?;
        Ok(Self::at(root))
    }

    /// Makes the folder when it is new and clears away what dead processes left behind.
    ///
    /// # Errors
    /// The disk, or as [`Self::existing`].
    pub fn open(root: PathBuf) -> Result<Self, StoreError> {
        let store = Self::at(root);
        store.claim()?;
        let builders = used::join_builders(&store.root)?;
        session::sweep(&store)?;
        Ok(Self { _builders: Some(Arc::new(builders)), ..store })
    }

    /// To be called before anything is written.
    fn claim(&self) -> Result<(), StoreError> {
        if self.claimed.get().is_none() {
            mark::claim(&self.root)?;
            let _ = self.claimed.set(());
        }
        Ok(())
    }

    /// The same store with another behind it, which is asked for what this one lacks.
    pub fn with_remote(self, remote: Remote) -> Self {
        Self { remote: Some(Arc::new(remote)), ..self }
    }

    pub fn remote(&self) -> Option<&Remote> {
        self.remote.as_deref()
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the downloaded file with this digest is, or would be.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        let text = digest.to_string();
        self.root.join("blobs").join(&text[..2]).join(text)
    }

    /// What has arrived so far of a blob that is being fetched. Written only under the lock `blob-<digest>`.
    pub fn partial_blob(&self, digest: &Digest) -> PathBuf {
        let mut path = self.blob(digest).into_os_string();
        path.push(".partial");
        path.into()
    }

    /// The folder of the unpacked wheel whose file has this digest.
    pub fn wheel(&self, digest: &Digest) -> PathBuf {
        self.root.join("wheels").join(digest.to_string())
    }

    pub fn base(&self, digest: &Digest) -> PathBuf {
        self.root.join("bases").join(digest.to_string())
    }

    /// The digests of the files of [`Self::base`].
    pub fn base_table(&self, digest: &Digest) -> PathBuf {
        self.root.join("bases").join(format!("{digest}.json"))
    }

    pub fn part(&self, key: &Digest) -> PathBuf {
        let text = key.to_string();
        self.root.join("parts").join(&text[..2]).join(text)
    }

    pub fn built(&self, key: &Digest) -> PathBuf {
        self.root.join("built").join(key.to_string())
    }

    /// Written by the interpreters of import checks, file by file, each beside and then renamed. Need not exist yet.
    pub fn imports(&self, key: &Digest) -> PathBuf {
        self.root.join("imports").join(key.to_string())
    }

    /// `name` is a plain file name with a version in it: `uv-0.13.9`.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.root.join("tools").join(name)
    }
}

pub fn create_dir_all(path: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(path).map_err(|source| StoreError::new("create", path, source))
}
