//! The folder of an export as a place of objects: read, it has what its manifest lists and nothing else; written, it
//! takes what is missing or damaged, and remembers what was asked for.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use objects::{
    ExpectedState, FolderPlace, Leftover, ListedObject, Object, ObjectHead, ObjectKey, ObjectUpload, Place, PlaceError,
    PlaceErrorKind, PutOutcome, ReplaceOutcome, Result, TransferWatch, TransferWork, Turn, UploadOutcome,
    WaitingPublisher,
};
use vocab::{Digest, DigestWriter};

use super::folder_lock;
use super::manifest::ExportedObject;

/// By key.
pub(super) type Objects = BTreeMap<String, ExportedObject>;

/// Where a growing export keeps what was given to it.
pub(super) type Taken = Arc<Mutex<Objects>>;

/// See the module's text.
#[derive(Debug)]
pub(super) struct ExportPlace {
    folder: FolderPlace,
    root: PathBuf,
    /// What the manifest lists.
    listed: Objects,
    /// Absent if it is only read.
    growth: Option<Growth>,
}

#[derive(Debug)]
struct Growth {
    /// What this runtime or host asked for.
    taken: Taken,
    /// What is whole, as this run has seen, for whatever else asks for it.
    seen: Taken,
}

impl Growth {
    fn note(&self, key: &ObjectKey, object: ExportedObject) {
        for objects in [&self.taken, &self.seen] {
            objects.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_string(), object);
        }
    }

    fn seen(&self, key: &ObjectKey) -> Option<ExportedObject> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(key.as_str()).copied()
    }
}

impl ExportPlace {
    pub(super) fn to_read(root: &Path, listed: Objects) -> Self {
        Self { folder: FolderPlace::new(root.to_owned()), root: root.to_owned(), listed, growth: None }
    }

    pub(super) fn to_grow(root: &Path, listed: Objects, taken: Taken, seen: Taken) -> Self {
        Self { growth: Some(Growth { taken, seen }), ..Self::to_read(root, listed) }
    }

    fn folder(&self) -> &dyn Place {
        &self.folder
    }

    fn is_listed(&self, key: &ObjectKey) -> bool {
        self.growth.is_none() && self.listed.contains_key(key.as_str())
    }

    fn refused(&self, action: &'static str, key: &ObjectKey) -> PlaceError {
        let kind = PlaceErrorKind::GivenUp { reason: "an export is only read, or given whole files".to_owned() };
        PlaceError { action, key: Some(key.to_string()), place: self.place().to_owned(), kind }
    }
}

impl ExportPlace {
    fn refuse_link(&self, key: &ObjectKey) -> Result<()> {
        let Some(path) = link_on_the_way(&self.root, key.as_str()) else { return Ok(()) };
        self.damaged(key, format!("`{}` is a link", path.display()))
    }

    fn compare(&self, key: &ObjectKey, found: Digest) -> Result<()> {
        match self.listed.get(key.as_str()) {
            Some(listed) if listed.sha256 != found => {
                self.damaged(key, format!("its SHA-256 is {found}, and the export's manifest says {}", listed.sha256))
            }
            _ => Ok(()),
        }
    }

    fn damaged<T>(&self, key: &ObjectKey, said: String) -> Result<T> {
        let kind = PlaceErrorKind::Checksum { said };
        Err(PlaceError { action: "read", key: Some(key.to_string()), place: self.place().to_owned(), kind })
    }
}

/// Path of an object, whose key has no component beginning with a dot.
pub(super) fn path_of(root: &Path, key: &str) -> PathBuf {
    key.split('/').fold(root.to_owned(), |path, component| path.join(component))
}

/// The first link on the way from the folder to the object. An export has none: what is behind one is not part of it.
pub(super) fn link_on_the_way(root: &Path, key: &str) -> Option<PathBuf> {
    let mut path = root.to_owned();
    key.split('/').find_map(|component| {
        path.push(component);
        fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()).then(|| path.clone())
    })
}

/// What is at this key, read to the end. The error is what is wrong with it.
pub(super) fn look_at(root: &Path, key: &str) -> std::result::Result<ExportedObject, String> {
    if let Some(link) = link_on_the_way(root, key) {
        let shown = link.strip_prefix(root).unwrap_or(&link).display().to_string();
        return Err(format!("`{shown}` is a link"));
    }
    let file = match vocab::open_regular(&path_of(root, key)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("is missing".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let (sha256, size) = Digest::of_reader(file).map_err(|error| error.to_string())?;
    Ok(ExportedObject { size, sha256 })
}

impl Place for ExportPlace {
    fn place(&self) -> &str {
        self.folder().place()
    }

    fn get(&self, key: &ObjectKey) -> Result<Option<Object>> {
        if !self.is_listed(key) {
            return Ok(None);
        }
        self.refuse_link(key)?;
        let object = self.folder().get(key)?;
        match &object {
            Some(found) => self.compare(key, Digest::of(&found.bytes)).map(|()| object),
            None => Ok(None),
        }
    }

    /// The whole of what the manifest lists, compared with it.
    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> Result<Option<u64>> {
        if !self.is_listed(key) {
            return Ok(None);
        }
        if range.is_some() {
            return Err(self.refused("read a part of", key));
        }
        self.refuse_link(key)?;
        let mut to = DigestWriter::new(to);
        let Some(size) = self.folder().read(key, None, &mut to, watch)? else { return Ok(None) };
        self.compare(key, to.finish().1).map(|()| Some(size))
    }

    /// A growing export has what is sound: a blob by its name, anything else by what the former manifest says.
    fn head(&self, key: &ObjectKey) -> Result<Option<ObjectHead>> {
        let Some(growth) = &self.growth else {
            return if self.is_listed(key) { self.folder().head(key) } else { Ok(None) };
        };
        if let Some(object) = growth.seen(key) {
            growth.note(key, object);
            return self.folder().head(key);
        }
        let Ok(found) = look_at(&self.root, key.as_str()) else { return Ok(None) };
        let by_name = key.as_str().starts_with("v1/blobs/") && key.file_name() == found.sha256.to_string();
        if !by_name && self.listed.get(key.as_str()) != Some(&found) {
            return Ok(None);
        }
        growth.note(key, found);
        self.folder().head(key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ListedObject>> {
        self.folder().list(prefix)
    }

    fn create(&self, key: &ObjectKey, _bytes: &[u8]) -> Result<PutOutcome> {
        Err(self.refused("create", key))
    }

    fn replace(&self, key: &ObjectKey, _bytes: &[u8], _expected: &ExpectedState) -> Result<ReplaceOutcome> {
        Err(self.refused("replace", key))
    }

    fn delete(&self, key: &ObjectKey) -> Result<bool> {
        Err(self.refused("delete", key))
    }

    fn try_turn(&self, waiting: &mut WaitingPublisher) -> Result<Option<Box<dyn Turn + '_>>> {
        self.folder().try_turn(waiting)
    }

    /// Replaces what stands there: [`Self::head`] found it damaged. A link on the way is removed, its target untouched.
    fn upload(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> Result<UploadOutcome> {
        let Some(growth) = &self.growth else { return Err(self.refused("write", upload.key)) };
        folder_lock::mark(&self.root).map_err(|source| PlaceError {
            action: "write",
            key: Some(upload.key.to_string()),
            place: self.place().to_owned(),
            kind: PlaceErrorKind::Disk { action: "mark", path: self.root.clone(), source },
        })?;
        while let Some(link) = link_on_the_way(&self.root, upload.key.as_str()) {
            fs::remove_file(&link).or_else(|_| fs::remove_dir(&link)).map_err(|source| PlaceError {
                action: "write",
                key: Some(upload.key.to_string()),
                place: self.place().to_owned(),
                kind: PlaceErrorKind::Disk { action: "remove", path: link, source },
            })?;
        }
        let upload = ObjectUpload { overwrite: true, former: None, ..*upload };
        let uploaded = self.folder().upload(&upload, work)?;
        growth.note(upload.key, ExportedObject { size: upload.size, sha256: upload.sha256 });
        Ok(uploaded)
    }

    fn leftovers(&self, before: SystemTime, dry_run: bool) -> Result<Vec<Leftover>> {
        self.folder().leftovers(before, dry_run)
    }

    fn conditional_puts(&self) -> Result<bool> {
        Ok(true)
    }
}

/// One of the two files beside the objects. A link is refused like anything else that is not a file.
pub(super) fn read_file(root: &Path, name: &str) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    if link_on_the_way(root, name).is_some() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is a link"));
    }
    let mut bytes = Vec::new();
    vocab::open_regular(&root.join(name))?.take(LARGEST_MANIFEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A row is a few hundred bytes; this is for a million of them.
const LARGEST_MANIFEST: u64 = 512 << 20;
