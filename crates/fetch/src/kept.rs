//! Where an archive grows that is extracted in the end: in the staging folder, or, so that an interrupted fetch can go
//! on, in a folder of the caller's.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use vocab::{Artifact, Digest};

use super::FetchErrorKind;
use crate::DeltaPlan;

pub(super) struct Growing {
    pub path: PathBuf,
    pub file: File,
    /// An earlier fetch wrote to it.
    pub begun: bool,
    kept: bool,
}

impl Growing {
    /// A new file that goes with its folder.
    pub fn staged(folder: &Path, artifact: &Artifact) -> Result<Self, FetchErrorKind> {
        let path = folder.join(&artifact.file);
        let created = File::options().read(true).write(true).create_new(true).open(&path);
        let file = created.map_err(|source| FetchErrorKind::Write { path: path.clone(), source })?;
        Ok(Self { path, file, begun: false, kept: false })
    }

    /// The file of this artifact and plan in `folder`. Only one process at a time may have it open: that is for the
    /// caller to see to.
    pub fn kept(folder: &Path, artifact: &Artifact, plan: &DeltaPlan) -> Result<Self, FetchErrorKind> {
        let path = folder.join(format!("{}.part", name_of(artifact, plan).short()));
        let failed = |source: io::Error| FetchErrorKind::Write { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(failed)?;
        let begun = file.metadata().map_err(failed)?.len() > 0;
        Ok(Self { path, file, begun, kept: true })
    }

    /// It is not needed any more, or not to be believed.
    pub fn discard(self) {
        let Self { path, file, kept, .. } = self;
        drop(file);
        if kept {
            // What stays is looked at by the next fetch, byte by byte.
            let _ = fs::remove_file(path);
        }
    }
}

/// Another plan puts other bytes to other places.
fn name_of(artifact: &Artifact, plan: &DeltaPlan) -> Digest {
    let places = plan.pieces.iter().map(|piece| format!(" {}:{}:{}", piece.offset, piece.at, piece.size));
    Digest::of(format!("{}{}", artifact.sha256, places.collect::<String>()))
}
