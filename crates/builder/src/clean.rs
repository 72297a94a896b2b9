//! `builder clean`: what builds made goes, what people wrote stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config_merger::Repository;
use vocab::{ArtifactName, Exit, Fault, VersionString};

use crate::prefix_folder::remove_tree;

#[derive(Debug, thiserror::Error)]
#[error("cannot remove `{}`", path.display())]
pub struct CleanError {
    pub path: PathBuf,
    pub source: io::Error,
}

impl Fault for CleanError {
    fn code(&self) -> &'static str {
        "E_CLEAN"
    }

    fn exit(&self) -> Exit {
        Exit::Build
    }
}

/// Prefixes and logs of these versions and their artifacts in `out`. What was removed is returned, sorted.
pub fn clean(repository: &Repository, versions: &[VersionString], out: &Path) -> Result<Vec<PathBuf>, CleanError> {
    let mut removed = Vec::new();
    for version in versions {
        let folder = repository.root().join(version.folder_name());
        for made in ["pydist", "logs"] {
            let path = folder.join(made);
            if path.exists() {
                remove_tree(&path).map_err(|source| CleanError { path: path.clone(), source })?;
                removed.push(path);
            }
        }
    }
    for entry in fs::read_dir(out).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let artifact = name.strip_suffix(".json").unwrap_or(&name).parse::<ArtifactName>();
        // The name carries the Python that is inside, which for a stand-in is not the version's own.
        let of_version = |artifact: &ArtifactName| {
            versions.iter().any(|it| it.artifact_key() == artifact.key && it.python().same_series(artifact.python))
        };
        if artifact.is_ok_and(|artifact| of_version(&artifact)) {
            fs::remove_file(entry.path()).map_err(|source| CleanError { path: entry.path(), source })?;
            removed.push(entry.path());
        }
    }
    removed.sort();
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_builds_made_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        fs::write(root.join("shared-config.json"), "{}").unwrap();
        let files = [
            // (path, kept)
            ("python-3.12.10/config.json", true),
            ("python-3.12.10/pydist/linux-x64/bin/python3", false),
            ("python-3.12.10/logs/x.log", false),
            ("python-3.10.11/pydist/linux-x64/bin/python3", true),
            ("dist/pydist-python-3.12.1-linux-x86_64.tar.zst", false),
            ("dist/pydist-python-3.12.1-linux-x86_64.tar.zst.json", false),
            ("dist/pydist-atls-3.12.1-linux-x86_64.tar.zst", true),
            ("dist/notes.txt", true),
        ];
        for (path, _) in files {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "").unwrap();
        }
        let repository = Repository::find(root).unwrap();
        let removed = clean(&repository, &["3.12.10".parse().unwrap()], &root.join("dist")).unwrap();
        assert_eq!(removed.len(), 4);
        for (path, kept) in files {
            assert_eq!(root.join(path).exists(), kept, "for {path}");
        }
    }
}
