//! The contents of a remote store, for its upkeep: one object at a time, every fault an error. A build uses the other
//! methods of [`RemoteStore`], which forgive.

use std::io;
use std::path::Path;
use std::time::{Instant, SystemTime};

use objects::{ObjectKey, ObjectTag, PlaceErrorKind, PutOutcome};
use vocab::Digest;

use super::object_kind::{ALL, ObjectKind, key_of};
use super::{NearStore, RemoteError, RemoteErrorKind, RemoteStore};
use crate::{StagedFile, StoreError};

/// One object of a remote store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedObject {
    pub kind: ObjectKind,
    /// The digest or key in its name.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// When it was written, by the clock of the place.
    pub modified: SystemTime,
}

impl SharedObject {
    /// Its name below the place's prefix.
    pub fn name(&self) -> String {
        key_of(self.kind, &self.digest).to_string()
    }

    fn parse(key: &ObjectKey, size: u64, modified: SystemTime) -> Option<Self> {
        let digest = key.file_name().parse().ok()?;
        let kind = ObjectKind::ALL.into_iter().find(|kind| key_of(*kind, &digest) == *key)?;
        Some(Self { kind, digest, size, modified })
    }
}

/// A listing of a remote store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Sorted by name.
    pub objects: Vec<SharedObject>,
    /// Objects with other names below `v1/`; they are never touched.
    pub others: usize,
}

impl RemoteStore {
    /// All that it has.
    pub fn contents(&self) -> Result<Contents, RemoteError> {
        let rows = self.place.list(ALL).map_err(|error| RemoteError {
            place: self.place.place().to_owned(),
            object: ALL.to_owned(),
            kind: error.kind.into(),
        })?;
        let mut contents = Contents::default();
        for row in rows {
            match SharedObject::parse(&row.key, row.size, row.modified) {
                Some(object) => contents.objects.push(object),
                None => contents.others += 1,
            }
        }
        Ok(contents)
    }

    /// Whether something has this name now, whatever an earlier listing said.
    pub fn is_there(&self, kind: ObjectKind, digest: &Digest) -> Result<bool, RemoteError> {
        let key = key_of(kind, digest);
        self.place.head(&key).map(|head| head.is_some()).map_err(|error| self.error(&key, error.kind.into()))
    }

    /// Which state of the object is there now; `None` if there is none.
    pub fn state_of(&self, object: &SharedObject) -> Result<Option<ObjectTag>, RemoteError> {
        let key = key_of(object.kind, &object.digest);
        self.place.head(&key).map(|head| head.map(|it| it.tag)).map_err(|error| self.error(&key, error.kind.into()))
    }

    /// When the object that has this name now was written; `None` if there is none.
    pub fn written(&self, object: &SharedObject) -> Result<Option<SystemTime>, RemoteError> {
        let key = key_of(object.kind, &object.digest);
        let folder = key.as_str().trim_end_matches(key.file_name());
        let rows = self.place.list(folder).map_err(|error| self.error(&key, error.kind.into()))?;
        Ok(rows.into_iter().find(|row| row.key == key).map(|row| row.modified))
    }

    /// A copy of the object, unverified. `None` if it was removed meanwhile.
    pub fn copy(&self, near: &NearStore<'_>, object: &SharedObject) -> Result<Option<StagedFile>, RemoteError> {
        let key = key_of(object.kind, &object.digest);
        let limit = near.largest.max(object.size);
        self.copy_of(near, &key, limit, Instant::now()).map_err(|kind| self.error(&key, kind))
    }

    /// Gives it a file that it lacks. False if an object with this name is there.
    ///
    /// # Errors
    /// The place fails, or has something of another size under this name.
    pub fn give(
        &self,
        near: &NearStore<'_>,
        kind: ObjectKind,
        digest: &Digest,
        from: &Path,
        sha256: &Digest,
    ) -> Result<bool, RemoteError> {
        let key = key_of(kind, digest);
        let sent = self.send(near, &key, from, sha256, false);
        sent.map(|sent| sent.placed == PutOutcome::Ours).map_err(|kind| self.error(&key, kind.into()))
    }

    /// Puts a file in place of an object.
    pub fn replace(
        &self,
        near: &NearStore<'_>,
        object: &SharedObject,
        from: &Path,
        sha256: &Digest,
    ) -> Result<(), RemoteError> {
        let key = key_of(object.kind, &object.digest);
        self.send(near, &key, from, sha256, true).map(drop).map_err(|kind| self.error(&key, kind.into()))
    }

    /// A fault of this machine, met while a copy of an object was looked at.
    pub fn fault_here(&self, object: &SharedObject, copy: &Path, source: io::Error) -> RemoteError {
        let error = StoreError::Disk { action: "look at a copy", path: copy.to_owned(), source };
        self.error(&key_of(object.kind, &object.digest), error.into())
    }

    /// Removes an object. False if there was none.
    pub fn remove(&self, object: &SharedObject) -> Result<bool, RemoteError> {
        let key = key_of(object.kind, &object.digest);
        self.place.delete(&key).map_err(|error| self.error(&key, error.kind.into()))
    }

    /// Removes what interrupted writers left before this time. The result is how much there was, with `dry_run` how
    /// much there is.
    pub fn remove_leftovers(&self, before: SystemTime, dry_run: bool) -> Result<usize, RemoteError> {
        let found = self.place.leftovers(before, dry_run);
        found.map(|found| found.len()).map_err(|error| RemoteError {
            place: self.place.place().to_owned(),
            object: ALL.to_owned(),
            kind: error.kind.into(),
        })
    }
}

impl RemoteError {
    /// The object itself is at fault, rather than the place: it is damaged, or something else has its name.
    pub fn is_of_object(&self) -> bool {
        matches!(self.kind, RemoteErrorKind::Damaged { .. } | RemoteErrorKind::Place(PlaceErrorKind::Another { .. }))
    }

    /// More than the place takes at once.
    pub fn is_too_large(&self) -> bool {
        matches!(self.kind, RemoteErrorKind::Place(PlaceErrorKind::TooLarge { .. }))
    }

    /// The user asked to stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, RemoteErrorKind::Place(PlaceErrorKind::Cancelled))
    }
}
