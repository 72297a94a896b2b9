//! What is here already: older artifacts and installed prefixes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use vocab::{Artifact, Manifest, manifest_beside};

use super::{FetchErrorKind, FetchTarget};
use archive::pieces::check_places;
use archive::read_manifest;
use vocab::INNER_MANIFEST;

pub(super) struct OlderArtifacts {
    files: Vec<OlderFile>,
    pub(super) prefixes: Vec<OlderPrefix>,
}

pub(super) struct OlderFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    artifact: Artifact,
}

pub(super) struct OlderPrefix {
    pub(super) root: PathBuf,
    pub(super) manifest: Manifest,
}

impl OlderArtifacts {
    pub(super) fn read(paths: &[PathBuf], target: &FetchTarget) -> Result<Self, FetchErrorKind> {
        let mut older = Self { files: Vec::new(), prefixes: Vec::new() };
        for path in paths {
            if path.is_dir() {
                if !matches!(target, FetchTarget::Folder(_)) {
                    return Err(FetchErrorKind::PrefixForFile { path: path.clone() });
                }
                older.prefixes.push(prefix(path)?);
            } else {
                older.files.push(file(path)?);
            }
        }
        Ok(older)
    }

    pub(super) fn artifacts(&self) -> Vec<&Artifact> {
        self.files.iter().map(|older| &older.artifact).collect()
    }

    pub(super) fn file(&self, source: usize) -> Option<&OlderFile> {
        self.files.get(source)
    }
}

fn prefix(root: &Path) -> Result<OlderPrefix, FetchErrorKind> {
    let path = root.join(INNER_MANIFEST);
    let manifest = manifest(root, &path, "a prefix has its manifest inside")?;
    Ok(OlderPrefix { root: root.to_owned(), manifest })
}

fn file(path: &Path) -> Result<OlderFile, FetchErrorKind> {
    let refuse = |reason: String| FetchErrorKind::Older { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| refuse(format!("it cannot be read: {error}")))?;
    let manifest = manifest(path, &manifest_beside(path), "its parts are known by the manifest beside it alone")?;
    let artifact = manifest.artifact.ok_or_else(|| refuse("its manifest describes no artifact".to_owned()))?;
    check_places(&artifact).map_err(|error| refuse(error.to_string()))?;
    Ok(OlderFile { path: path.to_owned(), file, artifact })
}

/// The manifest at `path` of the artifact or prefix at `of`.
fn manifest(of: &Path, path: &Path, why: &str) -> Result<Manifest, FetchErrorKind> {
    let refuse = |reason: String| FetchErrorKind::Older { path: of.to_owned(), reason };
    let text =
        fs::read(path).map_err(|error| refuse(format!("{why}, and `{}` cannot be read: {error}", path.display())))?;
    read_manifest(&text).map_err(|error| refuse(format!("`{}`: {error}", path.display())))
}
