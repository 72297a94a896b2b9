//! Writing an export: objects first, each whole or not at all, then the manifest and `SHA256SUMS`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use archive::FileBeside;
use vocab::{Digest, PlatformKey};

use super::fault::{ExportError, ExportErrorKind};
use super::import::Import;
use super::manifest::{EXPORT_FORMAT, ExportManifest, ExportedObject, ExportedRuntime, MANIFEST, NEXT_MANIFEST, SUMS};
use super::place::{ExportPlace, Objects, Taken, link_on_the_way, path_of, read_file};
use crate::remote::{ChosenInterpreter, RemoteSettings, RemoteStore};

/// Starts of temporary names beside the manifest.
const STAGED: &str = ".put-";

/// An export that is being made, or made larger.
#[derive(Debug)]
pub struct Growing {
    root: PathBuf,
    manifest: ExportManifest,
    /// What the manifest listed when it was opened.
    former: Objects,
    /// Objects that this run has seen whole or has written.
    seen: Taken,
    restarted: bool,
}

/// What one runtime, or one host, is given; see [`Growing::begin`].
#[derive(Debug)]
pub struct Given {
    /// What a build gives to it is in the export.
    pub remote: Arc<RemoteStore>,
    taken: Taken,
}

impl Given {
    /// Keys of what was given so far, or was there already.
    pub fn objects(&self) -> BTreeSet<String> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Growing {
    /// The export in this folder, which may be absent or empty. Writes nothing. A damaged manifest counts as none.
    ///
    /// # Errors
    /// A newer pydist made it, or the folder cannot be read.
    pub fn open(root: &Path, version: &str) -> Result<Self, ExportError> {
        let (mut manifest, restarted) = match Import::open(root) {
            Ok(import) => (import.into_manifest(), false),
            Err(ExportError { kind: ExportErrorKind::Absent, .. }) => (ExportManifest::default(), false),
            Err(error) if error.is_of_a_damaged_manifest() => (ExportManifest::default(), true),
            Err(error) => return Err(error),
        };
        manifest.format = EXPORT_FORMAT;
        version.clone_into(&mut manifest.pydist);
        let former = manifest.objects.clone();
        Ok(Self { root: root.to_owned(), manifest, former, seen: Taken::default(), restarted })
    }

    /// Whether there was a manifest that could not be used, so that only what is exported now will be listed.
    pub fn restarted(&self) -> bool {
        self.restarted
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether nothing is in it yet.
    pub fn is_empty(&self) -> bool {
        self.manifest.runtimes.is_empty()
    }

    /// Begins with another runtime or host.
    pub fn begin(&self) -> Given {
        let taken = Taken::default();
        let place = ExportPlace::to_grow(&self.root, self.former.clone(), Arc::clone(&taken), Arc::clone(&self.seen));
        let settings = RemoteSettings {
            address: self.root.display().to_string(),
            given: "--to",
            read_only: false,
            // What an export lacks must not go unnoticed.
            strict: true,
        };
        Given { remote: Arc::new(RemoteStore::new(Box::new(place), &settings)), taken }
    }

    /// Lists a runtime with what was given.
    pub fn add_runtime(&mut self, row: ExportedRuntime, given: &Given) {
        self.know(given);
        self.manifest.add(ExportedRuntime { objects: given.objects(), ..row });
    }

    /// Lists a host's tools.
    pub fn add_host(&mut self, host: PlatformKey, given: &Given) {
        self.know(given);
        self.manifest.hosts.entry(host).or_default().objects = given.objects();
    }

    /// Records which interpreter was chosen for a question.
    pub fn add_interpreter(&mut self, question: Digest, interpreter: ChosenInterpreter) {
        self.manifest.interpreters.insert(question, interpreter);
    }

    fn know(&mut self, given: &Given) {
        let taken: &Mutex<Objects> = &given.taken;
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.manifest.objects.extend(taken.iter().map(|(key, object)| (key.clone(), *object)));
    }

    /// Writes manifest and sums. What is in the folder until then is not part of the export. The second value names the
    /// runtimes of earlier exports that are no longer whole, and so no longer listed.
    pub fn finish(mut self) -> Result<(ExportManifest, Vec<String>), ExportError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_there = |key: &str, object: &ExportedObject| {
            seen.contains_key(key)
                || link_on_the_way(&self.root, key).is_none()
                    && std::fs::metadata(path_of(&self.root, key)).is_ok_and(|found| found.len() == object.size)
        };
        let lost = self.manifest.drop_what_lacks(is_there);
        self.manifest.drop_unused();
        let text = self.manifest.text();
        let sums = self.manifest.sums(text.as_bytes());
        if read_file(&self.root, MANIFEST).is_ok_and(|former| former == text.as_bytes()) {
            self.put(SUMS, &sums)?;
            return Ok((self.manifest, lost));
        }
        // The sums decide which of two manifests counts, so an interruption leaves one export or the other.
        self.put(NEXT_MANIFEST, &text)?;
        self.put(SUMS, &sums)?;
        let next = self.root.join(NEXT_MANIFEST);
        archive::rename(&next, &self.root.join(MANIFEST)).map_err(|source| self.failed(MANIFEST, source))?;
        Ok((self.manifest, lost))
    }

    fn put(&self, name: &str, text: &str) -> Result<(), ExportError> {
        let target = self.root.join(name);
        if read_file(&self.root, name).is_ok_and(|former| former == text.as_bytes()) {
            return Ok(());
        }
        let write = || {
            let mut staged = FileBeside::beside(&target, STAGED)?;
            staged.write_all(text.as_bytes())?;
            staged.as_file().sync_all()?;
            staged.replace(&target)
        };
        write().map_err(|source| self.failed(name, source))
    }

    fn failed(&self, name: &str, source: std::io::Error) -> ExportError {
        ExportError { dir: self.root.clone(), kind: ExportErrorKind::Write { name: name.to_owned(), source } }
    }
}
