//! The source: what it is, for the key, and its files in a folder of our own, for the build.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use archive::{ExtractErrorKind, ExtractLimits};
use serde::Serialize;
use vocab::{Digest, TreePath, with_causes};
use walkdir::WalkDir;

use super::git::{self, GitSource};
use super::{SourceBuild, SourceBuildErrorKind, SourceInput};
use resolve::work_tree::WorkTree;
use store::Context;

/// Equal for equal sources, wherever they came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SourceIdentity {
    Sdist {
        sha256: Digest,
    },
    Git {
        commit: String,
        subdirectory: Option<TreePath>,
    },
    Folder {
        sha256: Digest,
        /// Where the version comes from git: the commit and a digest of all tags.
        #[serde(skip_serializing_if = "Option::is_none")]
        git: Option<(String, Digest)>,
    },
}

impl SourceIdentity {
    pub(super) fn commit(&self) -> Option<&str> {
        match self {
            Self::Git { commit, .. } => Some(commit),
            _ => None,
        }
    }
}

pub(super) fn identify(
    context: &Context,
    build: &SourceBuild<'_>,
    log: &Path,
) -> Result<SourceIdentity, SourceBuildErrorKind> {
    match &build.source {
        SourceInput::Sdist { sha256, .. } => Ok(SourceIdentity::Sdist { sha256: *sha256 }),
        SourceInput::Folder { path } => {
            let git = WorkTree::read_by(path).map(|tree| (tree.commit, tree.tags));
            Ok(SourceIdentity::Folder { sha256: folder_digest(path)?, git })
        }
        SourceInput::Git { url, reference, commit, subdirectory } => {
            let source = GitSource::new(url)?;
            let subdirectory = subdirectory.map(|text| source.subdirectory(text)).transpose()?;
            let commit = match commit {
                Some(commit) => source.checked_commit(commit)?,
                None => git::resolve(context, &source, *reference, Some(log))?,
            };
            Ok(SourceIdentity::Git { commit, subdirectory })
        }
    }
}

/// Brings the source's files below `work`. The result is the folder with its `pyproject.toml` or `setup.py`.
pub(super) fn prepare(
    context: &Context,
    build: &SourceBuild<'_>,
    identity: &SourceIdentity,
    work: &Path,
    log: &Path,
) -> Result<PathBuf, SourceBuildErrorKind> {
    let folder = work.join("source");
    fs::create_dir(&folder).map_err(|error| SourceBuildErrorKind::disk("create", &folder, error))?;
    match (&build.source, identity) {
        (SourceInput::Sdist { path, file_name, .. }, _) => unpack(path, file_name, &folder),
        (SourceInput::Git { url, .. }, SourceIdentity::Git { commit, subdirectory }) => {
            git::check_out(context, &GitSource::new(url)?, commit, &folder, log, build.timeout)?;
            Ok(subdirectory.as_ref().map_or(folder.clone(), |below| below.below(&folder)))
        }
        (SourceInput::Folder { path }, _) => {
            let Some(tree) = WorkTree::read_by(path) else {
                copy_folder(path, &folder)?;
                return Ok(folder);
            };
            git::copy_work_tree(context, &tree, &folder, log, build.timeout)?;
            let site = folder.join(&tree.below);
            clear(&site)?;
            copy_folder(path, &site)?;
            Ok(site)
        }
        (SourceInput::Git { .. }, _) => unreachable!("a git source is identified by its commit"),
    }
}

/// An sdist holds one folder (PEP 625); that is returned.
fn unpack(path: &Path, file_name: &str, folder: &Path) -> Result<PathBuf, SourceBuildErrorKind> {
    let lower = file_name.to_ascii_lowercase();
    if ![".tar.gz", ".tgz", ".zip"].iter().any(|ending| lower.ends_with(ending)) {
        return Err(SourceBuildErrorKind::UnknownFormat { file_name: file_name.to_owned() });
    }
    let extracted = archive::extract_source(path, folder, ExtractLimits::default());
    extracted.map(|tree| tree.folder).map_err(|error| match error.kind {
        ExtractErrorKind::Read { source } => SourceBuildErrorKind::disk("read", path, source),
        ExtractErrorKind::Write { path, source } => SourceBuildErrorKind::disk("write", &path, source),
        kind => SourceBuildErrorKind::BadSdist { file_name: file_name.to_owned(), reason: with_causes(&kind) },
    })
}

/// Files that come and go without the source having changed.
fn is_source(entry: &walkdir::DirEntry) -> bool {
    !matches!(entry.file_name().to_str(), Some(".git" | "__pycache__" | ".DS_Store"))
}

/// Digest of the sorted paths, kinds and contents.
fn folder_digest(folder: &Path) -> Result<Digest, SourceBuildErrorKind> {
    let mut lines = String::new();
    for entry in entries(folder)? {
        let disk = |error| SourceBuildErrorKind::disk("read", entry.path(), error);
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        // Written escaped, so that a line break in a name cannot stand for another file.
        let line = if entry.path_is_symlink() {
            let target = fs::read_link(entry.path()).map_err(disk)?;
            format!("link {path:?} {target:?}\n")
        } else if entry.file_type().is_file() {
            let (digest, _) = File::open(entry.path()).and_then(Digest::of_reader).map_err(disk)?;
            format!("{} {path:?} {digest}\n", if is_executable(&entry) { "program" } else { "file" })
        } else {
            continue;
        };
        lines.push_str(&line);
    }
    Ok(Digest::of(lines))
}

/// Removes what is in a copy of the committed files: what is in the folder itself comes in their place.
fn clear(site: &Path) -> Result<(), SourceBuildErrorKind> {
    fs::create_dir_all(site).map_err(|error| SourceBuildErrorKind::disk("create", site, error))?;
    for entry in WalkDir::new(site).min_depth(1).max_depth(1).into_iter().flatten().filter(is_source) {
        let path = entry.path();
        let removed = if entry.file_type().is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.map_err(|error| SourceBuildErrorKind::disk("remove", path, error))?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), SourceBuildErrorKind> {
    for entry in entries(from)? {
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        let done = if entry.path_is_symlink() {
            copy_link(entry.path(), &target)
        } else if entry.file_type().is_dir() {
            fs::create_dir_all(&target)
        } else {
            fs::copy(entry.path(), &target).map(drop)
        };
        done.map_err(|error| SourceBuildErrorKind::disk("copy", entry.path(), error))?;
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<walkdir::DirEntry>, SourceBuildErrorKind> {
    if !folder.is_dir() {
        return Err(SourceBuildErrorKind::NoFolder { path: folder.to_owned() });
    }
    let walk = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter().filter_entry(is_source);
    walk.collect::<Result<_, _>>().map_err(|error| {
        let place = error.path().unwrap_or(folder).to_owned();
        SourceBuildErrorKind::disk("read", &place, error.into())
    })
}

#[cfg(unix)]
fn is_executable(entry: &walkdir::DirEntry) -> bool {
    use std::os::unix::fs::PermissionsExt;
    entry.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_entry: &walkdir::DirEntry) -> bool {
    false
}

#[cfg(unix)]
fn copy_link(from: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(fs::read_link(from)?, to)
}

/// Making links needs a privilege on Windows; what the link shows is copied.
#[cfg(not(unix))]
fn copy_link(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() { fs::create_dir_all(to) } else { fs::copy(from, to).map(drop) }
}

#[cfg(test)]
mod tests {
    use testkit::SdistBuilder;

    use super::*;

    #[test]
    fn an_sdist_unpacks_to_its_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let sdist = SdistBuilder::new("demo", "1.0").build();
        let path = sdist.write_to(folder.path());
        let target = folder.path().join("out");
        fs::create_dir(&target).unwrap();
        assert_eq!(unpack(&path, &sdist.file_name, &target).unwrap(), target.join("demo-1.0"));
        assert!(target.join("demo-1.0/pyproject.toml").is_file());
    }

    #[test]
    fn what_is_no_sdist_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "no archive").unwrap();
        for (file_name, reason) in
            [("x.tar.gz", "not a valid sdist"), ("x.zip", "not a valid sdist"), ("x.rpm", "is not a .tar.gz")]
        {
            let error = unpack(&path, file_name, &folder.path().join("out")).unwrap_err();
            assert!(error.to_string().contains(reason), "for {file_name}: {error}");
        }
    }

    #[test]
    fn a_folders_digest_is_of_its_sources_only() {
        let folder = tempfile::tempdir().unwrap();
        SdistBuilder::new("demo", "1.0").write_folder(folder.path());
        let before = folder_digest(folder.path()).unwrap();
        fs::create_dir_all(folder.path().join("demo/__pycache__")).unwrap();
        fs::write(folder.path().join("demo/__pycache__/x.pyc"), "x").unwrap();
        assert_eq!(folder_digest(folder.path()).unwrap(), before);
        fs::write(folder.path().join("demo/more.py"), "x").unwrap();
        assert_ne!(folder_digest(folder.path()).unwrap(), before);
    }
}
