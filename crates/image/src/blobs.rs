//! The folder of blobs of a layout that is being written.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use vocab::{Digest, DigestWriter};

use crate::error::ImageErrorKind;
use crate::oci::Descriptor;

pub(crate) const BLOBS: &str = "blobs/sha256";

pub(crate) struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// In a layout that holds nothing yet.
    pub(crate) fn new(layout: &Path) -> Result<Self, ImageErrorKind> {
        let folder = layout.join(BLOBS);
        disk::make_folders(&folder).map_err(ImageErrorKind::write(&folder))?;
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn place(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }

    pub(crate) fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, ImageErrorKind> {
        let digest = Digest::of(bytes);
        write_file(&self.place(&digest), bytes)?;
        Ok(Descriptor::new(media_type, &digest, bytes.len() as u64))
    }

    /// Copies a blob of another layout, and compares it with its digest on the way.
    pub(crate) fn copy(&self, from: &Path, expected: &Digest) -> Result<(), ImageErrorKind> {
        let place = self.place(expected);
        let read = |source: io::Error| ImageErrorKind::Base {
            path: from.to_owned(),
            reason: format!("it cannot be read: {source}"),
        };
        let mut source = File::open(from).map_err(read)?;
        let target = File::create(&place).map_err(ImageErrorKind::write(&place))?;
        let mut writer = DigestWriter::new(target);
        io::copy(&mut source, &mut writer).map_err(ImageErrorKind::write(&place))?;
        let (_, actual) = writer.finish();
        if actual == *expected {
            return Ok(());
        }
        Err(ImageErrorKind::BaseDamaged { path: from.to_owned(), expected: *expected, actual })
    }
}

pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ImageErrorKind> {
    let written = File::create(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(ImageErrorKind::write(path))
}
