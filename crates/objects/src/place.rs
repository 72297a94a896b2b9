//! The one interface to places of every kind, and the plain data that goes through it.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use vocab::{Digest, Event, Tell, TransferId};

use crate::{ObjectKey, PlaceError, PlaceErrorKind};

/// The result of every operation on a place.
pub type Result<T> = std::result::Result<T, PlaceError>;

/// Keeps objects by key. May be used from several threads at once.
pub trait Place: std::fmt::Debug + Send + Sync {
    /// Its address for messages, without secrets.
    fn place(&self) -> &str;

    /// Reads an object of a few megabytes at most. `None` if it does not exist.
    fn get(&self, key: &ObjectKey) -> Result<Option<Object>>;

    /// Writes `range` of the object, or all of it, to `to`, and gives the number of bytes. `None` if it does not exist.
    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> Result<Option<u64>>;

    fn head(&self, key: &ObjectKey) -> Result<Option<ObjectHead>>;

    /// All objects whose keys begin with `prefix`, which ends with `/` or is empty, sorted by key.
    fn list(&self, prefix: &str) -> Result<Vec<ListedObject>>;

    /// Writes the object unless one with this key exists, which then stays as it is.
    fn create(&self, key: &ObjectKey, bytes: &[u8]) -> Result<PutOutcome>;

    /// Writes the object if its present state is still `expected`.
    fn replace(&self, key: &ObjectKey, bytes: &[u8], expected: &ExpectedState) -> Result<ReplaceOutcome>;

    /// Deletes the object. False if it did not exist.
    fn delete(&self, key: &ObjectKey) -> Result<bool>;

    /// A turn at writing what is derived from all objects, so that one writer does it for all that wait. `None` while
    /// another has it; call again with the same `waiting` after a pause.
    fn try_turn(&self, waiting: &mut WaitingPublisher) -> Result<Option<Box<dyn Turn + '_>>>;

    /// Uploads a large file, in parallel parts if the destination can do that. An object that exists already stays as
    /// it is; one of another size is an error, unless the upload may overwrite.
    fn upload(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> Result<UploadOutcome>;

    /// What interrupted uploads left behind and has not changed since `before`. Removes it unless `dry_run`.
    fn leftovers(&self, before: SystemTime, dry_run: bool) -> Result<Vec<Leftover>>;

    /// Removes old unfinished uploads from beside this object, as writing it would have. Does its best.
    fn sweep_beside(&self, _key: &ObjectKey) {}

    /// Whether `create` and `replace` hold when several write at once. A server may silently ignore conditions, so
    /// finding out takes a request or two, once. Where it is false, the last writer wins: derived objects must be read
    /// again after they were written.
    fn conditional_puts(&self) -> Result<bool>;
}

/// A turn at writing, see [`Place::try_turn`]. Released when dropped, or when its holder has been silent for a while.
pub trait Turn {
    /// Shows that its holder is at work; call it regularly. False if another has taken it over.
    fn keep(&mut self) -> Result<bool>;
}

/// What a waiting publisher has seen.
#[derive(Debug, Default)]
pub struct WaitingPublisher {
    pub(crate) seen: Option<ObjectTag>,
    /// How often it was seen.
    pub(crate) looks: u32,
}

/// Called between two pieces of an object and before another attempt; an error ends the transfer.
pub type TransferWatch<'a> = &'a (dyn Fn() -> std::result::Result<(), PlaceErrorKind> + Sync);

/// Never interrupts.
pub const UNWATCHED: TransferWatch<'static> = &|| Ok(());

/// A small object, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub tag: ObjectTag,
}

/// Identifies one state of an object; another state has another tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectTag(pub String);

/// What is known about an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// In bytes.
    pub size: u64,
    pub tag: ObjectTag,
}

/// One row of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: ObjectKey,
    /// In bytes.
    pub size: u64,
    pub modified: SystemTime,
}

/// Whose object is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    Ours,
    /// It was there before.
    Theirs,
}

/// The state that an object must have to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedState {
    Absent,
    State(ObjectTag),
    /// Whatever is there.
    Anything,
}

impl ExpectedState {
    /// Whether an object in this state, `None` if there is none, is what was expected.
    pub fn holds(&self, state: Option<&ObjectTag>) -> bool {
        match self {
            Self::Absent => state.is_none(),
            Self::State(tag) => state == Some(tag),
            Self::Anything => true,
        }
    }
}

/// What became of a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaceOutcome {
    Done,
    /// Another writer was faster; nothing was written.
    Changed,
}

/// One file to upload.
pub struct ObjectUpload<'a> {
    pub key: &'a ObjectKey,
    pub file: &'a Path,
    /// Size of the file, in bytes.
    pub size: u64,
    pub sha256: Digest,
    /// An existing object that holds some of the same bytes.
    pub former: Option<FormerObject>,
    /// Replace an existing object instead of leaving it.
    pub overwrite: bool,
    /// Called once, before the object becomes visible; an error aborts the upload.
    pub verdict: &'a (dyn Fn() -> std::result::Result<(), String> + Sync),
}

impl ObjectUpload<'_> {
    /// The state that its object has to have.
    pub fn expected(&self) -> ExpectedState {
        if self.overwrite { ExpectedState::Anything } else { ExpectedState::Absent }
    }

    /// Asks for the verdict.
    ///
    /// # Errors
    /// [`PlaceErrorKind::GivenUp`] with its reason.
    pub fn approve(&self) -> std::result::Result<(), PlaceErrorKind> {
        (self.verdict)().map_err(|reason| PlaceErrorKind::GivenUp { reason })
    }
}

/// See [`ObjectUpload::former`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerObject {
    pub key: ObjectKey,
    /// Ranges with the same bytes, sorted by their place in the new file, without overlaps.
    pub shared: Vec<SharedRange>,
}

/// A range of the new file that is also in the former object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedRange {
    /// Offset of its first byte in the new file.
    pub offset: u64,
    /// Offset of the same byte in the former object.
    pub former: u64,
    /// In bytes.
    pub size: u64,
}

/// What an upload moved. The sum is the file's size, unless the object existed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadOutcome {
    pub placed: PutOutcome,
    /// Bytes sent from here.
    pub sent: u64,
    /// Bytes that the server copied from the former object.
    pub copied: u64,
    /// Bytes that an interrupted upload had already sent.
    pub resumed: u64,
}

impl UploadOutcome {
    /// The object existed already.
    pub const THEIRS: Self = Self { placed: PutOutcome::Theirs, sent: 0, copied: 0, resumed: 0 };

    /// All of it was sent from here.
    pub fn sent(size: u64) -> Self {
        Self { placed: PutOutcome::Ours, sent: size, ..Self::THEIRS }
    }
}

/// Something that an interrupted upload left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// An object's key, or the path of a temporary file.
    pub what: String,
    /// In bytes, where it is known.
    pub size: Option<u64>,
}

/// What a transfer reports and checks while it runs.
pub struct TransferWork<'a> {
    pub tell: Tell<'a>,
    pub watch: TransferWatch<'a>,
    /// Distinguishes the bars of several transfers.
    pub next: &'a AtomicU64,
}

impl TransferWork<'_> {
    /// Reports the beginning of a transfer of `total` bytes.
    pub fn begin(&self, name: &str, total: u64) -> TransferId {
        let id = TransferId(self.next.fetch_add(1, Ordering::Relaxed));
        (self.tell)(Event::TransferStarted { id, name: name.to_owned(), total: Some(total), already: 0 });
        id
    }

    /// Reports `bytes` more, not the sum.
    pub fn advance(&self, id: TransferId, bytes: u64) {
        (self.tell)(Event::TransferAdvanced { id, bytes });
    }

    /// Reports the end of a transfer, whether it succeeded or not.
    pub fn finish(&self, id: TransferId) {
        (self.tell)(Event::TransferFinished { id });
    }
}
