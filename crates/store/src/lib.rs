//! The content-addressed store on the building machine, and what fills it: downloads, and a remote store that machines
//! share.
//!
//! A digest goes in and a verified file comes out, whether the local store, the remote store or a server had it
//! ([`download`]). [`Context`] bundles the store with the downloader and the circumstances of the work; everything
//! that touches files or the network takes one.
//!
//! Layout below the root: `blobs/<2 digits>/<sha256>` downloaded files; `wheels/<sha256>/` unpacked wheels;
//! `bases/<digest>/` finished base interpreters, beside each the digests of its files; `built/<key>/` wheels compiled
//! here; `requirements/<2 digits>/<key>` what builds require, as files; `parts/<2 digits>/<key>` compressed parts of artifacts; `imports/<key>/` what import checks compiled;
//! `tools/` pinned tools; `memory/` small dated facts; `used/` when an entry was last used; `locks/` locks on entries;
//! `tmp/` work in progress, on the same file system, so that everything arrives by rename. `docs/store.md` is the page
//! for users; `builder store` inspects, verifies and prunes the store.
//!
//! Many builders in many processes share one store without knowing each other. Two rules make that safe, even if one
//! of them is killed. An entry is made in `tmp/` and renamed to its place when it is complete, so an entry that exists
//! is complete. What a dead process left in `tmp/` is recognised by its lock, which the system released. Writes are
//! not fsynced: after a power failure an entry may be damaged, which [`Store::verify_blob`] and the size checks of its
//! readers find.
//!
//! ```
//! use store::{BlobState, MoveOutcome, Store};
//! use vocab::Digest;
//!
//! # let folder = tempfile::tempdir()?;
//! let store = Store::open(folder.path().join("store"))?;
//! let digest = Digest::of("hello");
//!
//! let staged = store.stage_file()?;
//! std::fs::write(staged.path(), "hello")?;
//! assert_eq!(store.publish_file(staged, &store.blob(&digest))?, MoveOutcome::Ours);
//! assert_eq!(store.verify_blob(&digest)?, BlobState::Sound { size: 5 });
//!
//! // A damaged blob is removed, so the next fetch gets it again.
//! std::fs::write(store.blob(&digest), "hallo")?;
//! assert!(matches!(store.verify_blob(&digest)?, BlobState::Removed { .. }));
//! assert_eq!(store.verify_blob(&digest)?, BlobState::Absent);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod context;
pub mod download;
mod empty;
mod entry_lock;
mod error;
pub mod export;
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
pub use entry_lock::{FileLock, LockOutcome};
pub use error::StoreError;
pub use move_in::{MoveOutcome, bury};
pub use part_store::PartStore;
pub use root::{choose_root, default_root};
pub use session::{StagedDir, StagedFile};
pub use used::{EntryKind, Removal, SPARED};
pub use verify::{BlobState, Scrutiny};

use session::StoreSession;

/// Cheap to clone; clones share their place in `tmp/`.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// Set once the folder is known to be a store; nothing is written before.
    claimed: Arc<OnceLock<()>>,
    session: Arc<Mutex<Option<StoreSession>>>,
    /// Where work in progress goes if the store itself cannot be written.
    elsewhere: Option<PathBuf>,
    /// Shows other processes that a builder is at work; see `used`.
    _builders: Arc<Vec<std::fs::File>>,
}

impl Store {
    /// The store in this folder, which need not exist yet. Touches no disk.
    pub fn at(root: PathBuf) -> Self {
        Self { root, claimed: Arc::default(), session: Arc::default(), elsewhere: None, _builders: Arc::default() }
    }

    /// The store in this folder, which may also be absent or empty. Changes nothing.
    ///
    /// # Errors
    /// The folder holds files and lacks the mark of a store, so it may belong to the user.
    pub fn existing(root: PathBuf) -> Result<Self, StoreError> {
        mark::look(&root)?;
        Ok(Self::at(root))
    }

    /// Opens the store for building: makes the folder if it is new, and removes what dead processes left behind.
    ///
    /// # Errors
    /// The disk fails, or as for [`Self::existing`].
    pub fn open(root: PathBuf) -> Result<Self, StoreError> {
        let store = Self::at(root);
        store.claim()?;
        let builders = used::join_builders(&store.root)?;
        session::sweep(&store)?;
        Ok(Self { _builders: Arc::new(vec![builders]), ..store })
    }

    /// Like [`Self::open`]. A store that cannot be written, such as a read-only mount, serves what it has: work in
    /// progress goes to the folder `elsewhere`, and publishing what the store lacks is an error.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_or_read(root: PathBuf, elsewhere: PathBuf) -> Result<Self, StoreError> {
        match Self::open(root.clone()) {
            Err(error) if error.is_forbidden() && matches!(mark::look(&root), Ok(mark::FoundFolder::Store)) => {
                Ok(Self::open_to_read(root, elsewhere))
            }
            opened => opened,
        }
    }

    /// A store that is never written. Where it has the files for it, locks keep [`Self::begin_removal`] from what it
    /// uses.
    pub fn open_to_read(root: PathBuf, elsewhere: PathBuf) -> Self {
        let readers = used::join_readers(&root);
        Self { elsewhere: Some(elsewhere), _builders: Arc::new(readers), ..Self::at(root) }
    }

    /// Whether nothing can be added to it.
    pub fn is_read_only(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Must be called before anything is written.
    fn claim(&self) -> Result<(), StoreError> {
        if self.claimed.get().is_none() {
            mark::claim(&self.root)?;
            let _ = self.claimed.set(());
        }
        Ok(())
    }

    /// The folder of the store, as it was given; it need not exist.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The downloaded file with this digest. Need not exist.
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

    /// The folder of the unpacked wheel with this digest. Need not exist.
    pub fn wheel(&self, digest: &Digest) -> PathBuf {
        self.root.join("wheels").join(digest.to_string())
    }

    /// The folder of the base interpreter with this identity. Need not exist.
    pub fn base(&self, digest: &Digest) -> PathBuf {
        self.root.join("bases").join(digest.to_string())
    }

    /// The table of the files of [`Self::base`], with their digests.
    pub fn base_table(&self, digest: &Digest) -> PathBuf {
        self.root.join("bases").join(format!("{digest}.json"))
    }

    /// The compressed part with this key, with its trailer. Need not exist.
    pub fn part(&self, key: &Digest) -> PathBuf {
        let text = key.to_string();
        self.root.join("parts").join(&text[..2]).join(text)
    }

    /// The folder of the wheel that was built under this key. Need not exist.
    pub fn built(&self, key: &Digest) -> PathBuf {
        self.root.join("built").join(key.to_string())
    }

    /// The record of a resolved set of build requirements. Need not exist.
    pub fn requirements(&self, key: &Digest) -> PathBuf {
        let text = key.to_string();
        self.root.join("requirements").join(&text[..2]).join(text)
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

/// [`std::fs::create_dir_all`] with an error that names the path.
pub fn create_dir_all(path: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(path).map_err(|source| StoreError::new("create", path, source))
}
