//! The manifest as text. What is in it belongs to [`vocab::Manifest`].

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vocab::typed_json::{self, TypedJsonError};
use vocab::{Fault, FileName, FileNameError, MANIFEST_FORMAT, Manifest};

use crate::staged_names::STAGED_MANIFEST;
use disk::FileBeside;

/// Reads what [`write_manifest`] wrote, and older formats. Another format number is refused before anything else is
/// read, since nothing else can be relied on then.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    #[derive(Deserialize)]
    struct NumberedManifest {
        format: u64,
    }
    let document = typed_json::parse(bytes)?;
    let numbered: NumberedManifest = document.read()?;
    if !(1..=u64::from(MANIFEST_FORMAT)).contains(&numbered.format) {
        return Err(ManifestError::Format { found: numbered.format, known: MANIFEST_FORMAT });
    }
    let manifest: Manifest = document.read()?;
    if let Some(artifact) = &manifest.artifact {
        // Readers look for the artifact beside the manifest, and must not be led elsewhere.
        artifact.file.parse::<FileName>().map_err(ManifestError::FileName)?;
    }
    Ok(manifest)
}

/// Canonical: fields in the order of the type, two spaces for each level, one newline at the end.
pub fn write_manifest(manifest: &Manifest) -> String {
    let mut text = serde_json::to_string_pretty(manifest).expect("all keys are strings, and nothing here can fail");
    text.push('\n');
    text
}

/// Written beside `path`, then renamed to it.
pub fn save_manifest(path: &Path, manifest: &Manifest) -> Result<(), ManifestError> {
    stage_manifest(path, manifest)?.persist()
}

/// Like [`save_manifest`], but `path` stays as it is until the caller persists the result.
pub fn stage_manifest(path: &Path, manifest: &Manifest) -> Result<StagedManifest, ManifestError> {
    let write = || -> io::Result<FileBeside> {
        let mut beside = FileBeside::beside(path, STAGED_MANIFEST)?;
        beside.write_all(write_manifest(manifest).as_bytes())?;
        Ok(beside)
    };
    let file = write().map_err(|source| ManifestError::Write { path: path.to_owned(), source })?;
    Ok(StagedManifest { file, path: path.to_owned() })
}

/// A complete manifest under a temporary name. Dropping it removes it.
#[derive(Debug)]
pub struct StagedManifest {
    file: FileBeside,
    path: PathBuf,
}

impl StagedManifest {
    /// Moves the manifest to its path, replacing what is there.
    pub fn persist(self) -> Result<(), ManifestError> {
        let Self { file, path } = self;
        file.replace(&path).map_err(|source| ManifestError::Write { path, source })
    }
}

/// Why a manifest was not written, or is not believed.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Trust)]
pub enum ManifestError {
    #[error("cannot write the manifest `{}`", path.display())]
    #[fault("E_MANIFEST_WRITE", Build)]
    Write { path: PathBuf, source: io::Error },
    #[error("the manifest has format {found}, this program reads formats 1 to {known}")]
    #[fault("E_MANIFEST_FORMAT", hint_with = Self::hint_of_format)]
    Format { found: u64, known: u32 },
    #[error("the manifest is malformed: {source}")]
    #[fault("E_MANIFEST_MALFORMED", hint("fetch the artifact and its manifest again, or build the runtime again"))]
    Shape {
        #[from]
        source: TypedJsonError,
    },
    #[error("the manifest's artifact has an invalid name: {0}")]
    #[fault("E_MANIFEST_MALFORMED")]
    FileName(FileNameError),
}

impl ManifestError {
    fn hint_of_format(&self) -> Option<String> {
        let Self::Format { found, known } = self else { return None };
        let hint = match *found > u64::from(*known) {
            true => "it was written by a newer version; update this program",
            false => "build the runtime again with this version",
        };
        Some(hint.to_owned())
    }
}
