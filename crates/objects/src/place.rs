//! The one interface to places of every kind, and the plain data that goes through it.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use vocab::{Digest, Event, Tell, TransferId};

use crate::{ObjectKey, PlaceError, PlaceErrorKind, Turn, Waiting};

pub type Result<T> = std::result::Result<T, PlaceError>;

/// Keeps objects by key. Whoever holds it may use it from several threads at once.
pub trait Place: std::fmt::Debug + Send + Sync {
    /// For messages; nothing secret in it.
    fn place(&self) -> &str;

    /// For objects of a few megabytes at most. `None` when there is none.
    fn get(&self, key: &ObjectKey) -> Result<Option<Object>>;

    /// Writes `range` of the object, or all of it, to `to`, and says how many bytes that were. `None` when there is
    /// no such object.
    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: Watch<'_>,
    ) -> Result<Option<u64>>;

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

    /// Whether `create` and `replace` keep their word when several write at once. A server may ignore conditions without
    /// a word, so that finding out takes a request or two, once. Where it is false, the last writer wins: what is derived
    /// must be looked at again after it was written.
    fn conditional_puts(&self) -> Result<bool>;
}

/// Asked between two pieces of an object and before another attempt: what it answers ends the transfer.
pub type Watch<'a> = &'a (dyn Fn() -> std::result::Result<(), PlaceErrorKind> + Sync);

/// For what nobody interrupts.
pub const UNWATCHED: Watch<'static> = &|| Ok(());

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub tag: Tag,
}

/// Names one state of an object; another state has another tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub String);

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

/// A stretch of the new file that stands in the former object as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Of its first byte in the new file.
    pub offset: u64,
    /// Of the same byte in the former object.
    pub former: u64,
    /// In bytes.
    pub size: u64,
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
    pub watch: Watch<'a>,
    /// So that the bars of several transfers are told apart.
    pub next: &'a AtomicU64,
}

impl Work<'_> {
    pub fn begin(&self, name: &str, total: u64) -> TransferId {
        let id = TransferId(self.next.fetch_add(1, Ordering::Relaxed));
        (self.tell)(Event::TransferStarted { id, name: name.to_owned(), total: Some(total), already: 0 });
        id
    }

    pub fn advance(&self, id: TransferId, bytes: u64) {
        (self.tell)(Event::TransferAdvanced { id, bytes });
    }

    pub fn finish(&self, id: TransferId) {
        (self.tell)(Event::TransferFinished { id });
    }
}
