//! Where deltas are: which objects, and how they are read and written.

use std::fs::File;
use std::sync::atomic::AtomicU64;

use objects::{ExpectedState, ObjectKey, ObjectUpload, Place, PlaceAddress, PlaceErrorKind, TransferWork};
use store::Context;
use store::download::{self, FetchRequest};
use store::remote::{blob_key, place_at};
use vocab::{Digest, DigestWriter, Fault};

use super::record::{DeltaBlob, blobs};
use super::{DeltaError, DeltaFile, DeltaRecord};

/// No record is larger.
const LARGEST_RECORD: u64 = 4 << 20;

/// A place of deltas.
pub enum DeltaPlace {
    /// What a web server shows of a folder or bucket: its URL without `/` at the end.
    Server(String),
    Place(Box<dyn Place>),
}

/// The record with this digest.
pub(super) fn key_of(sha256: &Digest) -> ObjectKey {
    format!("deltas/{sha256}.json").parse().expect("letters and digits between slashes")
}

/// The record that was baked last for what has this name.
pub(super) fn key_for(name: &Digest) -> ObjectKey {
    format!("deltas/for/{name}.json").parse().expect("letters and digits between slashes")
}

impl DeltaPlace {
    /// `given` is the option or variable that holds the address. Touches no network.
    pub fn open(address: &str, given: &'static str, context: &Context) -> Result<Self, Box<dyn Fault>> {
        if address.starts_with("https://") || address.starts_with("http://") {
            return Ok(Self::Server(address.trim_end_matches('/').to_owned()));
        }
        let address = PlaceAddress::parse(address, given)?;
        Ok(Self::Place(place_at(&address, given, &context.environment, &context.downloader)?))
    }

    /// For messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Server(url) => download::without_secrets(url),
            Self::Place(place) => place.place().to_owned(),
        }
    }

    /// `None` if there is none.
    pub(super) fn record(&self, key: &ObjectKey, context: &Context) -> Result<Option<Vec<u8>>, Box<dyn Fault>> {
        match self {
            Self::Server(url) => match download::fetch_bytes(context, &format!("{url}/{key}"), LARGEST_RECORD) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.is_gone() => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::Place(place) => Ok(place.get(key)?.map(|object| object.bytes)),
        }
    }

    /// Has the wheels and their byte code in the store; what is there is not asked for. `arrived` is called with each wheel
    /// that is fetched, while others are.
    pub(super) fn bring(
        &self,
        files: &[DeltaFile],
        arrived: &(dyn Fn(&DeltaFile) + Sync),
        context: &Context,
    ) -> Result<(), Box<dyn Fault>> {
        let mut lacking = blobs(files);
        lacking.retain(|blob| !context.store.blob(&blob.sha256).is_file());
        let arrived = |index: usize| {
            let wheel = files.iter().find(|file| file.sha256 == lacking[index].sha256);
            wheel.into_iter().for_each(arrived);
        };
        match self {
            Self::Server(url) => {
                let request = |file: &DeltaBlob| FetchRequest {
                    url: format!("{url}/{}", blob_key(&file.sha256).as_str()),
                    file_name: file.name.clone(),
                    sha256: file.sha256,
                    size: Some(file.size),
                    largest: None,
                };
                let requests: Vec<FetchRequest> = lacking.iter().map(request).collect();
                download::fetch_each(context, &requests, AT_ONCE, &arrived)?;
                Ok(())
            }
            Self::Place(place) => {
                let bring = |(): &mut (), index: usize| {
                    self.bring_one(place.as_ref(), &lacking[index], context).map(|()| arrived(index))
                };
                vocab::side_by_side(AT_ONCE, lacking.len(), || (), bring).map(drop)
            }
        }
    }

    fn bring_one(&self, place: &dyn Place, file: &DeltaBlob, context: &Context) -> Result<(), Box<dyn Fault>> {
        let key = blob_key(&file.sha256);
        let damaged = |reason: String| DeltaError::Damaged {
            place: self.shown(),
            file: file.name.clone(),
            key: key.to_string(),
            reason,
        };
        let staged = context.store.stage_file()?;
        let failed = |source| DeltaError::Write { path: staged.path().to_owned(), source };
        let mut writer = DigestWriter::new(File::create_new(staged.path()).map_err(failed)?);
        let watch = || if context.is_cancelled() { Err(PlaceErrorKind::Cancelled) } else { Ok(()) };
        // One byte more than expected is enough to know.
        if place.read(&key, Some(0..file.size + 1), &mut writer, &watch)?.is_none() {
            return Err(damaged("it is missing".to_owned()).into());
        }
        let size = writer.size();
        let (_, actual) = writer.finish();
        if size != file.size {
            let more = if size > file.size { "more than the" } else { "fewer than the" };
            return Err(damaged(format!("it has {more} {} bytes that its record says", file.size)).into());
        }
        if actual != file.sha256 {
            return Err(damaged(format!("its SHA-256 is {actual}, expected {}", file.sha256)).into());
        }
        context.store.publish_file(staged, &context.store.blob(&file.sha256))?;
        Ok(())
    }

    /// Puts wheels of the store there with their byte code, then the record, then what leads to it. The number of bytes that were sent.
    pub(super) fn put(&self, record: &DeltaRecord, name: &Digest, context: &Context) -> Result<u64, Box<dyn Fault>> {
        let Self::Place(place) = self else { return Err(DeltaError::ReadOnly { address: self.shown() }.into()) };
        let watch = || if context.is_cancelled() { Err(PlaceErrorKind::Cancelled) } else { Ok(()) };
        let mut sent = 0;
        for file in blobs(&record.files) {
            let key = blob_key(&file.sha256);
            if place.head(&key)?.is_some_and(|head| head.size == file.size) {
                continue;
            }
            let path = context.store.blob(&file.sha256);
            let upload = ObjectUpload {
                key: &key,
                file: &path,
                size: file.size,
                sha256: file.sha256,
                former: None,
                // What has another size is not the wheel.
                overwrite: true,
                verdict: &|| Ok(()),
            };
            let work = TransferWork { tell: &|_| (), watch: &watch, next: &AtomicU64::new(0) };
            place.upload(&upload, &work)?;
            sent += file.size;
        }
        let text = record.text();
        for key in [key_of(&Digest::of(&text)), key_for(name)] {
            // If another was faster, it baked the same at the same time, and its record is as good.
            place.replace(&key, text.as_bytes(), &ExpectedState::Anything)?;
        }
        Ok(sent)
    }
}

/// Files that are fetched at once.
const AT_ONCE: usize = 8;
