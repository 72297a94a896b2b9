//! Whether a run can write where its results go: looked at before anything is built.

use std::io;
use std::path::{Path, PathBuf};

use vocab::Fault;

/// A folder for results that cannot be made or written to.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot write to `{}`: {reason}", folder.display())]
#[fault("E_WRITE", Build, hint("move away what is in the way, change its permissions, or choose another folder"))]
pub(crate) struct OutputError {
    pub folder: PathBuf,
    pub reason: String,
}

/// Looks at each folder or, if it does not exist yet, at the nearest one above it. Leaves nothing behind.
pub(crate) fn check(folders: &[&Path]) -> Result<(), OutputError> {
    for folder in folders {
        let failed = |reason| OutputError { folder: folder.to_path_buf(), reason };
        let here = |path: &&Path| path.as_os_str().is_empty() || path.symlink_metadata().is_ok();
        let Some(nearest) = folder.ancestors().find(here) else { continue };
        let nearest = if nearest.as_os_str().is_empty() { Path::new(".") } else { nearest };
        if !nearest.is_dir() {
            return Err(failed(format!("`{}` is not a folder", nearest.display())));
        }
        tempfile::tempfile_in(nearest).map_err(|error: io::Error| failed(error.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_in_the_place_of_a_folder_is_found_and_what_can_be_made_is_left_to_be_made() {
        let place = tempfile::tempdir().unwrap();
        let (dist, free) = (place.path().join("dist"), place.path().join("new/deeper"));
        fs::write(&dist, "a file").unwrap();
        check(&[&free, place.path()]).unwrap();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left behind");
        for folder in [dist.clone(), dist.join("linux")] {
            let error = check(&[place.path(), &folder]).unwrap_err();
            assert_eq!(error.reason, format!("`{}` is not a folder", dist.display()));
        }
    }
}
