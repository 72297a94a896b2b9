//! `builder clean`: removes what builds made and keeps everything else. Files are recognised by the names that builds
//! give; of a link only the link itself is removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config_merger::Repository;
use vocab::{ArtifactName, Fault, MANIFEST_SUFFIX, PlatformKey, VersionString};

use crate::prefix_folder::PrefixFolder;

/// Something that cannot be removed.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot remove `{}`", path.display())]
#[fault("E_CLEAN", Build)]
pub struct CleanError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// Prefixes and logs of these versions, their artifacts in `out`, and what killed builds left there. What was removed
/// is returned, sorted.
pub fn clean(repository: &Repository, versions: &[VersionString], out: &Path) -> Result<Vec<PathBuf>, CleanError> {
    let mut removed = Vec::new();
    for version in versions {
        let folder = repository.root().join(version.folder_name());
        let prefixes = folder.join("pydist");
        for platform in PlatformKey::ALL {
            let cleaned = PrefixFolder::clean(&prefixes, platform);
            let failed = |source| CleanError { path: prefixes.join(platform.as_str()), source };
            removed.extend(cleaned.map_err(failed)?);
        }
        remove_files(&folder.join("logs"), &is_log, &mut removed)?;
        // Only if nothing else is left in them.
        for emptied in [&prefixes, &folder.join("logs")] {
            let _ = fs::remove_dir(emptied);
        }
    }
    let of_version = |name: &str| {
        let artifact = name.strip_suffix(MANIFEST_SUFFIX).unwrap_or(name).parse::<ArtifactName>();
        // The name carries the Python that is inside, which for a stand-in is not the version's own.
        artifact.is_ok_and(|artifact| {
            versions.iter().any(|it| it.artifact_key() == artifact.key && it.python().same_series(artifact.python))
        })
    };
    remove_files(out, &of_version, &mut removed)?;
    removed.extend(archive::sweep_artifacts(out));
    removed.sort();
    Ok(removed)
}

/// `build.jsonl` and `build-<platform>.jsonl` of builds, `wheel-build-<name>.log` of sources, `resolve-<platform>.log`.
fn is_log(name: &str) -> bool {
    let of_build = name.strip_prefix("build").and_then(|rest| rest.strip_suffix(".jsonl"));
    let of_platform = |rest: &str| rest.strip_prefix('-').is_some_and(|key| key.parse::<PlatformKey>().is_ok());
    of_build.is_some_and(|rest| rest.is_empty() || of_platform(rest))
        || name.strip_suffix(".log").is_some_and(|log| {
            log.starts_with("wheel-build-")
                || log.strip_prefix("resolve-").is_some_and(|key| key.parse::<PlatformKey>().is_ok())
        })
}

/// Files and links of these names; a folder never counts. An absent folder is empty.
fn remove_files(folder: &Path, is_ours: &dyn Fn(&str) -> bool, removed: &mut Vec<PathBuf>) -> Result<(), CleanError> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder && is_ours(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            fs::remove_file(&path).map_err(|source| CleanError { path: path.clone(), source })?;
            removed.push(path);
        }
    }
    Ok(())
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
            ("python-3.12.10/logs/build-linux-x64.jsonl", false),
            ("python-3.12.10/logs/wheel-build-demo.log", false),
            ("python-3.10.11/pydist/linux-x64/bin/python3", true),
            ("dist/pydist-python-3.12.1-linux-x86_64.tar.zst", false),
            ("dist/pydist-python-3.12.1-linux-x86_64.tar.zst.json", false),
            ("dist/pydist-atls-3.12.1-linux-x86_64.tar.zst", true),
            ("dist/notes.txt", true),
            // Attack 1: somebody's own beside what builds made.
            ("python-3.12.10/pydist/notes/thesis.txt", true),
            ("python-3.12.10/pydist/solaris-x64/bin/python3", true),
            ("python-3.12.10/logs/diary.log", true),
            ("dist/pydist-python-3.12.2-linux-x86_64.tar.zst/a-folder", true),
        ];
        for (path, _) in files {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "").unwrap();
        }
        let repository = Repository::find(root).unwrap();
        let removed = clean(&repository, &["3.12.10".parse().unwrap()], &root.join("dist")).unwrap();
        assert_eq!(removed.len(), 5, "{removed:?}");
        for (path, kept) in files {
            assert_eq!(root.join(path).exists(), kept, "for {path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn attack_1_nothing_is_removed_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("repository");
        let home = place.path().join("home");
        for path in [root.join("python-3.12.10/pydist"), root.join("dist"), home.clone()] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(root.join("shared-config.json"), "{}").unwrap();
        fs::write(home.join("build.jsonl"), "mine").unwrap();
        let links = ["python-3.12.10/pydist/linux-x64", "dist/pydist-python-3.12.1-linux-x86_64.tar.zst"];
        for link in links {
            std::os::unix::fs::symlink(&home, root.join(link)).unwrap();
        }
        let repository = Repository::find(&root).unwrap();
        let removed = clean(&repository, &["3.12.10".parse().unwrap()], &root.join("dist")).unwrap();
        assert_eq!(removed.len(), 2, "the links themselves, but {removed:?}");
        assert_eq!(fs::read_to_string(home.join("build.jsonl")).unwrap(), "mine");
    }

    #[test]
    fn a_prefix_that_is_being_built_is_not_cleaned_away() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        fs::write(root.join("shared-config.json"), "{}").unwrap();
        let folder = root.join("python-3.12.10/pydist");
        let context = store::Context::quiet(root.join("store"));
        let held = PrefixFolder::hold(&context, &folder, PlatformKey::LinuxX64).unwrap();
        fs::write(held.stage().unwrap().join("x"), "").unwrap();
        let repository = Repository::find(root).unwrap();
        let error = clean(&repository, &["3.12.10".parse().unwrap()], &root.join("dist")).unwrap_err();
        assert_eq!(error.source.to_string(), "another builder is at work on it");
        assert!(folder.join(".linux-x64.staging/x").exists());
    }
}
