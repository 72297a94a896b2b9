//! `builder new`: the folder of a new version or variant, from nothing or from another one's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config_merger::Repository;
use vocab::{Exit, Fault, VersionString};

use archive::remove_tree;

/// A configuration that takes everything from `shared-config.json`.
const EMPTY_CONFIG: &str = "{\n  \"$schema\": \"../schemas/config.schema.json\"\n}\n";

/// What a build makes; never taken over.
const MADE: [&str; 4] = ["pydist", "logs", "dist", "lock.json"];

#[derive(Debug, thiserror::Error)]
#[error("cannot begin {version}")]
pub struct NewVersionError {
    pub version: VersionString,
    #[source]
    pub kind: NewVersionErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum NewVersionErrorKind {
    #[error("`{}` is there already", path.display())]
    Exists { path: PathBuf },
    #[error("there is no `{}` to begin from", path.display())]
    NoSource { path: PathBuf },
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Fault for NewVersionError {
    fn code(&self) -> &'static str {
        match self.kind {
            NewVersionErrorKind::Exists { .. } => "E_VERSION_EXISTS",
            NewVersionErrorKind::NoSource { .. } => "E_VERSION_UNKNOWN",
            NewVersionErrorKind::Write { .. } => "E_WRITE",
        }
    }

    fn exit(&self) -> Exit {
        match self.kind {
            NewVersionErrorKind::Write { .. } => Exit::Build,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.kind {
            NewVersionErrorKind::Exists { .. } => Some("edit its config.json, or choose another variant name".into()),
            _ => None,
        }
    }
}

/// The new folder, whole or not there. The lock is not taken over: it is made by the first build.
pub fn new_version(
    repository: &Repository,
    version: &VersionString,
    from: Option<&VersionString>,
) -> Result<PathBuf, NewVersionError> {
    let failed = |kind| NewVersionError { version: version.clone(), kind };
    let folder = repository.root().join(version.folder_name());
    if folder.exists() {
        return Err(failed(NewVersionErrorKind::Exists { path: folder }));
    }
    let staged = repository.root().join(format!(".{}.new", version.folder_name()));
    let make = || -> Result<(), NewVersionErrorKind> {
        let write = |path: &Path| {
            let path = path.to_owned();
            move |source| NewVersionErrorKind::Write { path, source }
        };
        remove_tree(&staged).map_err(write(&staged))?;
        fs::create_dir(&staged).map_err(write(&staged))?;
        match from {
            Some(from) => {
                let source = repository.root().join(from.folder_name());
                if !source.is_dir() {
                    return Err(NewVersionErrorKind::NoSource { path: source });
                }
                copy_folder(&source, &staged).map_err(write(&staged))?;
            }
            None => fs::write(staged.join("config.json"), EMPTY_CONFIG).map_err(write(&staged))?,
        }
        archive::rename(&staged, &folder).map_err(write(&folder))
    };
    make().map_err(|kind| {
        let _ = remove_tree(&staged);
        failed(kind)
    })?;
    Ok(folder)
}

fn copy_folder(source: &Path, target: &Path) -> io::Result<()> {
    let walk = walkdir::WalkDir::new(source).min_depth(1).into_iter().filter_entry(|entry| {
        let made = entry.depth() == 1 && entry.file_name().to_str().is_some_and(|name| MADE.contains(&name));
        !made && entry.file_name() != "__pycache__"
    });
    for entry in walk {
        let entry = entry?;
        let place = target.join(entry.path().strip_prefix(source).map_err(io::Error::other)?);
        if entry.file_type().is_dir() {
            fs::create_dir(&place)?;
        } else {
            // A link is followed: the copy stands for itself. The executable bit comes along.
            fs::copy(entry.path(), &place)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(place: &Path) -> Repository {
        fs::write(place.join("shared-config.json"), "{}").unwrap();
        Repository::find(place).unwrap()
    }

    #[test]
    fn a_variant_takes_over_configuration_and_files_but_nothing_built() {
        let place = tempfile::tempdir().unwrap();
        let repository = repository(place.path());
        let old = place.path().join("python-3.12.10");
        for file in ["config.json", "linux-x64/bin/tool", "pydist/linux-x64/bin/python3", "lock.json"] {
            fs::create_dir_all(old.join(file).parent().unwrap()).unwrap();
            fs::write(old.join(file), file).unwrap();
        }
        let (new, from) = ("3.13.0-custom".parse().unwrap(), "3.12.10".parse().unwrap());
        let folder = new_version(&repository, &new, Some(&from)).unwrap();
        assert_eq!(fs::read_to_string(folder.join("linux-x64/bin/tool")).unwrap(), "linux-x64/bin/tool");
        assert!(folder.join("config.json").is_file());
        assert!(!folder.join("pydist").exists() && !folder.join("lock.json").exists());
        let again = new_version(&repository, &new, None).unwrap_err();
        assert_eq!((again.code(), again.exit()), ("E_VERSION_EXISTS", Exit::Usage));
    }

    #[test]
    fn what_cannot_be_begun_leaves_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let repository = repository(place.path());
        let (new, from) = ("3.13.0".parse().unwrap(), "3.12.10".parse().unwrap());
        assert_eq!(new_version(&repository, &new, Some(&from)).unwrap_err().code(), "E_VERSION_UNKNOWN");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "only shared-config.json");
    }
}
