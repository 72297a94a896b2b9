//! Where runtimes are published: a folder or a bucket behind the S3 protocol, through one interface.
//!
//! A destination keeps objects by key. It knows nothing of artifacts or catalogues; what it promises is tested by one
//! suite for all kinds (`tests/conformance.rs`): an object is never seen half written, a name that is taken stays as
//! it is unless it is replaced on purpose, and a replacement happens only if nobody else replaced it meanwhile.

mod error;
mod folder;
mod s3;
mod transfer_plan;
mod turn;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use vocab::{Digest, Event, Tell, TransferId};

use crate::object_key::ObjectKey;

pub use error::{DestinationError, DestinationErrorKind};
pub use folder::FolderDestination;
pub use s3::{Access, S3Destination, S3Settings};
pub use transfer_plan::{Limits, Shared, Step, StepSource, TransferPlan};
pub use turn::{Turn, Waiting};

type Result<T> = std::result::Result<T, DestinationError>;

pub trait Destination: std::fmt::Debug + Send + Sync {
    /// For messages; nothing secret in it.
    fn place(&self) -> &str;

    /// For objects of a few megabytes at most. `None` when there is none.
    fn get(&self, key: &ObjectKey) -> Result<Option<Object>>;

    /// Writes `range` of the object, or all of it, to `to`, and says how many bytes that were. `None` when there is
    /// no such object.
    fn read(&self, key: &ObjectKey, range: Option<std::ops::Range<u64>>, to: &mut dyn Write) -> Result<Option<u64>>;

    fn head(&self, key: &ObjectKey) -> Result<Option<Head>>;

    /// All objects whose keys begin with `prefix`, which ends with `/` or is empty, sorted by key.
    fn list(&self, prefix: &str) -> Result<Vec<Listed>>;

    /// Writes the object unless there is one of this key, which then stays as it is.
    fn create(&self, key: &ObjectKey, bytes: &[u8]) -> Result<Placed>;

    /// Writes the object if what stands there is still what `expected` says.
    fn replace(&self, key: &ObjectKey, bytes: &[u8], expected: &Expected) -> Result<Replaced>;

    /// False when there was none.
    fn delete(&self, key: &ObjectKey) -> Result<bool>;

    /// A turn at writing what is derived from all objects, so that one does it for all that wait. `None` while it is
    /// somebody else's; asked again and again with the same `waiting`, after a pause each time.
    fn try_turn(&self, waiting: &mut Waiting) -> Result<Option<Box<dyn Turn + '_>>>;

    /// Brings a large file, in pieces and side by side where the destination can do that.
    fn upload(&self, upload: &Upload<'_>, work: &Work<'_>) -> Result<Uploaded>;

    /// What interrupted uploads left behind and nobody touched since `before`. Removed unless `dry_run`.
    fn leftovers(&self, before: SystemTime, dry_run: bool) -> Result<Vec<Leftover>>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub tag: Tag,
}

/// Names one state of an object; another state has another tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub(crate) String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// In bytes.
    pub size: u64,
    pub tag: Tag,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: ObjectKey,
    /// In bytes.
    pub size: u64,
    pub modified: SystemTime,
}

/// Whose object stands there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    Ours,
    /// It was there before.
    Theirs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    Absent,
    State(Tag),
    /// Whatever is there.
    Anything,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    Done,
    /// Somebody else was quicker; nothing was written.
    Changed,
}

/// One file to bring.
pub struct Upload<'a> {
    pub key: &'a ObjectKey,
    pub file: &'a Path,
    /// Of the file, in bytes.
    pub size: u64,
    pub sha256: Digest,
    /// An object that holds some of the same bytes already.
    pub former: Option<Former>,
    /// Take the place of an object of this key instead of leaving it.
    pub overwrite: bool,
    /// Asked once, before the object becomes visible; an error gives the upload up.
    pub verdict: &'a (dyn Fn() -> std::result::Result<(), String> + Sync),
}

/// See [`Upload::former`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    pub key: ObjectKey,
    /// Which stretches are the same; sorted by their place in the new file, none overlapping another.
    pub shared: Vec<Shared>,
}

/// What an upload moved. The sum is the file's size, unless the object was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    pub placed: Placed,
    /// Bytes sent from here.
    pub sent: u64,
    /// Bytes that the server copied from the former object.
    pub copied: u64,
    /// Bytes that an interrupted upload had brought.
    pub resumed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// An object's key, or the path of a temporary file.
    pub what: String,
    /// In bytes, where it is known.
    pub size: Option<u64>,
}

/// What a transfer tells and asks while it goes on.
pub struct Work<'a> {
    pub tell: Tell<'a>,
    pub cancelled: &'a AtomicBool,
    /// So that the bars of several transfers are told apart.
    pub next: &'a AtomicU64,
}

impl Work<'_> {
    pub(crate) fn begin(&self, name: &str, total: u64) -> TransferId {
        let id = TransferId(self.next.fetch_add(1, Ordering::Relaxed));
        (self.tell)(Event::TransferStarted { id, name: name.to_owned(), total: Some(total), already: 0 });
        id
    }

    pub(crate) fn advance(&self, id: TransferId, bytes: u64) {
        (self.tell)(Event::TransferAdvanced { id, bytes });
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
