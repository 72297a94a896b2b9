//! Files from folders that people and other programs write to: a repository, a mirror, a shared store, a publishing
//! destination.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a regular file for reading and refuses anything else: a pipe or a device would block its reader or never end.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    // Checked before opening, since opening a pipe waits for its writer; and afterwards, since it may be another one by
    // then.
    if !fs::metadata(path)?.is_file() {
        return Err(refused());
    }
    let file = File::open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused()) }
}

/// The bytes of a regular file, opened as [`open_regular`] does. `std::fs::read` waits forever at a pipe.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same of a file of UTF-8.
pub fn read_regular_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_4_pipes_devices_and_folders_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(open_regular(&file).is_ok());
        assert_eq!((read_regular(&file).unwrap(), read_regular_text(&file).unwrap()), (b"x".to_vec(), "x".to_owned()));
        assert_eq!(open_regular(&folder.path().join("absent")).unwrap_err().kind(), io::ErrorKind::NotFound);
        let mut refused = vec![folder.path().to_owned()];
        if cfg!(unix) {
            refused.push("/dev/zero".into());
            let pipe = folder.path().join("pipe");
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            refused.push(pipe);
        }
        for path in refused {
            let error = open_regular(&path).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file", "{}", path.display());
            assert!(read_regular(&path).is_err() && read_regular_text(&path).is_err());
        }
    }
}
