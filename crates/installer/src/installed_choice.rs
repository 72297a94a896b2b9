//! Which of the installed builds a user means. The version is what the command line says, else the first
//! `.python-version` file in the folder or above it, else the default; one rule for all commands.

use std::io;
use std::path::{Path, PathBuf};

use vocab::{RuntimeRequest, VersionString};

use crate::installed_default::DefaultRuntime;
use crate::{Installed, InstalledBuild, InstalledError};

/// uv, pyenv and mise read the same file.
const VERSION_FILE: &str = ".python-version";
/// No such file has more than a few lines.
const MOST_READ: u64 = 64 << 10;

/// Who asked for a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestOrigin {
    CommandLine,
    VersionFile(PathBuf),
    Default,
}

/// What was asked for, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedVersion {
    pub request: RuntimeRequest,
    pub origin: RequestOrigin,
}

impl AskedVersion {
    /// `given` on the command line, or what holds in `folder`.
    pub fn find(given: Option<&RuntimeRequest>, folder: &Path, installed: &Installed) -> Result<Self, InstalledError> {
        if let Some(request) = given {
            return Ok(Self { request: request.clone(), origin: RequestOrigin::CommandLine });
        }
        if let Some((path, request)) = version_file_above(folder)? {
            return Ok(Self { request, origin: RequestOrigin::VersionFile(path) });
        }
        match DefaultRuntime::read(&installed.home)? {
            Some(default) => Ok(Self { request: default.runtime, origin: RequestOrigin::Default }),
            None => Err(InstalledError::NoVersion),
        }
    }

    /// For a sentence about it.
    fn asked(&self) -> String {
        match &self.origin {
            RequestOrigin::CommandLine => String::new(),
            RequestOrigin::VersionFile(path) => format!(", which `{}` asks for,", path.display()),
            RequestOrigin::Default => ", which is the default,".to_owned(),
        }
    }
}

impl Installed {
    /// The build that a version leads to: the one that is named, or the current one of the newest version that matches.
    pub fn chosen(&self, asked: &AskedVersion) -> Result<&InstalledBuild, InstalledError> {
        if let Some(build) = self.named(&asked.request) {
            return Ok(build);
        }
        let version = self.newest(asked)?;
        let current = self.of_version(version).find(|build| build.is_current);
        current.ok_or_else(|| InstalledError::NoCurrent {
            version: version.to_string(),
            builds: self.of_version(version).map(InstalledBuild::name).collect(),
        })
    }

    /// The build that is named, or all builds of the newest version that matches.
    pub fn all_of(&self, request: &RuntimeRequest) -> Result<Vec<&InstalledBuild>, InstalledError> {
        if let Some(build) = self.named(request) {
            return Ok(vec![build]);
        }
        let asked = AskedVersion { request: request.clone(), origin: RequestOrigin::CommandLine };
        Ok(self.of_version(self.newest(&asked)?).collect())
    }

    /// Like [`all_of`](Self::all_of), and an error if several versions match: for what cannot be undone.
    pub fn all_of_one(&self, request: &RuntimeRequest) -> Result<Vec<&InstalledBuild>, InstalledError> {
        let builds = self.all_of(request)?;
        let versions = self.versions();
        let matching: Vec<String> =
            versions.iter().filter(|version| request.matches(version)).map(ToString::to_string).collect();
        match matching.len() {
            0 | 1 => Ok(builds),
            _ => Err(InstalledError::Ambiguous { request: request.clone(), versions: matching }),
        }
    }

    /// `3.12.10-atls-2f9c1d0e7a44`, the name of a folder, which also has the form of a version.
    fn named(&self, request: &RuntimeRequest) -> Option<&InstalledBuild> {
        let name = request.exact()?.to_string();
        self.builds.iter().find(|build| build.name() == name)
    }

    fn newest(&self, asked: &AskedVersion) -> Result<&VersionString, InstalledError> {
        let versions = self.versions();
        if versions.is_empty() {
            return Err(InstalledError::Nothing { home: self.home.root().to_owned() });
        }
        // A version whose builds were all left behind is not meant as long as another one can be used.
        let usable = |version: &&&VersionString| self.of_version(version).any(|build| build.is_current);
        let newest = asked.request.newest(versions.iter().filter(usable).copied());
        newest.or_else(|| asked.request.newest(versions.iter().copied())).ok_or_else(|| {
            let nearest = asked.request.nearest(versions.iter().copied());
            InstalledError::NotInstalled {
                request: asked.request.clone(),
                asked: asked.asked(),
                installed: nearest.iter().map(ToString::to_string).collect(),
            }
        })
    }
}

/// The nearest file that names a version, and what it asks for. A file without a word is passed over.
fn version_file_above(folder: &Path) -> Result<Option<(PathBuf, RuntimeRequest)>, InstalledError> {
    for folder in folder.ancestors() {
        let path = folder.join(VERSION_FILE);
        let text = match read_start(&path) {
            Ok(text) => text,
            // A folder of that name is something else.
            Err(error) if !path.is_file() || error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(InstalledError::Read { path, source }),
        };
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        if let Some(line) = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with('#')) {
            return match line.parse() {
                Ok(request) => Ok(Some((path, request))),
                Err(_) => Err(InstalledError::VersionFile { path, text: line.to_owned() }),
            };
        }
    }
    Ok(None)
}

fn read_start(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    vocab::open_regular(path)?.take(MOST_READ).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_version_file_that_says_something_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a b/c");
        fs::create_dir_all(&inner).unwrap();
        let found = || version_file_above(&inner).map(|found| found.map(|(_, request)| request.to_string()));
        fs::write(root.path().join(VERSION_FILE), "\u{feff}# of the team\r\n\r\n 3.12-atls \r\n3.11\r\n").unwrap();
        assert_eq!(found().unwrap().as_deref(), Some("3.12-atls"));
        fs::write(inner.join(VERSION_FILE), "\n# nothing yet\n").unwrap();
        fs::create_dir(root.path().join("a b").join(VERSION_FILE)).unwrap();
        assert_eq!(found().unwrap().as_deref(), Some("3.12-atls"), "an empty file and a folder ask for nothing");
        for text in ["system", "pypy3.10-7.3.12", "3.12.10/envs/x", "cpython@3.12"] {
            fs::write(inner.join(VERSION_FILE), text).unwrap();
            assert!(matches!(found(), Err(InstalledError::VersionFile { text: said, .. }) if said == text), "{text}");
        }
    }
}
