//! The version that is used where none is named: a file in the home, since every home has its own versions.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use disk::FileBeside;
use serde::{Deserialize, Serialize};
use vocab::{RuntimeRequest, typed_json};

use crate::{Home, InstalledError};

/// Another number is an error: a newer version of this program wrote it.
const DEFAULT_RUNTIME_FORMAT: u32 = 1;

/// While it is written.
const STAGED: &str = ".default-";

/// What `pydist default` shows and sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRuntime {
    format: u32,
    /// As it was written, so that `3.12` follows what is installed later.
    pub runtime: RuntimeRequest,
}

impl DefaultRuntime {
    /// Asks for what `runtime` matches at each use.
    pub fn new(runtime: RuntimeRequest) -> Self {
        Self { format: DEFAULT_RUNTIME_FORMAT, runtime }
    }

    /// `None` if none was set.
    pub fn read(home: &Home) -> Result<Option<Self>, InstalledError> {
        let path = path(home);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(InstalledError::Read { path, source }),
        };
        match typed_json::read::<Self>(&bytes) {
            Ok(default) if default.format == DEFAULT_RUNTIME_FORMAT => Ok(Some(default)),
            Ok(default) => Err(InstalledError::Default { path, reason: format!("it has format {}", default.format) }),
            Err(error) => Err(InstalledError::Default { path, reason: error.to_string() }),
        }
    }

    /// Written beside and renamed, so a reader sees the former one or this one.
    pub fn save(&self, home: &Home) -> Result<(), InstalledError> {
        let path = path(home);
        let write = || {
            let mut beside = FileBeside::beside(&path, STAGED)?;
            writeln!(beside, "{}", serde_json::to_string(self)?)?;
            beside.replace(&path)
        };
        write().map_err(|source| InstalledError::Write { path: path.clone(), source })
    }

    /// An absent one is fine.
    pub fn clear(home: &Home) -> Result<(), InstalledError> {
        let path = path(home);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(InstalledError::Write { path, source: error }),
            _ => Ok(()),
        }
    }
}

fn path(home: &Home) -> PathBuf {
    home.root().join(".default.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_read_as_it_was_written_and_another_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        assert_eq!(DefaultRuntime::read(&home).unwrap(), None);
        let default = DefaultRuntime::new("3.12-atls".parse().unwrap());
        default.save(&home).unwrap();
        assert_eq!(fs::read_to_string(path(&home)).unwrap(), "{\"format\":1,\"runtime\":\"3.12-atls\"}\n");
        assert_eq!(DefaultRuntime::read(&home).unwrap(), Some(default));
        for text in ["", "{}", "[]", "{\"format\":2,\"runtime\":\"3.12\"}", "{\"format\":1,\"runtime\":\"../x\"}"] {
            fs::write(path(&home), text).unwrap();
            assert!(matches!(DefaultRuntime::read(&home), Err(InstalledError::Default { .. })), "for {text:?}");
        }
        DefaultRuntime::clear(&home).unwrap();
        DefaultRuntime::clear(&home).unwrap();
        assert_eq!(DefaultRuntime::read(&home).unwrap(), None);
    }
}
