//! What has been published already, by build key: read from a catalogue, or from the manifests of a folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use catalogue::{Catalogue, ReadError};
use vocab::{Digest, Fault, VersionString};

use super::MatrixCell;

/// The build keys of everything published, by version and platform. The default holds nothing.
#[derive(Clone, Debug, Default)]
pub struct PublishedKeys(BTreeSet<(MatrixCell, Digest)>);

/// A catalogue or folder that cannot be read.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot read what is published in `{}`", path.display())]
#[fault(transparent = kind)]
pub struct PublishedError {
    pub path: PathBuf,
    #[source]
    pub kind: PublishedErrorKind,
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_PUBLISHED", Usage, hint("name a catalogue.json, or a folder with one or with the manifests of artifacts"))]
pub enum PublishedErrorKind {
    #[error("it cannot be read")]
    #[fault(Build)]
    Read(#[source] io::Error),
    #[error(transparent)]
    Catalogue(ReadError),
}

impl PublishedKeys {
    /// Reads a catalogue file; or a folder: its `catalogue.json`, or without one every manifest.
    pub fn read(path: &Path) -> Result<Self, PublishedError> {
        let folder_catalogue = path.join("catalogue.json");
        if path.is_dir() && !folder_catalogue.is_file() {
            return Ok(Self(manifests(path).collect()));
        }
        let file = if path.is_dir() { folder_catalogue } else { path.to_owned() };
        catalogue(&file).map(Self).map_err(|kind| PublishedError { path: file, kind })
    }

    /// Each once, sorted.
    pub fn versions(&self) -> impl Iterator<Item = &VersionString> {
        self.0.iter().map(|(cell, _)| &cell.version).collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether the cell is published under one of these keys.
    pub fn has(&self, cell: &MatrixCell, keys: &[Digest]) -> bool {
        keys.iter().any(|key| self.0.contains(&(cell.clone(), *key)))
    }
}

fn catalogue(file: &Path) -> Result<BTreeSet<(MatrixCell, Digest)>, PublishedErrorKind> {
    let text = fs::read(file).map_err(PublishedErrorKind::Read)?;
    let catalogue = Catalogue::read(&text).map_err(PublishedErrorKind::Catalogue)?;
    let rows = catalogue.entries.into_iter();
    Ok(rows.map(|row| (MatrixCell { version: row.runtime, platform: row.platform }, row.build_key)).collect())
}

/// Ignores other JSON files in the folder.
fn manifests(folder: &Path) -> impl Iterator<Item = (MatrixCell, Digest)> {
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json")).filter_map(|entry| {
        let manifest = archive::read_manifest(&fs::read(entry.path()).ok()?).ok()?;
        // A manifest without its artifact does not count.
        let artifact = entry.path().with_file_name(&manifest.artifact?.file);
        let cell = MatrixCell { version: manifest.runtime, platform: manifest.platform };
        artifact.is_file().then_some((cell, manifest.build_key))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use vocab::PlatformKey;

    use vocab::Exit;

    use super::*;

    #[test]
    fn a_catalogue_is_asked_by_version_platform_and_build_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = Digest::of("key");
        let mut catalogue: Value =
            serde_json::from_str(include_str!("../../../../fixtures/catalogue/catalogue-format-1.json")).unwrap();
        let entries = catalogue["entries"].as_array_mut().unwrap();
        entries.truncate(1);
        for (name, value) in
            [("runtime", json!("3.12.10")), ("platform", json!("linux-x64")), ("build_key", json!(key))]
        {
            entries[0][name] = value;
        }
        fs::write(folder.path().join("catalogue.json"), catalogue.to_string()).unwrap();
        let published = PublishedKeys::read(folder.path()).unwrap();
        let cell = |version: &str, platform| MatrixCell { version: version.parse().unwrap(), platform };
        assert!(published.has(&cell("3.12.10", PlatformKey::LinuxX64), &[Digest::of("other"), key]));
        assert!(!published.has(&cell("3.12.10", PlatformKey::WindowsX64), &[key]));
        assert!(!published.has(&cell("3.12.10-atls", PlatformKey::LinuxX64), &[key]));
        assert!(!published.has(&cell("3.12.10", PlatformKey::LinuxX64), &[]));
    }

    #[test]
    fn what_is_no_catalogue_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.json");
        let said = |text: &str| {
            fs::write(&file, text).unwrap();
            PublishedKeys::read(&file).unwrap_err().kind.to_string()
        };
        assert!(said("{").starts_with("the catalogue is malformed: line 1, column 1: not JSON: EOF"));
        assert_eq!(
            said(r#"{ "format": 9, "entries": [] }"#),
            "the catalogue has format 9, this program reads formats 1 to 2"
        );
        let lacks = "the catalogue is malformed: line 1, column 1: `entries` is missing";
        assert_eq!(said(r#"{ "format": 1 }"#), lacks);
        let absent = PublishedKeys::read(&folder.path().join("absent")).unwrap_err();
        assert_eq!((absent.code(), absent.exit()), ("E_PUBLISHED", Exit::Build));
        // A folder of other things has nothing published in it.
        assert!(PublishedKeys::read(folder.path()).unwrap().0.is_empty());
    }
}
