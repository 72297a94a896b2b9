//! The remote store as a build uses it: checked, forgiving, and silent after its first fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use objects::{ObjectKey, ObjectUpload, Place, PlaceErrorKind, TransferWork, UploadOutcome};
use vocab::{Digest, Fault};

use super::object_kind::{ObjectKind, key_of};
use super::{ChosenInterpreter, RemoteError, RemoteErrorKind, RemoteSettings};
use crate::StagedFile;

/// A record is a few kilobytes of JSON at most.
const LARGEST_RECORD: u64 = 64 << 10;

/// What stands near a builder: its own store, and the circumstances of its work.
#[derive(Clone, Copy)]
pub struct NearStore<'a> {
    pub work: &'a vocab::Work,
    pub store: &'a crate::Store,
    /// What a download may have, in bytes.
    pub largest: u64,
}

/// The remote store as a build uses it. After the first fault in one direction it stays silent in that direction.
#[derive(Debug)]
pub struct RemoteStore {
    pub(super) place: Box<dyn Place>,
    read_only: bool,
    strict: bool,
    /// Which interpreters were chosen, by question, where the place knows that: an export does.
    interpreters: BTreeMap<Digest, ChosenInterpreter>,
    state: Mutex<RemoteState>,
}

#[derive(Debug, Default)]
struct RemoteState {
    /// Whether reading, then writing, has been given up: the next object would meet the same fault.
    given_up: [bool; 2],
    /// Objects that could not be used; they are not read again.
    useless: BTreeSet<ObjectKey>,
    fault: Option<RemoteError>,
}

#[derive(Clone, Copy)]
enum TransferWay {
    Read = 0,
    Write = 1,
}

impl RemoteStore {
    /// Touches no network.
    pub fn new(place: Box<dyn Place>, settings: &RemoteSettings) -> Self {
        let RemoteSettings { read_only, strict, .. } = *settings;
        Self { place, read_only, strict, interpreters: BTreeMap::new(), state: Mutex::default() }
    }

    /// The same with choices of interpreters.
    #[must_use]
    pub fn with_interpreters(self, interpreters: BTreeMap<Digest, ChosenInterpreter>) -> Self {
        Self { interpreters, ..self }
    }

    /// The interpreter that was chosen for this question when the place was filled.
    pub fn interpreter(&self, question: &Digest) -> Option<&ChosenInterpreter> {
        self.interpreters.get(question)
    }

    /// The file with this digest, now in the local store. False when the remote store has none that can be used.
    /// `size` where it is known.
    pub fn bring_blob(&self, near: &NearStore<'_>, sha256: &Digest, file_name: &str, size: Option<u64>) -> bool {
        let object = key_of(ObjectKind::Blobs, sha256);
        let blob = near.store.blob(sha256);
        let judge = |path: &Path| match File::open(path).and_then(Digest::of_reader) {
            Ok((actual, _)) if actual == *sha256 => Ok(()),
            Ok((actual, _)) => Err(format!("`{file_name}` has the SHA-256 {actual}, {sha256} is expected")),
            Err(error) => Err(error.to_string()),
        };
        let limit = size.unwrap_or(near.largest);
        self.bring(near, &object, &blob, limit, &judge)
    }

    /// The cached part with this key, now in the local store.
    pub fn bring_part(&self, near: &NearStore<'_>, key: &Digest) -> bool {
        let judge = |path: &Path| match archive::check_part(path, key) {
            Some(_) => Ok(()),
            None => Err("it is damaged, or another part".to_owned()),
        };
        let limit = near.largest;
        self.bring(near, &key_of(ObjectKind::Parts, key), &near.store.part(key), limit, &judge)
    }

    /// The record of this kind under the key, as `judge` reads it; the reason when that refuses it.
    pub fn bring_record<T>(
        &self,
        near: &NearStore<'_>,
        kind: ObjectKind,
        key: &Digest,
        judge: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Option<T> {
        let object = key_of(kind, key);
        let (staged, _) = self.fetch(near, &object, LARGEST_RECORD)?;
        let judged = std::fs::read(staged.path()).map_err(|error| error.to_string()).and_then(|bytes| judge(&bytes));
        match judged {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(near, &object, reason);
                None
            }
        }
    }

    /// Uses what is stored under the base interpreter's identity; `judge` gets its file and gives the reason when it
    /// refuses it.
    pub fn bring_base<T>(
        &self,
        near: &NearStore<'_>,
        identity: &Digest,
        judge: impl FnOnce(&Path) -> Result<T, String>,
    ) -> Option<T> {
        let object = key_of(ObjectKind::Bases, identity);
        let (staged, _) = self.fetch(near, &object, near.largest)?;
        judge(staged.path()).map_err(|reason| self.refuse(near, &object, reason)).ok()
    }

    /// Whether a blob with this digest is there; its content is not looked at.
    pub fn has_blob(&self, near: &NearStore<'_>, sha256: &Digest) -> bool {
        self.has(near, &key_of(ObjectKind::Blobs, sha256))
    }

    /// Whether a base interpreter with this identity is there; its content is not looked at.
    pub fn has_base(&self, near: &NearStore<'_>, identity: &Digest) -> bool {
        self.has(near, &key_of(ObjectKind::Bases, identity))
    }

    fn has(&self, near: &NearStore<'_>, object: &ObjectKey) -> bool {
        if self.is_given_up(TransferWay::Read) || self.state().useless.contains(object) {
            return false;
        }
        match self.place.head(object) {
            Ok(head) => head.is_some(),
            Err(error) => {
                self.fail(near, TransferWay::Read, object, error.kind.into());
                false
            }
        }
    }

    /// Whether it is worth offering it anything: it is neither read-only nor given up.
    pub fn takes_more(&self) -> bool {
        !self.read_only && !self.is_given_up(TransferWay::Write)
    }

    /// Gives it a file that was there before this run, unless it has it. The file is read first: a damaged one is not
    /// shared.
    pub fn give_blob(&self, near: &NearStore<'_>, path: &Path, sha256: &Digest) {
        if !self.takes_more() || self.has_blob(near, sha256) {
            return;
        }
        if File::open(path).and_then(Digest::of_reader).is_ok_and(|(found, _)| found == *sha256) {
            self.offer_blob(near, path, sha256);
        }
    }

    /// Like [`Self::give_blob`], for a part of the local store.
    pub fn give_part(&self, near: &NearStore<'_>, key: &Digest) {
        if self.takes_more() && !self.has(near, &key_of(ObjectKind::Parts, key)) {
            self.offer_part(near, key);
        }
    }

    /// Like [`Self::give_blob`], for a wheel built from source: `record` is its record.
    pub fn give_built(&self, near: &NearStore<'_>, key: &Digest, record: &[u8], path: &Path, sha256: &Digest) {
        // One may have been removed without the other.
        self.give_blob(near, path, sha256);
        if self.takes_more()
            && !self.has(near, &key_of(ObjectKind::Built, key))
            && self.offer_record(near, ObjectKind::Built, key, record)
        {
            // Whoever removes what is old may have taken the wheel before this record was there to keep it.
            self.give_blob(near, path, sha256);
        }
    }

    /// Uploads a packed base interpreter. The result is as for [`Self::offer_part`].
    pub fn offer_base(&self, near: &NearStore<'_>, identity: &Digest, path: &Path, sha256: &Digest) -> bool {
        self.put(near, &key_of(ObjectKind::Bases, identity), path, sha256)
    }

    /// True when the remote store has the file now.
    pub fn offer_blob(&self, near: &NearStore<'_>, path: &Path, sha256: &Digest) -> bool {
        self.put(near, &key_of(ObjectKind::Blobs, sha256), path, sha256)
    }

    /// Uploads a part of the local store. True if the remote store has it now; false also if it is read-only or
    /// failed.
    pub fn offer_part(&self, near: &NearStore<'_>, key: &Digest) -> bool {
        let path = near.store.part(key);
        match File::open(&path).and_then(Digest::of_reader) {
            Ok((sha256, _)) => self.put(near, &key_of(ObjectKind::Parts, key), &path, &sha256),
            // Pruned meanwhile, or never kept.
            Err(_) => false,
        }
    }

    /// Uploads a record, after the blobs that it names. An export takes it in place of another one; elsewhere the first
    /// one stays. The result is as for [`Self::offer_part`].
    pub fn offer_record(&self, near: &NearStore<'_>, kind: ObjectKind, key: &Digest, record: &[u8]) -> bool {
        let Ok(staged) = near.store.stage_file() else { return false };
        if std::fs::write(staged.path(), record).is_err() {
            return false;
        }
        self.put(near, &key_of(kind, key), staged.path(), &Digest::of(record))
    }

    /// # Errors
    /// In strict mode, the first fault since the last call.
    pub fn outcome(&self) -> Result<(), Box<dyn Fault>> {
        let fault = self.state().fault.take();
        fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    fn bring(
        &self,
        near: &NearStore<'_>,
        object: &ObjectKey,
        target: &Path,
        limit: u64,
        judge: &dyn Fn(&Path) -> Result<(), String>,
    ) -> bool {
        let Some((staged, started)) = self.fetch(near, object, limit) else { return false };
        if let Err(reason) = judge(staged.path()) {
            self.refuse(near, object, reason);
            return false;
        }
        let size = std::fs::metadata(staged.path()).map_or(0, |metadata| metadata.len());
        match near.store.publish_file(staged, target) {
            Ok(_) => {
                let milliseconds = started.elapsed().as_millis();
                let line = format!("{object}: {size} bytes in {milliseconds} ms");
                near.work.tell(vocab::Event::Output { program: "remote store".into(), line });
                true
            }
            Err(error) => {
                self.fail(near, TransferWay::Read, object, error.into());
                false
            }
        }
    }

    /// The object as it came.
    fn fetch(&self, near: &NearStore<'_>, object: &ObjectKey, limit: u64) -> Option<(StagedFile, Instant)> {
        if self.is_given_up(TransferWay::Read) || self.state().useless.contains(object) {
            return None;
        }
        let started = Instant::now();
        match self.copy_of(near, object, limit, started) {
            Ok(Some(staged)) => Some((staged, started)),
            Ok(None) => {
                self.state().useless.insert(object.clone());
                None
            }
            Err(RemoteErrorKind::Damaged { reason }) => {
                self.refuse(near, object, reason);
                None
            }
            Err(kind) => {
                self.fail(near, TransferWay::Read, object, kind);
                None
            }
        }
    }

    /// The object as it came, in a file of the local store; `None` if there is no such object.
    pub(super) fn copy_of(
        &self,
        near: &NearStore<'_>,
        object: &ObjectKey,
        limit: u64,
        started: Instant,
    ) -> Result<Option<StagedFile>, RemoteErrorKind> {
        let staged = near.store.stage_file()?;
        let file = File::create_new(staged.path()).map_err(|source| PlaceErrorKind::Disk {
            action: "create",
            path: staged.path().to_owned(),
            source,
        })?;
        let mut file = BoundedWriter { file, left: limit, is_over: false };
        let read = self.place.read(object, None, &mut file, &|| go_on(near, started));
        let found = read.map_err(|error| judged(error.kind, &file, limit))?.is_some();
        Ok(found.then_some(staged))
    }

    /// Sends a file, in place of an object that is there only with `overwrite`.
    pub(super) fn send(
        &self,
        near: &NearStore<'_>,
        object: &ObjectKey,
        from: &Path,
        sha256: &Digest,
        overwrite: bool,
    ) -> Result<UploadOutcome, PlaceErrorKind> {
        let started = Instant::now();
        let upload = ObjectUpload {
            key: object,
            file: from,
            size: std::fs::metadata(from).map_or(0, |metadata| metadata.len()),
            sha256: *sha256,
            former: None,
            overwrite,
            verdict: &|| Ok(()),
        };
        let work = TransferWork { tell: &|_| (), watch: &|| go_on(near, started), next: &AtomicU64::new(0) };
        self.place.upload(&upload, &work).map_err(|error| error.kind)
    }

    fn put(&self, near: &NearStore<'_>, object: &ObjectKey, from: &Path, sha256: &Digest) -> bool {
        if self.read_only || self.is_given_up(TransferWay::Write) {
            return false;
        }
        match self.send(near, object, from, sha256, false) {
            Ok(_) => true,
            // Such a one is not shared. Whoever reads what stands in its place finds out whether that is sound.
            Err(PlaceErrorKind::TooLarge { .. } | PlaceErrorKind::Another { .. }) => false,
            Err(kind) => {
                self.fail(near, TransferWay::Write, object, kind.into());
                false
            }
        }
    }

    fn is_given_up(&self, way: TransferWay) -> bool {
        self.state().given_up[way as usize]
    }

    /// A damaged object does not stop the others, which may be sound.
    fn refuse(&self, near: &NearStore<'_>, object: &ObjectKey, reason: String) {
        self.state().useless.insert(object.clone());
        let error = self.error(object, RemoteErrorKind::Damaged { reason });
        self.tell(near, &error, "W_REMOTE_STORE_DAMAGED");
        self.keep(error);
    }

    fn fail(&self, near: &NearStore<'_>, way: TransferWay, object: &ObjectKey, kind: RemoteErrorKind) {
        let first = {
            let mut state = self.state();
            let first = !state.given_up.contains(&true);
            state.given_up[way as usize] = true;
            first
        };
        // The interrupted build says so itself.
        if matches!(kind, RemoteErrorKind::Place(PlaceErrorKind::Cancelled)) {
            return;
        }
        let error = self.error(object, kind);
        if first {
            self.tell(near, &error, "W_REMOTE_STORE");
        }
        self.keep(error);
    }

    fn state(&self) -> MutexGuard<'_, RemoteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn error(&self, object: &ObjectKey, kind: RemoteErrorKind) -> RemoteError {
        RemoteError { place: self.place.place().to_owned(), object: object.to_string(), kind }
    }

    fn tell(&self, near: &NearStore<'_>, error: &RemoteError, code: &'static str) {
        if self.strict {
            // Reported as the error that ends the build.
            return;
        }
        let text = vocab::with_causes(error);
        let going_on =
            if matches!(error.kind, RemoteErrorKind::Damaged { .. }) { "" } else { "; it is left alone now" };
        near.work.warn(code, text + going_on, Some(error.place.clone()), error.hint());
    }

    fn keep(&self, error: RemoteError) {
        if self.strict {
            self.state().fault.get_or_insert(error);
        }
    }
}

/// The build's limit for an external step holds for each object.
fn go_on(near: &NearStore<'_>, started: Instant) -> Result<(), PlaceErrorKind> {
    if near.work.is_cancelled() {
        return Err(PlaceErrorKind::Cancelled);
    }
    match near.work.timeout {
        Some(limit) if started.elapsed() >= limit => Err(PlaceErrorKind::TimedOut { limit }),
        _ => Ok(()),
    }
}

/// Accepts no more bytes than expected, since they are not verified yet.
struct BoundedWriter {
    file: File,
    /// In bytes.
    left: u64,
    is_over: bool,
}

impl Write for BoundedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_over = bytes.len() as u64 > self.left;
        if self.is_over {
            return Err(io::Error::other("it is larger than expected"));
        }
        let count = self.file.write(bytes)?;
        self.left -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// An object that is not a regular file, or is larger than possible, counts as damaged; anything else is a fault of
/// the place.
fn judged(kind: PlaceErrorKind, file: &BoundedWriter, limit: u64) -> RemoteErrorKind {
    match kind {
        _ if file.is_over => RemoteErrorKind::Damaged { reason: format!("it has more than {limit} bytes") },
        PlaceErrorKind::Disk { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
            RemoteErrorKind::Damaged { reason: source.to_string() }
        }
        kind => kind.into(),
    }
}
