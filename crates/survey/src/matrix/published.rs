//! What has been published already, by build key: read from a catalogue, or from the manifests of a folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vocab::{Digest, Exit, Fault, PlatformKey, VersionString};

use super::Cell;

/// What this asks of a catalogue; it tells much more.
const CATALOGUE_FORMAT: u64 = 1;

#[derive(Clone, Debug, Default)]
pub struct Published(BTreeSet<(Cell, Digest)>);

#[derive(Debug, thiserror::Error)]
#[error("cannot read what is published in `{}`", path.display())]
pub struct PublishedError {
    pub path: PathBuf,
    #[source]
    pub kind: PublishedErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum PublishedErrorKind {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is no catalogue")]
    Shape(#[source] serde_json::Error),
    #[error("its format is {actual}, this builder reads {CATALOGUE_FORMAT}")]
    Format { actual: u64 },
}

impl Fault for PublishedError {
    fn code(&self) -> &'static str {
        "E_PUBLISHED"
    }

    fn exit(&self) -> Exit {
        match self.kind {
            PublishedErrorKind::Read(_) => Exit::Build,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("name a catalogue.json, or a folder that holds one or the manifests of artifacts".into())
    }
}

#[derive(Deserialize)]
struct Head {
    format: u64,
}

#[derive(Deserialize)]
struct Catalogue {
    entries: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    runtime: VersionString,
    platform: PlatformKey,
    build_key: Digest,
}

impl Published {
    /// A catalogue's file; or a folder, in which `catalogue.json` is asked first, and without it every manifest.
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

    pub fn has(&self, cell: &Cell, keys: &[Digest]) -> bool {
        keys.iter().any(|key| self.0.contains(&(cell.clone(), *key)))
    }
}

fn catalogue(file: &Path) -> Result<BTreeSet<(Cell, Digest)>, PublishedErrorKind> {
    let text = fs::read(file).map_err(PublishedErrorKind::Read)?;
    let head: Head = serde_json::from_slice(&text).map_err(PublishedErrorKind::Shape)?;
    if head.format != CATALOGUE_FORMAT {
        return Err(PublishedErrorKind::Format { actual: head.format });
    }
    let catalogue: Catalogue = serde_json::from_slice(&text).map_err(PublishedErrorKind::Shape)?;
    let rows = catalogue.entries.into_iter();
    Ok(rows.map(|row| (Cell { version: row.runtime, platform: row.platform }, row.build_key)).collect())
}

/// Other JSON files in the folder are none of this one's business.
fn manifests(folder: &Path) -> impl Iterator<Item = (Cell, Digest)> {
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json")).filter_map(|entry| {
        let manifest = archive::read_manifest(&fs::read(entry.path()).ok()?).ok()?;
        // Without its artifact a manifest promises nothing.
        let artifact = entry.path().with_file_name(&manifest.artifact?.file);
        let cell = Cell { version: manifest.runtime, platform: manifest.platform };
        artifact.is_file().then_some((cell, manifest.build_key))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_catalogue_is_asked_by_version_platform_and_build_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = Digest::of("key");
        let entry = json!({ "runtime": "3.12.10", "platform": "linux-x64", "build_key": key, "channel": "stable" });
        let text = json!({ "format": 1, "entries": [entry], "retracted": [] }).to_string();
        fs::write(folder.path().join("catalogue.json"), text).unwrap();
        let published = Published::read(folder.path()).unwrap();
        let cell = |version: &str, platform| Cell { version: version.parse().unwrap(), platform };
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
            Published::read(&file).unwrap_err().kind.to_string()
        };
        assert_eq!(said("{"), "it is no catalogue");
        assert_eq!(said(r#"{ "format": 9, "entries": [] }"#), "its format is 9, this builder reads 1");
        assert_eq!(said(r#"{ "format": 1 }"#), "it is no catalogue");
        let absent = Published::read(&folder.path().join("absent")).unwrap_err();
        assert_eq!((absent.code(), absent.exit()), ("E_PUBLISHED", Exit::Build));
        // A folder of other things has nothing published in it.
        assert!(Published::read(folder.path()).unwrap().0.is_empty());
    }
}
