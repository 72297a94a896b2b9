//! The file into which an archive is fetched before it is extracted: in the staging folder, or in a folder of the
//! caller's, so that an interrupted fetch can continue.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use vocab::{Artifact, Digest};

use super::FetchErrorKind;
use crate::DeltaPlan;

pub(super) struct GrowingFile {
    pub path: PathBuf,
    pub file: File,
    /// Whether an earlier fetch wrote to it.
    pub begun: bool,
    kept: bool,
}

impl GrowingFile {
    /// A new file that is removed with its folder.
    pub fn staged(folder: &Path, artifact: &Artifact) -> Result<Self, FetchErrorKind> {
        let path = folder.join(&artifact.file);
        let created = File::options().read(true).write(true).create_new(true).open(&path);
        let file = created.map_err(|source| FetchErrorKind::Write { path: path.clone(), source })?;
        Ok(Self { path, file, begun: false, kept: false })
    }

    /// The file of this artifact and plan in `folder`. The caller ensures that only one process at a time has it open.
    pub fn kept(folder: &Path, artifact: &Artifact, plan: &DeltaPlan) -> Result<Self, FetchErrorKind> {
        let path = folder.join(format!("{}.part", name_of(artifact, plan).short()));
        let failed = |source: io::Error| FetchErrorKind::Write { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(failed)?;
        let begun = file.metadata().map_err(failed)?.len() > 0;
        Ok(Self { path, file, begun, kept: true })
    }

    /// It is no longer needed, or not to be trusted.
    pub fn discard(self) {
        let Self { path, file, kept, .. } = self;
        drop(file);
        if kept {
            // If it stays, the next fetch checks it byte by byte.
            let _ = fs::remove_file(path);
        }
    }
}

/// Another plan puts other bytes at other places.
fn name_of(artifact: &Artifact, plan: &DeltaPlan) -> Digest {
    let places = plan.pieces.iter().map(|piece| format!(" {}:{}:{}", piece.offset, piece.at, piece.size));
    Digest::of(format!("{}{}", artifact.sha256, places.collect::<String>()))
}
