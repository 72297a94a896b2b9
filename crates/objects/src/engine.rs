//! What a kind of place has to do itself, and the frame that makes a [`Place`] of it: every fault names what was done,
//! to which object, where; a name that is taken stays as it is, and is reported where something else stands there.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::time::SystemTime;

use crate::conditions::PROBE;
use crate::{
    ExpectedState, Leftover, ListedObject, Object, ObjectHead, ObjectKey, ObjectTurn, ObjectUpload, Place, PlaceError,
    PlaceErrorKind, PutOutcome, ReplaceOutcome, Result, TransferWatch, TransferWork, Turn, UploadOutcome,
    WaitingPublisher,
};

/// One kind of place, without what is the same for all. The methods that [`Place`] has, too, are described there.
pub trait Engine: Debug + Send + Sync + Sized {
    /// What an operation fails with, as far as the engine itself has to distinguish faults.
    type Failure: Into<PlaceErrorKind>;

    fn place(&self) -> &str;

    fn get(&self, key: &ObjectKey) -> std::result::Result<Option<Object>, Self::Failure>;

    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> std::result::Result<Option<u64>, Self::Failure>;

    fn head(&self, key: &ObjectKey, watch: TransferWatch<'_>)
    -> std::result::Result<Option<ObjectHead>, Self::Failure>;

    fn list(&self, prefix: &str) -> std::result::Result<Vec<ListedObject>, Self::Failure>;

    /// Writes the object if its present state is `expected`. False if it is not, and nothing was written.
    fn put(&self, key: &ObjectKey, bytes: &[u8], expected: &ExpectedState) -> std::result::Result<bool, Self::Failure>;

    fn delete(&self, key: &ObjectKey) -> std::result::Result<bool, Self::Failure>;

    /// Uploads a file. Unless it may overwrite, nothing stood at its name a moment ago; where something stands there
    /// when it is done, that stays, and the result is [`UploadOutcome::THEIRS`].
    fn upload(
        &self,
        upload: &ObjectUpload<'_>,
        work: &TransferWork<'_>,
    ) -> std::result::Result<UploadOutcome, Self::Failure>;

    fn conditional_puts(&self) -> std::result::Result<bool, Self::Failure>;

    fn leftovers(&self, _before: SystemTime, _dry_run: bool) -> std::result::Result<Vec<Leftover>, Self::Failure> {
        Ok(Vec::new())
    }

    fn sweep_beside(&self, _key: &ObjectKey) {}

    fn lock(&self) -> std::result::Result<TurnLock, Self::Failure> {
        Ok(TurnLock::Unknown)
    }
}

/// Whether this kind of place has a lock for turns.
pub enum TurnLock {
    Ours(Box<dyn Turn>),
    Theirs,
    /// An object says whose turn it is.
    Unknown,
}

impl<E: Engine> Place for E {
    fn place(&self) -> &str {
        Engine::place(self)
    }

    fn get(&self, key: &ObjectKey) -> Result<Option<Object>> {
        named(self, "read", Some(key.as_str()), Engine::get(self, key))
    }

    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> Result<Option<u64>> {
        named(self, "read", Some(key.as_str()), Engine::read(self, key, range, to, watch))
    }

    fn head(&self, key: &ObjectKey) -> Result<Option<ObjectHead>> {
        named(self, "read", Some(key.as_str()), Engine::head(self, key, crate::UNWATCHED))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ListedObject>> {
        let mut rows = named(self, "list", Some(prefix), Engine::list(self, prefix))?;
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(rows)
    }

    fn create(&self, key: &ObjectKey, bytes: &[u8]) -> Result<PutOutcome> {
        let ours = named(self, "write", Some(key.as_str()), self.put(key, bytes, &ExpectedState::Absent))?;
        Ok(if ours { PutOutcome::Ours } else { PutOutcome::Theirs })
    }

    fn replace(&self, key: &ObjectKey, bytes: &[u8], expected: &ExpectedState) -> Result<ReplaceOutcome> {
        let done = named(self, "write", Some(key.as_str()), self.put(key, bytes, expected))?;
        Ok(if done { ReplaceOutcome::Done } else { ReplaceOutcome::Changed })
    }

    fn delete(&self, key: &ObjectKey) -> Result<bool> {
        named(self, "remove", Some(key.as_str()), Engine::delete(self, key))
    }

    fn try_turn(&self, waiting: &mut WaitingPublisher) -> Result<Option<Box<dyn Turn + '_>>> {
        match named(self, "take a turn", None, self.lock())? {
            TurnLock::Ours(turn) => Ok(Some(turn)),
            TurnLock::Theirs => Ok(None),
            TurnLock::Unknown => {
                let turn = ObjectTurn::take(self, waiting)?;
                Ok(turn.map(|turn| Box::new(turn) as Box<dyn Turn>))
            }
        }
    }

    fn upload(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> Result<UploadOutcome> {
        let inner = || -> std::result::Result<UploadOutcome, PlaceErrorKind> {
            (work.watch)()?;
            // Asking is cheaper than sending.
            if !upload.overwrite && is_there(self, upload, work.watch)? {
                return Ok(UploadOutcome::THEIRS);
            }
            let uploaded = Engine::upload(self, upload, work).map_err(Into::into)?;
            if uploaded.placed == PutOutcome::Theirs {
                // Whoever was faster may have brought something else.
                is_there(self, upload, work.watch)?;
            }
            Ok(uploaded)
        };
        named(self, "write", Some(upload.key.as_str()), inner())
    }

    fn leftovers(&self, before: SystemTime, dry_run: bool) -> Result<Vec<Leftover>> {
        let found = Engine::leftovers(self, before, dry_run);
        named(self, "look for what interrupted uploads left", None, found)
    }

    fn sweep_beside(&self, key: &ObjectKey) {
        Engine::sweep_beside(self, key);
    }

    fn conditional_puts(&self) -> Result<bool> {
        named(self, "write", Some(PROBE), Engine::conditional_puts(self))
    }
}

/// An object of another size at the same name is an error: it cannot be what is uploaded.
fn is_there<E: Engine>(
    to: &E,
    upload: &ObjectUpload<'_>,
    watch: TransferWatch<'_>,
) -> std::result::Result<bool, PlaceErrorKind> {
    match to.head(upload.key, watch).map_err(Into::into)? {
        Some(ObjectHead { size, .. }) if size != upload.size => {
            Err(PlaceErrorKind::Another { size, expected: upload.size })
        }
        found => Ok(found.is_some()),
    }
}

fn named<T>(
    at: &impl Engine,
    action: &'static str,
    key: Option<&str>,
    outcome: std::result::Result<T, impl Into<PlaceErrorKind>>,
) -> Result<T> {
    let place = || at.place().to_owned();
    outcome.map_err(|failure| PlaceError { action, key: key.map(str::to_owned), place: place(), kind: failure.into() })
}

/// Passes on everything that comes, asking `go_on` before the first piece, with 0, and after each, with its size.
/// `unread` and `unwritten` say what a failure on that side means.
pub fn pass_on(
    mut from: impl Read,
    to: &mut dyn Write,
    go_on: &mut dyn FnMut(u64) -> std::result::Result<(), PlaceErrorKind>,
    unread: impl FnOnce(io::Error) -> PlaceErrorKind,
    unwritten: impl FnOnce(io::Error) -> PlaceErrorKind,
) -> std::result::Result<u64, PlaceErrorKind> {
    let (mut buffer, mut passed) = (vec![0; 1 << 18], 0);
    go_on(0)?;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(passed),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unread(error)),
        };
        if let Err(error) = to.write_all(buffer.get(..count).unwrap_or_default()) {
            return Err(unwritten(error));
        }
        passed += count as u64;
        go_on(count as u64)?;
    }
}

/// What of an object that was read cannot be written here.
pub fn unwritten(key: &ObjectKey) -> impl FnOnce(io::Error) -> PlaceErrorKind {
    move |source| PlaceErrorKind::Disk { action: "write what was read from", path: key.to_string().into(), source }
}
