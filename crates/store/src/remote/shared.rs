//! The remote store as a build uses it: checked, forgiving, and silent after its first fault.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use vocab::{Digest, Fault};

use super::{RemoteError, RemoteErrorKind, RemoteSettings, RemoteStore};
use crate::Context;
use crate::{StagedFile, Store};

/// A record is a few hundred bytes of JSON.
const LARGEST_RECORD: u64 = 64 << 10;

#[derive(Debug)]
pub struct Remote {
    store: Box<dyn RemoteStore>,
    read_only: bool,
    strict: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Reading, then writing: given up after a fault, which the next object would meet again.
    given_up: [bool; 2],
    /// Objects that were asked for and could not be used; they are not asked for again.
    useless: BTreeSet<String>,
    fault: Option<RemoteError>,
}

#[derive(Clone, Copy)]
enum Way {
    Read = 0,
    Write = 1,
}

impl Remote {
    pub fn new(store: Box<dyn RemoteStore>, settings: &RemoteSettings) -> Self {
        let RemoteSettings { read_only, strict, .. } = *settings;
        Self { store, read_only, strict, state: Mutex::default() }
    }

    /// The place itself, unchecked.
    pub fn store(&self) -> &dyn RemoteStore {
        self.store.as_ref()
    }

    /// The file with this digest, now in the local store. False when the remote store has none that can be used.
    /// `size` where it is known.
    pub fn bring_blob(&self, context: &Context, sha256: &Digest, file_name: &str, size: Option<u64>) -> bool {
        let object = object("blobs", sha256);
        let blob = context.store.blob(sha256);
        let judge = |path: &Path| match File::open(path).and_then(Digest::of_reader) {
            Ok((actual, _)) if actual == *sha256 => Ok(()),
            Ok((actual, _)) => Err(format!("`{file_name}` has the SHA-256 {actual}, {sha256} is expected")),
            Err(error) => Err(error.to_string()),
        };
        let limit = size.unwrap_or(context.downloader.settings().largest);
        self.bring(context, &object, &blob, limit, &judge)
    }

    /// The cached part with this key, now in the local store.
    pub fn bring_part(&self, context: &Context, key: &Digest) -> bool {
        let judge = |path: &Path| match archive::check_part(path, key) {
            Some(_) => Ok(()),
            None => Err("it is damaged, or another part".to_owned()),
        };
        let limit = context.downloader.settings().largest;
        self.bring(context, &object("parts", key), &context.store.part(key), limit, &judge)
    }

    /// What is recorded under the key, as `judge` reads it; the reason when that refuses it.
    pub fn bring_record<T>(
        &self,
        context: &Context,
        key: &Digest,
        judge: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Option<T> {
        let object = object("built", key);
        let (staged, _) = self.fetch(context, &object, LARGEST_RECORD)?;
        let judged = std::fs::read(staged.path()).map_err(|error| error.to_string()).and_then(|bytes| judge(&bytes));
        match judged {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(context, &object, reason);
                None
            }
        }
    }

    /// True when the remote store has the file now.
    pub fn offer_blob(&self, context: &Context, path: &Path, sha256: &Digest) -> bool {
        self.put(context, &object("blobs", sha256), path, sha256)
    }

    pub fn offer_part(&self, context: &Context, key: &Digest) -> bool {
        let path = context.store.part(key);
        match File::open(&path).and_then(Digest::of_reader) {
            Ok((sha256, _)) => self.put(context, &object("parts", key), &path, &sha256),
            // Pruned meanwhile, or never kept.
            Err(_) => false,
        }
    }

    pub fn offer_record(&self, context: &Context, key: &Digest, record: &[u8]) -> bool {
        let Ok(staged) = context.store.stage_file() else { return false };
        if std::fs::write(staged.path(), record).is_err() {
            return false;
        }
        self.put(context, &object("built", key), staged.path(), &Digest::of(record))
    }

    /// With `strict`, the first thing that went wrong since this was last asked.
    pub fn outcome(&self) -> Result<(), Box<dyn Fault>> {
        let fault = self.state().fault.take();
        fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    fn bring(
        &self,
        context: &Context,
        object: &str,
        target: &Path,
        limit: u64,
        judge: &dyn Fn(&Path) -> Result<(), String>,
    ) -> bool {
        let Some((staged, started)) = self.fetch(context, object, limit) else { return false };
        if let Err(reason) = judge(staged.path()) {
            self.refuse(context, object, reason);
            return false;
        }
        let size = std::fs::metadata(staged.path()).map_or(0, |metadata| metadata.len());
        match context.store.publish_file(staged, target) {
            Ok(_) => {
                let milliseconds = started.elapsed().as_millis();
                let line = format!("{object}: {size} bytes in {milliseconds} ms");
                context.tell(vocab::Event::Output { program: "remote store".into(), line });
                true
            }
            Err(error) => {
                self.fail(context, Way::Read, object, error.into());
                false
            }
        }
    }

    /// The object as it came.
    fn fetch(&self, context: &Context, object: &str, limit: u64) -> Option<(StagedFile, Instant)> {
        if self.is_given_up(Way::Read) || self.state().useless.contains(object) {
            return None;
        }
        let started = Instant::now();
        let get = |store: &Store| -> Result<Option<StagedFile>, RemoteErrorKind> {
            let staged = store.stage_file()?;
            let mut file = File::create_new(staged.path()).map_err(|source| RemoteErrorKind::Disk {
                action: "create",
                path: staged.path().to_owned(),
                source,
            })?;
            let found = self.store.get(object, &mut file, limit, &|| go_on(context, started))?;
            Ok(found.then_some(staged))
        };
        match get(&context.store) {
            Ok(Some(staged)) => Some((staged, started)),
            Ok(None) => {
                self.state().useless.insert(object.to_owned());
                None
            }
            Err(RemoteErrorKind::Damaged { reason }) => {
                self.refuse(context, object, reason);
                None
            }
            Err(kind) => {
                self.fail(context, Way::Read, object, kind);
                None
            }
        }
    }

    fn put(&self, context: &Context, object: &str, from: &Path, sha256: &Digest) -> bool {
        if self.read_only || self.is_given_up(Way::Write) {
            return false;
        }
        let started = Instant::now();
        match self.store.put(object, from, sha256, &|| go_on(context, started)) {
            Ok(_) => true,
            Err(kind) => {
                self.fail(context, Way::Write, object, kind);
                false
            }
        }
    }

    fn is_given_up(&self, way: Way) -> bool {
        self.state().given_up[way as usize]
    }

    /// A damaged object is its own affair: others may be sound.
    fn refuse(&self, context: &Context, object: &str, reason: String) {
        self.state().useless.insert(object.to_owned());
        let error = self.error(object, RemoteErrorKind::Damaged { reason });
        self.tell(context, &error, "W_REMOTE_STORE_DAMAGED");
        self.keep(error);
    }

    fn fail(&self, context: &Context, way: Way, object: &str, kind: RemoteErrorKind) {
        let first = {
            let mut state = self.state();
            let first = !state.given_up.contains(&true);
            state.given_up[way as usize] = true;
            first
        };
        // The interrupted build says so itself.
        if matches!(kind, RemoteErrorKind::Cancelled) {
            return;
        }
        let error = self.error(object, kind);
        if first {
            self.tell(context, &error, "W_REMOTE_STORE");
        }
        self.keep(error);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, object: &str, kind: RemoteErrorKind) -> RemoteError {
        RemoteError { place: self.store.place().to_owned(), object: object.to_owned(), kind }
    }

    fn tell(&self, context: &Context, error: &RemoteError, code: &'static str) {
        if self.strict {
            // Told as the error that ends the build.
            return;
        }
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            text.push_str(&format!(": {next}"));
            cause = next.source();
        }
        let going_on =
            if matches!(error.kind, RemoteErrorKind::Damaged { .. }) { "" } else { "; it is left alone now" };
        context.warn(code, text + going_on, Some(error.place.clone()), error.hint());
    }

    fn keep(&self, error: RemoteError) {
        if self.strict {
            self.state().fault.get_or_insert(error);
        }
    }
}

/// The build's limit for an external step holds for each object.
fn go_on(context: &Context, started: Instant) -> Result<(), RemoteErrorKind> {
    if context.is_cancelled() {
        return Err(RemoteErrorKind::Cancelled);
    }
    match context.timeout {
        Some(limit) if started.elapsed() >= limit => Err(RemoteErrorKind::TimedOut { limit }),
        _ => Ok(()),
    }
}

fn object(kind: &str, digest: &Digest) -> String {
    let text = digest.to_string();
    format!("v1/{kind}/{}/{text}", &text[..2])
}
