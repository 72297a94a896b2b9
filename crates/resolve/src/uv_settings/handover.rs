//! Settings on their way to one call of uv.
//!
//! They may hold passwords, and uv runs foreign code. So on Unix they go through a pipe, which is empty by the time uv
//! starts anything, and are never on a disk. Where a pipe has no name, they are a file that is removed afterwards.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use toml::Table;

const STANDARD_INPUT: &str = "/dev/stdin";

/// Keep it until uv has ended.
pub struct SettingsHandover {
    path: PathBuf,
    /// What uv gets as its standard input.
    pub stdin: Vec<u8>,
    _file: Option<TempPath>,
}

impl SettingsHandover {
    /// `folder` is a scratch folder.
    pub fn new(settings: &Table, folder: &Path) -> io::Result<Self> {
        let text = settings.to_string().into_bytes();
        // A container may have no `/dev`.
        if cfg!(unix) && Path::new(STANDARD_INPUT).exists() {
            return Ok(Self { path: STANDARD_INPUT.into(), stdin: text, _file: None });
        }
        // Readable only for its owner, if the system has such modes.
        let mut file = tempfile::Builder::new().prefix("settings-").suffix(".toml").tempfile_in(folder)?;
        file.write_all(&text)?;
        let file = file.into_temp_path();
        Ok(Self { path: file.to_path_buf(), stdin: Vec::new(), _file: Some(file) })
    }

    /// The options that make uv read these settings.
    pub fn arguments(&self) -> [OsString; 2] {
        ["--config-file".into(), self.path.clone().into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_12_settings_are_on_no_disk_where_a_pipe_has_a_name_and_nowhere_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let settings: Table = "index-url = 'https://ada:pw@corp.example/simple'".parse().unwrap();
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let handover = SettingsHandover::new(&settings, folder.path()).unwrap();
        let [option, path] = handover.arguments();
        assert_eq!(option, "--config-file");
        if cfg!(unix) {
            assert_eq!((path.to_str(), files()), (Some("/dev/stdin"), 0));
            assert_eq!(handover.stdin, settings.to_string().into_bytes());
        } else {
            assert_eq!((std::fs::read_to_string(path).unwrap(), files()), (settings.to_string(), 1));
        }
        drop(handover);
        assert_eq!(files(), 0);
    }
}
