//! Writing an export: objects first, each whole or not at all, then the manifest and `SHA256SUMS`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use disk::FileBeside;
use vocab::PlatformKey;

use super::export_place::{ExportPlace, Taken, link_on_the_way, path_of, read_file};
use super::fault::{ExportError, ExportErrorKind};
use super::folder_lock::{self, LOCK};
use super::import::Import;
use super::manifest::{
    EXPORT_FORMAT, ExportManifest, ExportedHost, ExportedObject, ExportedRuntime, MANIFEST, NEXT_MANIFEST, SUMS,
};
use crate::remote::{RemoteSettings, RemoteStore};

/// Starts of temporary names beside the manifest.
const STAGED: &str = ".put-";

/// An export that is being made, or made larger.
#[derive(Debug)]
pub struct Growing {
    root: PathBuf,
    /// What the manifest listed when it was opened.
    former: ExportManifest,
    /// Objects that this run has seen whole or has written.
    seen: Taken,
    restarted: bool,
    /// What this run adds. Another export may write the manifest meanwhile.
    runtimes: Vec<ExportedRuntime>,
    hosts: BTreeMap<PlatformKey, ExportedHost>,
}

/// What one build, or one host, is given; see [`Growing::begin`].
#[derive(Debug)]
pub struct Given {
    /// What a build gives to it is in the export.
    pub remote: Arc<RemoteStore>,
    taken: Taken,
}

/// An export whose manifest is written.
#[derive(Debug)]
pub struct FinishedExport {
    pub manifest: ExportManifest,
    /// Runtimes of earlier exports that are no longer whole, and so no longer listed.
    pub lost: Vec<String>,
    /// The file system has no locks: another export that ended at the same moment may have written over this one.
    pub unlocked: bool,
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
    /// A newer pydist made it, the folder cannot be read, or what it holds is not an export's.
    pub fn open(root: &Path) -> Result<Self, ExportError> {
        let foreign = folder_lock::foreign(root);
        let (former, restarted) = match Import::open(root) {
            Ok(import) => (import.into_manifest(), false),
            Err(ExportError { kind: ExportErrorKind::Absent, .. }) if foreign.is_empty() => {
                (ExportManifest::default(), false)
            }
            Err(error @ ExportError { kind: ExportErrorKind::Newer { .. }, .. }) => return Err(error),
            Err(_) if !foreign.is_empty() && !foreign.contains(&MANIFEST) => {
                return Err(ExportError { dir: root.to_owned(), kind: ExportErrorKind::Foreign { names: foreign } });
            }
            Err(error) if error.is_of_a_damaged_manifest() => (ExportManifest::default(), true),
            Err(error) => return Err(error),
        };
        let (runtimes, hosts) = (Vec::new(), BTreeMap::new());
        Ok(Self { root: root.to_owned(), former, seen: Taken::default(), restarted, runtimes, hosts })
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
        self.former.runtimes.is_empty() && self.runtimes.is_empty()
    }

    /// Begins with another build or host.
    pub fn begin(&self) -> Given {
        let taken = Taken::default();
        let listed = self.former.objects.clone();
        let place = ExportPlace::to_grow(&self.root, listed, Arc::clone(&taken), Arc::clone(&self.seen));
        let settings = RemoteSettings {
            address: self.root.display().to_string(),
            given: "--to",
            read_only: false,
            // What an export lacks must not go unnoticed.
            strict: true,
        };
        Given { remote: Arc::new(RemoteStore::new(Box::new(place), &settings)), taken }
    }

    /// Lists a runtime. Its objects were given.
    pub fn add_runtime(&mut self, row: ExportedRuntime) {
        self.runtimes.push(row);
    }

    /// Lists a host's tools.
    pub fn add_host(&mut self, host: PlatformKey, given: &Given) {
        self.hosts.insert(host, ExportedHost { objects: given.objects() });
    }

    /// Writes manifest and sums, for which `version` is the program's. What is in the folder until then is not part of
    /// the export. What another export has added since this one was opened stays.
    ///
    /// # Errors
    /// The folder cannot be written, or a newer pydist has added to it meanwhile.
    pub fn finish(self, version: &str) -> Result<FinishedExport, ExportError> {
        let locked = folder_lock::take(&self.root).map_err(|source| self.failed(LOCK, source))?;
        let mut manifest = match Import::open(&self.root) {
            Ok(import) => import.into_manifest(),
            Err(error @ ExportError { kind: ExportErrorKind::Newer { .. }, .. }) => return Err(error),
            Err(_) => self.former.clone(),
        };
        manifest.format = EXPORT_FORMAT;
        version.clone_into(&mut manifest.pydist);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        manifest.objects.extend(seen.iter().map(|(key, object)| (key.clone(), *object)));
        self.runtimes.iter().for_each(|row| manifest.add(row.clone()));
        manifest.hosts.extend(self.hosts.iter().map(|(host, tools)| (*host, tools.clone())));
        let is_there = |key: &str, object: &ExportedObject| {
            seen.contains_key(key)
                || link_on_the_way(&self.root, key).is_none()
                    && std::fs::metadata(path_of(&self.root, key)).is_ok_and(|found| found.len() == object.size)
        };
        let lost = manifest.drop_what_lacks(is_there);
        manifest.drop_unused();
        self.write(&manifest)?;
        Ok(FinishedExport { manifest, lost, unlocked: locked.is_none() })
    }

    fn write(&self, manifest: &ExportManifest) -> Result<(), ExportError> {
        let text = manifest.text();
        let sums = manifest.sums(text.as_bytes());
        if read_file(&self.root, MANIFEST).is_ok_and(|former| former == text.as_bytes()) {
            return self.put(SUMS, &sums);
        }
        // The sums decide which of two manifests counts, so an interruption leaves one export or the other.
        self.put(NEXT_MANIFEST, &text)?;
        self.put(SUMS, &sums)?;
        let next = self.root.join(NEXT_MANIFEST);
        disk::rename(&next, &self.root.join(MANIFEST)).map_err(|source| self.failed(MANIFEST, source))
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
